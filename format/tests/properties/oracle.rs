//! A second parser, yaml-edit, as judge over the first: both must see the same scalars in the same order.

use proptest::prelude::*;
use sealwax_format::document::{File, Kind, Node, Syntax};
use yaml_edit::visitor::{YamlAccept as _, YamlVisitor};

use crate::generator::file;

/// The scalars that yaml-edit sees, unescaped and folded.
#[derive(Default)]
struct Seen(Vec<String>);

impl YamlVisitor for Seen {
    fn visit_scalar(&mut self, scalar: &yaml_edit::Scalar) {
        // A null of which nothing is written.
        if !scalar.value().is_empty() {
            self.0.push(scalar.as_string());
        }
    }
}

fn theirs(source: &str) -> Option<Vec<String>> {
    let mut seen = Seen::default();
    source.parse::<yaml_edit::YamlFile>().ok()?.accept(&mut seen);
    Some(seen.0)
}

/// Ours, without the nulls of which nothing is written.
fn ours(node: &Node, found: &mut Vec<String>) {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.head.is_empty() => {}
        Kind::Scalar(scalar) => found.push(scalar.value.to_string()),
        Kind::Mapping { entries, .. } => entries.iter().for_each(|(key, value)| {
            ours(key, found);
            ours(value, found);
        }),
        Kind::Sequence { items, .. } => items.iter().for_each(|item| ours(item, found)),
        Kind::Alias(_) => {}
    }
}

fn agree(source: &str) -> Result<(), String> {
    let file = File::parse(source, Syntax::Yaml).map_err(|error| error.to_string())?;
    let Some(mut theirs) = theirs(source) else {
        return Err("yaml-edit does not read it".to_owned());
    };
    let mut found = Vec::new();
    file.documents.iter().for_each(|document| ours(&document.root, &mut found));
    // The one place where both are right by their own rules: a block scalar cut short by the end of the file.
    if let (Some(ours), Some(theirs)) = (found.last_mut(), theirs.last_mut())
        && !source.ends_with('\n')
    {
        *ours = ours.trim_end_matches('\n').to_owned();
        *theirs = theirs.trim_end_matches('\n').to_owned();
    }
    if found == theirs { Ok(()) } else { Err(format!("ours {found:?}\ntheirs {theirs:?}")) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn two_parsers_see_the_same_scalars(source in file()) {
        prop_assert_eq!(agree(&source), Ok(()), "{}", source);
    }
}

#[test]
fn they_agree_on_the_vectors_too() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/native");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let yaml = path.extension().is_some_and(|e| e == "plain") && !path.to_string_lossy().contains("json");
        if yaml {
            assert_eq!(agree(&std::fs::read_to_string(&path).unwrap()), Ok(()), "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 8);
}
