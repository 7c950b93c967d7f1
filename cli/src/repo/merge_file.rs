//! Git's own three-way merge of texts.

use std::path::Path;

use zeroize::Zeroizing;

use super::git::Git;
use crate::error::CommandError;

/// What Git makes of three texts.
pub(crate) struct MergedText {
    pub(crate) text: Zeroizing<Vec<u8>>,
    pub(crate) is_clean: bool,
}

/// Merges ours, base and theirs as Git merges text, with these labels; `None` for what Git does not take for text.
pub(crate) fn merge_file(
    files: [&Path; 3],
    labels: [&str; 3],
    marker_size: usize,
) -> Result<Option<MergedText>, CommandError> {
    let size = format!("--marker-size={marker_size}");
    let mut git = Git::new(Path::new("."), ["merge-file", "--stdout", "--quiet", &size]);
    for label in labels {
        git = git.arg("-L").arg(label);
    }
    let git = files.iter().fold(git.arg("--"), Git::arg);
    let output = git.start()?.wait_with_output();
    let output = output.map_err(|error| CommandError::refused(format!("git merge-file: {error}")))?;
    // The number of conflicts, at most 127; anything else is a failure, as for binary files.
    let conflicts = output.status.code().filter(|code| (0..=127).contains(code));
    Ok(conflicts.map(|count| MergedText { text: Zeroizing::new(output.stdout), is_clean: count == 0 }))
}

/// Whether conflicts are to show what both sides started from (`merge.conflictStyle`).
pub(crate) fn shows_base() -> bool {
    let style = Git::new(Path::new("."), ["config", "--get", "merge.conflictStyle"]).quiet().text();
    style.is_ok_and(|style| matches!(style.trim(), "diff3" | "zdiff3"))
}
