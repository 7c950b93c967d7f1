//! Two encrypted forms of a file, compared byte for byte outside one value and the metadata.

use super::plan::FileType;

/// A file in the parts that an edit may change and those that it must leave alone.
struct Parts<'t> {
    before: &'t str,
    token: &'t str,
    after: &'t str,
    metadata: &'t str,
}

impl<'t> Parts<'t> {
    /// Cuts the value of this name, which stands once, out of the text. Nothing is parsed: the files are of known shapes.
    fn cut(text: &'t str, file: FileType, name: &str) -> Result<Self, String> {
        let block = match file {
            FileType::Yaml => "\nsops:\n",
            FileType::Json | FileType::Binary => "\n\t\"sops\": {\n",
            FileType::Dotenv => "\nsops_",
            FileType::Ini => "\n[sops]\n",
        };
        let start = text.find(block).ok_or("there is no metadata")?;
        let (body, metadata) = text.split_at(start);
        let mut offset = 0;
        let mut found = None;
        for line in body.split_inclusive('\n') {
            let rest = line.trim_start().trim_start_matches('"').strip_prefix(name);
            if rest.is_some_and(|rest| rest.starts_with([':', '=', ' ', '"']))
                && let Some(token) = line.find("ENC[")
                && found.replace(offset + token).is_some()
            {
                return Err(format!("{name} stands there twice"));
            }
            offset += line.len();
        }
        let (before, rest) = body.split_at(found.ok_or_else(|| format!("{name} is not encrypted"))?);
        let end = rest.find(']').ok_or("a token without an end")? + 1;
        let (token, after) = rest.split_at(end);
        Ok(Self { before, token, after, metadata })
    }

    /// The lines of the metadata that an edit has no reason to change.
    fn kept(&self) -> Vec<&'t str> {
        let written_anew = |line: &&str| {
            let line = line.trim_start().trim_start_matches('"').trim_start_matches("sops_");
            ["mac", "lastmodified"]
                .iter()
                .any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', '=', ' ', '"'])))
        };
        self.metadata.lines().filter(|line| !written_anew(line)).collect()
    }
}

/// Whether an edit changed the value of this name, the checksum and the date, and nothing else.
pub(crate) fn edited_only(file: FileType, name: &str, before: &str, after: &str) -> Result<(), String> {
    let (one, other) = (Parts::cut(before, file, name)?, Parts::cut(after, file, name)?);
    let wrong = |what: &str| Err(format!("{what}\n--- before the edit\n{before}\n--- after it\n{after}"));
    if (one.before, one.after) != (other.before, other.after) {
        return wrong("bytes outside the value changed");
    }
    if one.kept() != other.kept() {
        return wrong("lines of the metadata changed beside mac and lastmodified");
    }
    if [&one, &other].iter().any(|parts| parts.kept().len() + 2 != parts.metadata.lines().count()) {
        return wrong("the metadata has no mac or no lastmodified");
    }
    if one.token == other.token || one.metadata == other.metadata {
        return wrong("the value and the checksum did not change");
    }
    Ok(())
}

#[test]
fn every_byte_outside_counts() {
    let before = "a: ENC[1]\nb: ENC[2] # x\nsops:\n    mac: ENC[3]\n    lastmodified: 1\n    version: 3\n";
    let after = "a: ENC[1]\nb: ENC[4] # x\nsops:\n    mac: ENC[5]\n    lastmodified: 2\n    version: 3\n";
    let compare = |after: &str| {
        edited_only(FileType::Yaml, "b", before, after).map_err(|error| error.lines().next().map(str::to_owned))
    };
    assert_eq!(compare(after), Ok(()));
    let outside = Err(Some("bytes outside the value changed".to_owned()));
    assert_eq!(compare(&after.replace("ENC[1]", "ENC[0]")), outside);
    assert_eq!(compare(&after.replace(" # x", "  # x")), outside);
    assert!(compare(&after.replace("version: 3", "version: 4")).is_err());
    assert!(compare(&after.replace("mac: ENC[5]\n    ", "")).is_err());
    assert!(compare(&after.replace("ENC[4]", "ENC[2]")).is_err());
    assert!(compare(&after.replace("b: ENC[4]", "b: clear")).is_err());
}
