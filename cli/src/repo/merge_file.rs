//! Git's own three-way merge of texts.

use std::path::Path;

use zeroize::Zeroizing;

use super::git::Git;
use crate::error::CommandError;

/// Merges ours, base and theirs as Git merges text, with these labels: the result, and whether it is without conflicts.
/// `None` for what Git does not take for text.
pub(crate) fn merge_file(
    files: [&Path; 3],
    labels: [&str; 3],
    marker_size: usize,
) -> Result<Option<(Zeroizing<Vec<u8>>, bool)>, CommandError> {
    let size = format!("--marker-size={marker_size}");
    let mut git = Git::new(Path::new("."), ["merge-file", "--stdout", "--quiet", &size]);
    for label in labels {
        git = git.arg("-L").arg(label);
    }
    let git = files.iter().fold(git.arg("--"), |git, file| git.arg(file));
    let output = git.start()?.wait_with_output();
    let output = output.map_err(|error| CommandError::refused(format!("git merge-file: {error}")))?;
    // The number of conflicts, at most 127; anything else is a failure, as for binary files.
    Ok(match output.status.code() {
        Some(conflicts @ 0..=127) => Some((Zeroizing::new(output.stdout), conflicts == 0)),
        _ => None,
    })
}

/// Whether conflicts are to show what both sides started from (`merge.conflictStyle`).
pub(crate) fn shows_base() -> bool {
    let style = Git::new(Path::new("."), ["config", "--get", "merge.conflictStyle"]).quiet().text();
    style.is_ok_and(|style| matches!(style.trim(), "diff3" | "zdiff3"))
}
