//! Who owns a file: the CODEOWNERS file of GitHub or GitLab.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

/// Where the forges look, in their order.
const PLACES: [&str; 4] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// The owners of paths; the last line that matches decides.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    lines: Vec<(Vec<GlobMatcher>, String)>,
}

impl Owners {
    /// Those that a repository states; none where it states none.
    pub(crate) fn read(root: &Path) -> Self {
        let found = PLACES.iter().find_map(|place| std::fs::read_to_string(root.join(place)).ok());
        found.map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// A line that cannot be read owns nothing: who owns a file is shown, and decides about nothing.
    fn parse(text: &str) -> Self {
        let mut lines = Vec::new();
        for line in text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim()) {
            // Headings of GitLab's sections, comments and blanks.
            if line.is_empty() || line.starts_with(['#', '[', '^']) {
                continue;
            }
            let (pattern, owners) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let globs = globs(pattern).into_iter().filter_map(|glob| {
                GlobBuilder::new(&glob).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
            });
            lines.push((globs.collect(), owners.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        Self { lines }
    }

    /// The owners of a path below the root, as the file writes them; `None` for nobody.
    pub(crate) fn of(&self, path: &Path) -> Option<&str> {
        let line = self.lines.iter().rev().find(|(globs, _)| globs.iter().any(|glob| glob.is_match(path)));
        line.map(|(_, owners)| owners.as_str()).filter(|owners| !owners.is_empty())
    }
}

/// A pattern as in `.gitignore`: with a slash inside it is anchored, and a folder owns all that is below.
fn globs(pattern: &str) -> Vec<String> {
    let folder = pattern.ends_with('/');
    let inner = pattern.trim_end_matches('/');
    let anchored = inner.trim_start_matches('/').contains('/') || pattern.starts_with('/');
    let base = inner.trim_start_matches('/');
    let base = if anchored || base.starts_with("**/") { base.to_owned() } else { format!("**/{base}") };
    // `docs/*` are the files of that folder alone.
    let below = !base.ends_with("/*") || !anchored;
    let mut globs = if folder { Vec::new() } else { vec![base.clone()] };
    if below {
        globs.push(format!("{base}/**"));
    }
    globs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_matches_decides() {
        let owners = Owners::parse(
            "# who\n* @org/all\n[Payments]\n/apps/pay/ @org/pay @ann # comment\n*.pub @keys\napps/docs/* @docs\napps/pay/free.yaml\n",
        );
        let cases = [
            ("x.yaml", Some("@org/all")),
            ("apps/pay/db.yaml", Some("@org/pay @ann")),
            ("apps/pay/deep/db.yaml", Some("@org/pay @ann")),
            ("other/apps/pay/db.yaml", Some("@org/all")),
            ("a/b/alice.pub", Some("@keys")),
            ("apps/docs/a.yaml", Some("@docs")),
            ("apps/docs/deep/a.yaml", Some("@org/all")),
            ("apps/pay/free.yaml", None),
        ];
        for (path, expected) in cases {
            assert_eq!(owners.of(Path::new(path)), expected, "{path}");
        }
        assert_eq!(Owners::default().of(Path::new("x")), None);
    }
}
