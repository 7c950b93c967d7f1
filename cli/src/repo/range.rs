//! What the commits between two points brought into the repository, each version of each file.

use std::io::Write as _;
use std::path::PathBuf;

use super::Repository;
use super::entries::{fields, is_regular, path};
use crate::error::CommandError;

/// `A..B`, looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// Commits that are known already; `None` for a branch that is new.
    before: Option<String>,
    /// The last of the new ones.
    pub(crate) tip: String,
}

/// A version of a file that a commit brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Introduced {
    /// The commit.
    pub(crate) commit: String,
    /// Below the root of the repository.
    pub(crate) path: PathBuf,
    /// The object that held the contents before; `None` for a new file.
    pub(crate) before: Option<String>,
    /// The object that holds them.
    pub(crate) after: String,
}

impl Repository {
    /// Reads `A..B`. Hooks on a server write zeros for a branch that is new, and for one that is deleted, which brings
    /// nothing: `None`.
    pub(crate) fn range(&self, text: &str) -> Result<Option<Range>, CommandError> {
        let Some((before, tip)) = text.split_once("..").filter(|(_, tip)| !tip.starts_with('.')) else {
            return Err(CommandError::usage(format!("{text}: write a range as A..B, such as origin/main..HEAD")));
        };
        let or_head = |name: &str| if name.is_empty() { "HEAD".to_owned() } else { name.to_owned() };
        let (before, tip) = (or_head(before), or_head(tip));
        if is_zero(&tip) {
            return Ok(None);
        }
        let before = if is_zero(&before) { None } else { Some(self.commit(&before)?) };
        Ok(Some(Range { before, tip: self.commit(&tip)? }))
    }

    /// Every version of a file that the commits of a range brought. What a merge took over from a side is that side's.
    pub(crate) fn introduced(&self, range: &Range) -> Result<Vec<Introduced>, CommandError> {
        let mut arguments = vec!["rev-list", "--reverse", range.tip.as_str()];
        let hidden = range.before.as_ref().map(|before| format!("^{before}"));
        match &hidden {
            Some(hidden) => arguments.push(hidden),
            None => arguments.extend(["--not", "--all"]),
        }
        let mut commits = self.git(arguments).text()?;
        // `--all` knows a tip that is a branch already, as in a clone: then it brought its whole history. In a hook that
        // receives a push, a branch that brings no commit of its own brings nothing.
        let receives = std::env::var_os("GIT_QUARANTINE_PATH").is_some();
        if commits.is_empty() && range.before.is_none() && !receives {
            commits = self.git(["rev-list", "--reverse", &range.tip]).text()?;
        }
        let call =
            self.git(["diff-tree", "--stdin", "-r", "-c", "--root", "--no-renames", "--raw", "--no-abbrev", "-z"]);
        let mut child = call.start()?;
        let failed = |error: std::io::Error| CommandError::refused(format!("git diff-tree: failed: {error}"));
        let mut asks = child.stdin.take().ok_or_else(|| CommandError::refused("git diff-tree: has no input"))?;
        // Both pipes full, each would wait for the other.
        let writer = std::thread::spawn(move || asks.write_all(commits.as_bytes()));
        let output = child.wait_with_output().map_err(failed)?;
        let written = writer.join().map_err(|_| CommandError::refused("git diff-tree: its input broke off"))?;
        written.map_err(failed)?;
        if !output.status.success() {
            return Err(CommandError::refused("git diff-tree: failed"));
        }
        parse(&output.stdout)
    }
}

fn is_zero(name: &str) -> bool {
    name.len() >= 40 && name.bytes().all(|byte| byte == b'0')
}

/// The name of a commit, then for each file `:mode mode object object status` and its path; a merge has a colon, a mode
/// and an object for each parent.
fn parse(listed: &[u8]) -> Result<Vec<Introduced>, CommandError> {
    let unknown = || CommandError::refused("git: what commits changed is listed in a form that is not known");
    let (mut found, mut commit) = (Vec::new(), String::new());
    let mut fields = fields(listed);
    while let Some(field) = fields.next() {
        let text = std::str::from_utf8(field).map_err(|_| unknown())?.trim_start_matches('\n');
        if !text.starts_with(':') {
            text.clone_into(&mut commit);
            continue;
        }
        let name = fields.next().ok_or_else(unknown)?;
        let parents = text.bytes().take_while(|byte| *byte == b':').count();
        let words: Vec<_> = text.trim_start_matches(':').split(' ').collect();
        let (Some(mode), Some(before_mode)) = (words.get(parents), words.first()) else { return Err(unknown()) };
        let (Some(before), Some(after)) = (words.get(parents + 1), words.get(2 * parents + 1)) else {
            return Err(unknown());
        };
        if is_regular(mode) {
            let before = is_regular(before_mode).then(|| (*before).to_owned());
            found.push(Introduced { commit: commit.clone(), path: path(name), before, after: (*after).to_owned() });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_commits_and_merges_changed() {
        let listed = b"c1\0:000000 100644 000 aaa A\0new\0:100644 000000 aaa 000 D\0gone\0\
            c2\0::100644 100644 100644 aaa bbb ccc MM\0both\0:100644 120000 aaa ddd T\0link\0";
        let found = parse(listed).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.commit.as_str(), one.path.to_str().unwrap(), one.before.as_deref(), one.after.as_str()))
            .collect();
        assert_eq!(shown, [("c1", "new", None, "aaa"), ("c2", "both", Some("aaa"), "ccc")]);
        assert!(parse(b"c1\0:100644\0x\0").is_err());
    }
}
