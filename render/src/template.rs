//! Items made from opened ones, by templates in the syntax of Go's `text/template`.
//!
//! A template sees the opened items (`{{ .password }}`) and nothing else: no function reads a clock, randomness, the
//! environment, the network or a file, so what it makes depends on what it is given alone. What the templates of one Secret
//! may do is limited. Errors tell what kind of thing went wrong and never what was being handled.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gotmpl::{MissingKey, Template, TemplateError as Engine, Value};
use sealwax_format::SecretBytes;
use zeroize::Zeroizing;

use crate::bytes::{to_bytes, to_text};
use crate::functions::{self, Budget};
use crate::problem::{TemplateError, TemplateProblem};
use crate::tree;

/// What the templates of one Secret may make together: as much as a Secret can hold.
const MAX_OUTPUT: usize = 1 << 20;
/// What they may do together, about one unit for each byte that is handled: less than a second of work.
const MAX_WORK: usize = 32 << 20;
/// The name under which the engine keeps the tree.
const TREE: &str = "item";

/// What a Secret holds: the opened items if there are no templates; else what those make, and the opened items too if both
/// are merged. A templated item replaces the opened one of its name.
pub fn content(
    mut opened: BTreeMap<String, SecretBytes>,
    templates: &BTreeMap<String, String>,
    merged: bool,
) -> Result<BTreeMap<String, SecretBytes>, TemplateError> {
    if templates.is_empty() {
        return Ok(opened);
    }
    let made = render(&opened, templates)?;
    if !merged {
        return Ok(made);
    }
    opened.extend(made);
    Ok(opened)
}

/// Makes every item of `templates` from the opened items.
fn render(
    items: &BTreeMap<String, SecretBytes>,
    templates: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, SecretBytes>, TemplateError> {
    let mut maker = Maker::new(items);
    let mut made = BTreeMap::new();
    for (item, source) in templates {
        let output = maker.make(source).map_err(|problem| TemplateError { item: item.clone(), problem })?;
        made.insert(item.clone(), SecretBytes::from(output));
    }
    Ok(made)
}

/// Runs the templates of one Secret, which share what they may do and make.
pub(crate) struct Maker<'a> {
    items: &'a BTreeMap<String, SecretBytes>,
    data: Value,
    budget: Budget,
    room: usize,
}

impl<'a> Maker<'a> {
    /// For templates that see these items.
    pub(crate) fn new(items: &'a BTreeMap<String, SecretBytes>) -> Self {
        let opened = items.iter().map(|(item, value)| (Arc::from(item.as_str()), text_value(value)));
        let data = Value::Map(Arc::new(opened.collect()));
        Self { items, data, budget: Budget::new(MAX_WORK), room: MAX_OUTPUT }
    }

    /// What this template makes.
    pub(crate) fn make(&mut self, source: &str) -> Result<Zeroizing<Vec<u8>>, TemplateProblem> {
        let output = execute(source, &self.data, &self.budget, self.room).map_err(|problem| match problem {
            TemplateProblem::Missing(_) => TemplateProblem::Missing(self.items.keys().cloned().collect()),
            other => other,
        })?;
        self.room -= output.len();
        Ok(output)
    }
}

fn text_value(value: &SecretBytes) -> Value {
    Value::String(Arc::from(to_text(value.expose())))
}

/// One item, of no more than the room that there is.
fn execute(source: &str, data: &Value, budget: &Budget, room: usize) -> Result<Zeroizing<Vec<u8>>, TemplateProblem> {
    let mut functions = functions::all(budget);
    let tree = tree::parse(source, &functions)?;
    functions.insert(functions::PAY.to_owned(), functions::pay(budget));
    let template = Template::new("").missing_key(MissingKey::Error).funcs(functions).add_parse_tree(TREE, tree);
    let mut output = Capped { bytes: Zeroizing::default(), room };
    template.execute_template_fmt(&mut output, TREE, data).map_err(|error| problem(&error))?;
    Ok(output.bytes)
}

fn problem(error: &Engine) -> TemplateProblem {
    match error {
        Engine::UndefinedVariable(_) => TemplateProblem::Undefined,
        Engine::MissingKey { .. } | Engine::IndexOutOfRange { .. } => TemplateProblem::Missing(Vec::new()),
        Engine::Write | Engine::RangeIterLimit | Engine::RecursionLimit => TemplateProblem::TooMuch,
        Engine::Exec(message) if message == functions::TOO_MUCH => TemplateProblem::TooMuch,
        _ => TemplateProblem::Failed,
    }
}

/// Takes output up to the limit.
struct Capped {
    bytes: Zeroizing<Vec<u8>>,
    room: usize,
}

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let bytes = to_bytes(text);
        if self.bytes.len() + bytes.len() > self.room {
            return Err(fmt::Error);
        }
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> BTreeMap<String, SecretBytes> {
        let text = |value: &str| SecretBytes::from(value.as_bytes().to_vec());
        [
            ("user".to_owned(), text("app")),
            ("password".to_owned(), text("hunter2")),
            ("json".to_owned(), text(r#"{"host": "db", "ports": [1, 2]}"#)),
            ("binary".to_owned(), SecretBytes::from(vec![0, 0xff, b'a'])),
        ]
        .into()
    }

    fn made(source: &str) -> Result<Vec<u8>, TemplateProblem> {
        let templates = [("out".to_owned(), source.to_owned())].into();
        let made = render(&items(), &templates).map_err(|error| error.problem)?;
        Ok(made["out"].expose().to_vec())
    }

    #[test]
    fn makes_what_people_make() {
        let cases = [
            ("postgres://{{ .user }}:{{ .password | urlquery }}@db", "postgres://app:hunter2@db"),
            ("{{ .password | b64enc }}", "aHVudGVyMg=="),
            ("{{ (.json | fromJson).host | upper }}", "DB"),
            ("{{ range $i, $p := (fromJson .json).ports }}{{ if $i }},{{ end }}{{ $p }}{{ end }}", "1,2"),
            (r#"{{ printf "%s-%05d" (index . "user") 7 }}"#, "app-00007"),
            (r#"{{ if hasPrefix "hun" .password }}yes{{ else }}no{{ end }}"#, "yes"),
            (r#"{{ list "a" "b" | join "," }}"#, "a,b"),
            (r#"{{ $x := dict "u" .user }}{{ $x | toJson }}"#, r#"{"u":"app"}"#),
            ("{{- with .user }} {{ . }} {{- end }}", " app"),
        ];
        for (source, expected) in cases {
            assert_eq!(made(source).as_deref(), Ok(expected.as_bytes()), "{source}");
        }
    }

    #[test]
    fn templates_replace_the_items_or_join_them() {
        let templates = || [("user".to_owned(), "u-{{ .user }}".to_owned())].into();
        let names = |merged| content(items(), &templates(), merged).unwrap().into_keys().collect::<Vec<_>>();
        assert_eq!(names(false), ["user"]);
        assert_eq!(names(true), ["binary", "json", "password", "user"]);
        assert_eq!(content(items(), &templates(), true).unwrap()["user"].expose(), b"u-app");
        assert_eq!(content(items(), &BTreeMap::new(), false).unwrap(), items());
    }

    #[test]
    fn bytes_pass_through_unchanged() {
        assert_eq!(made("{{ .binary }}").unwrap(), [0, 0xff, b'a']);
        assert_eq!(made("{{ .binary | b64enc }}").unwrap(), b"AP9h");
        assert_eq!(made("{{ .binary | b64enc | b64dec }}").unwrap(), [0, 0xff, b'a']);
        assert_eq!(made("{{ len .binary }}").unwrap(), b"3");
    }

    #[test]
    fn errors_name_functions_and_places_and_never_values() {
        let missing = || TemplateProblem::Missing(items().into_keys().collect());
        let cases = [
            ("{{ env \"HOME\" }}", TemplateProblem::UnknownFunction("env".into())),
            ("{{ now }}", TemplateProblem::UnknownFunction("now".into())),
            ("{{ .nothing }}", missing()),
            ("{{ index . .password }}", missing()),
            ("{{ fromJson .password }}", TemplateProblem::Failed),
            ("{{ len 3 }}", TemplateProblem::Failed),
            ("{{ $x }}", TemplateProblem::Undefined),
        ];
        for (source, expected) in cases {
            let templates = [("out".to_owned(), source.to_owned())].into();
            let error = render(&items(), &templates).unwrap_err();
            assert!(!error.to_string().contains("hunter"), "{error}");
            assert_eq!(error.problem, expected, "{source}");
        }
        assert!(matches!(made("{{ .user").unwrap_err(), TemplateProblem::Syntax { line: 1, .. }));
    }

    #[test]
    fn every_function_is_documented_and_none_else() {
        let page = include_str!("../../docs/templates.md");
        let table = page.split("## Functions").nth(1).unwrap().split("## ").next().unwrap();
        let mut documented: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).collect();
        documented.retain(|line| line.contains('`'));
        let mut named: Vec<String> = documented
            .iter()
            .flat_map(|line| line.split('|').nth(2).unwrap().split('`').skip(1).step_by(2))
            .map(str::to_owned)
            .collect();
        named.sort();
        let mut known: Vec<String> = functions::all(&Budget::new(0)).into_keys().collect();
        known.extend(functions::ENGINE.map(str::to_owned));
        known.sort();
        assert_eq!(named, known);
    }
}
