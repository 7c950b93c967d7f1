//! Items made from opened ones, by templates in the syntax of Go's `text/template`.
//!
//! A template sees the opened items (`{{ .password }}`) and nothing else: no function reads a clock, randomness, the
//! environment, the network or a file, so what it makes depends on what it is given alone. What it may produce, and how
//! often it may repeat itself, is limited. Errors tell what kind of thing went wrong and never what was being handled.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gotmpl::{MissingKey, Template, TemplateError as Engine, Value};
use sealwax_format::SecretBytes;
use zeroize::Zeroizing;

use crate::bytes::{to_bytes, to_text};
use crate::functions::{self, Budget};

/// The largest item: as much as a Secret can hold.
const MAX_OUTPUT: usize = 1 << 20;
/// What all functions of one template may produce together.
const MAX_PRODUCED: usize = 16 << 20;
/// How often the loops of one template may go round.
const MAX_ROUNDS: u64 = 100_000;

/// Why a template makes no item. Names items, functions and places in templates, all of which are public.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("spec.target.template.data: item {item}: {problem}")]
pub struct TemplateError {
    /// The item that was to be made.
    pub item: String,
    /// What is wrong.
    pub problem: TemplateProblem,
}

/// What can be wrong with a template.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateProblem {
    /// Not the syntax of a template.
    #[error("line {line}, column {column} is not the syntax of a template")]
    Syntax {
        /// The line in the template.
        line: usize,
        /// The column in the template.
        column: usize,
    },
    /// A function that there is not.
    #[error("there is no function {0}; the functions stand in docs/templates.md")]
    UnknownFunction(String),
    /// A variable or template that is not defined.
    #[error("it uses a variable or template that it does not define")]
    Undefined,
    /// Something that is not there was asked for.
    #[error("it asks for an item or key that is not there; the items are {}", .0.join(", "))]
    Missing(Vec<String>),
    /// It makes too much.
    #[error("it produces too much, or goes round too often")]
    TooMuch,
    /// Anything else that goes wrong while it runs.
    #[error("it fails on what it is given")]
    Failed,
}

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
    let opened = items.iter().map(|(item, value)| (Arc::from(item.as_str()), text_value(value)));
    let data = Value::Map(Arc::new(opened.collect()));
    let make = |(item, source): (&String, &String)| {
        let made = execute(source, &data)
            .map_err(|error| TemplateError { item: item.clone(), problem: problem(&error, items) })?;
        Ok((item.clone(), made))
    };
    templates.iter().map(make).collect()
}

fn text_value(value: &SecretBytes) -> Value {
    Value::String(Arc::from(to_text(value.expose())))
}

fn execute(source: &str, data: &Value) -> Result<SecretBytes, Engine> {
    let budget = Budget::new(MAX_PRODUCED);
    let template = Template::new("")
        .missing_key(MissingKey::Error)
        .max_range_iters(MAX_ROUNDS)
        .funcs(functions::all(&budget))
        .parse(source)?;
    let mut output = Capped(Zeroizing::new(String::new()));
    template.execute_fmt(&mut output, data)?;
    Ok(SecretBytes::from(Zeroizing::new(to_bytes(&output.0))))
}

fn problem(error: &Engine, items: &BTreeMap<String, SecretBytes>) -> TemplateProblem {
    match error {
        Engine::Parse { line, col, .. } | Engine::Lex { line, col, .. } => {
            TemplateProblem::Syntax { line: *line, column: *col }
        }
        // The name stands in the template: functions are no values here.
        Engine::UndefinedFunction(name) => TemplateProblem::UnknownFunction(name.clone()),
        Engine::UndefinedVariable(_) | Engine::UndefinedTemplate(_) => TemplateProblem::Undefined,
        Engine::MissingKey { .. } | Engine::IndexOutOfRange { .. } => {
            TemplateProblem::Missing(items.keys().cloned().collect())
        }
        Engine::Write | Engine::RangeIterLimit | Engine::RecursionLimit => TemplateProblem::TooMuch,
        Engine::Exec(message) if message == functions::TOO_MUCH => TemplateProblem::TooMuch,
        _ => TemplateProblem::Failed,
    }
}

/// Takes output up to the limit.
struct Capped(Zeroizing<String>);

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_OUTPUT {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
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
        let engine = ["and", "call", "eq", "ge", "gt", "le", "lt", "ne", "not", "or", "slice"];
        let mut known: Vec<String> = functions::names();
        known.extend(engine.map(str::to_owned));
        known.sort();
        assert_eq!(named, known);
    }

    #[test]
    fn what_grows_without_end_is_stopped() {
        let doubling = "{{ $x := .password }}".to_owned() + &"{{ $x = print $x $x }}".repeat(40);
        let cases = [
            doubling.as_str(),
            r#"{{ repeat 100000000 "x" }}"#,
            r#"{{ printf "%100000000d" 1 }}"#,
            r#"{{ printf "%*d" 100000000 1 }}"#,
            "{{ range $i := until 1000000000 }}x{{ end }}",
            r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#,
            r#"{{ $l := list 1 }}{{ range until 90000 }}{{ $l = append $l "0123456789012345678901234567890123456789" }}{{ end }}"#,
        ];
        for source in cases {
            assert_eq!(made(source), Err(TemplateProblem::TooMuch), "{source:.60}");
        }
    }
}
