//! `sops set`.

use std::io::Read as _;
use std::path::Path as FilePath;
use std::process::ExitCode;

use sealwax_format::document::{File, Kind, Node, entry};
use sealwax_format::sops::{Plains, Value};
use sealwax_format::{Path, Step, ValueType};
use zeroize::Zeroizing;

use super::call::Call;
use super::failure::{Code, Failure};
use super::source::{OpenSource, Source, cannot_print};
use super::{target, tree_path};
use crate::files::{self, Input, Store};
use crate::sops;
use crate::ui::Note;

pub(super) fn run(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let (from_file, from_stdin) = (call.is_on("value-file"), call.is_on("value-stdin"));
    if from_file && from_stdin {
        return Err(Failure::new(Code::Generic, "Error: cannot use both --value-file and --value-stdin"));
    }
    let wanted = if from_stdin { 2 } else { 3 };
    let words = &call.given.words;
    let (Some(file), Some(path), true) = (call.file(0), words.get(1), words.len() == wanted) else {
        let message = format!(
            "Error: no file specified, or index and value are missing. Need precisely {wanted} positional arguments."
        );
        return Err(Failure::new(Code::NoFile, message));
    };
    let path = path.to_str().and_then(|path| tree_path::parse(path).ok()).filter(|path| !path.0.is_empty());
    let path = path.ok_or_else(|| Failure::new(Code::BadSetFormat, "Invalid set index format"))?;
    let value = match words.get(2) {
        _ if from_stdin => read_stdin()?,
        Some(name) if from_file => {
            let value = Input::read_file(FilePath::new(name)).map_err(|error| Failure::of(Code::Generic, &error))?;
            Zeroizing::new(value.text()?.to_owned())
        }
        Some(value) => Zeroizing::new(value.to_str().ok_or_else(not_json)?.to_owned()),
        None => Zeroizing::default(),
    };
    let source = Source::of_file(call, file)?;
    set(call, &source, &path, &value)
}

fn read_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut value = Zeroizing::new(String::new());
    let most = sealwax_format::MAX_VALUE as u64 * 2;
    match std::io::stdin().lock().take(most).read_to_string(&mut value) {
        Ok(_) => Ok(value),
        Err(error) => Err(Failure::new(Code::Generic, format!("standard input: {error}"))),
    }
}

/// Puts a value, given as JSON, at a path of a file's first document.
pub(super) fn set(call: &Call<'_>, source: &Source, path: &Path, json: &str) -> Result<ExitCode, Failure> {
    let value = Json::parse(json, source.store).ok_or_else(not_json)?;
    let keys = call.keys()?;
    let file = source.parse()?;
    let opened = OpenSource::of(call, source, &file, &keys)?;
    let plain = opened.plain()?;
    let text = std::str::from_utf8(&plain).ok().filter(|_| source.store != Store::Binary);
    let text = text.ok_or_else(|| no_values(source))?;
    let before = files::parse(source.shown(), text, source.store.syntax())?;
    let changed = put(source, &before, path, value)?;
    let after = files::parse(source.shown(), &changed, source.store.syntax())?;
    if call.is_on("idempotent") && same(source, &before, &after, path)? {
        return Ok(ExitCode::SUCCESS);
    }
    let sealed = opened.sealed(changed.as_bytes(), opened.metadata())?;
    warn_of_clear(call, source, &sealed, path);
    target::over(source, sealed.as_bytes())
}

fn not_json() -> Failure {
    Failure::new(Code::BadSetFormat, "Value for --set is not valid JSON")
        .hint("A text stands in double quotes: '\"text\"'.")
}

/// Bytes have no paths.
pub(super) fn no_values(source: &Source) -> Failure {
    Failure::new(Code::Generic, format!("{}: holds bytes, and no values with paths", source.shown()))
}

/// A value that is to be put.
enum Json {
    Scalar(ValueType, Zeroizing<String>),
    /// On one line.
    Collection(Zeroizing<String>),
}

impl Json {
    fn parse(text: &str, store: Store) -> Option<Self> {
        let text = text.trim();
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        if text.starts_with(['{', '[']) {
            return Some(Self::Collection(on_one_line(text)));
        }
        let (value_type, value) = match text.as_bytes().first()? {
            b'"' => (ValueType::String, Zeroizing::new(serde_json::from_str::<String>(text).ok()?)),
            b't' | b'f' => (ValueType::Bool, Zeroizing::new(text.to_owned())),
            b'n' => (ValueType::Null, Zeroizing::new(text.to_owned())),
            _ => number(text)?,
        };
        // The others know texts only.
        let typed = matches!(store, Store::Yaml | Store::Json);
        Some(Self::Scalar(if typed { value_type } else { ValueType::String }, value))
    }

    /// As the only value below these steps.
    fn below(self, steps: &[Step]) -> Self {
        if steps.is_empty() {
            return self;
        }
        let mut text = match self {
            Self::Scalar(ValueType::String, text) => Zeroizing::new(quoted(&text)),
            Self::Collection(text) | Self::Scalar(_, text) => text,
        };
        for step in steps.iter().rev() {
            text = Zeroizing::new(match step {
                Step::Key(key) => format!("{{{}: {}}}", quoted(key), *text),
                Step::Item(_) => format!("[{}]", *text),
            });
        }
        Self::Collection(text)
    }
}

fn quoted(text: &str) -> String {
    // A text is always one of JSON.
    serde_json::to_string(text).unwrap_or_default()
}

/// A number as SOPS prints it, which is never with an exponent.
fn number(text: &str) -> Option<(ValueType, Zeroizing<String>)> {
    if text.parse::<i64>().is_ok() {
        return Some((ValueType::Int, Zeroizing::new(text.to_owned())));
    }
    let written = text.parse::<f64>().ok().filter(|number| number.is_finite())?.to_string();
    let value_type = if written.parse::<i64>().is_ok() { ValueType::Int } else { ValueType::Float };
    // Digits alone that are too many for an integer are none.
    let long = value_type == ValueType::Float && !written.contains('.');
    Some((value_type, Zeroizing::new(if long { format!("{written}.0") } else { written })))
}

/// JSON without the blanks between its parts.
fn on_one_line(json: &str) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(json.len()));
    let (mut in_text, mut escaped) = (false, false);
    for c in json.chars() {
        if in_text || !c.is_ascii_whitespace() {
            line.push(c);
        }
        if !in_text && matches!(c, ',' | ':') {
            // YAML reads `a:b` as one text.
            line.push(' ');
        }
        in_text = if c == '"' && !escaped { !in_text } else { in_text };
        escaped = in_text && c == '\\' && !escaped;
    }
    line
}

/// The plain file with a value at a path, and what is missing on the way.
fn put(source: &Source, file: &File<'_>, path: &Path, value: Json) -> Result<Zeroizing<String>, Failure> {
    let root = file.documents.first().map(|document| &document.root);
    // The others have no depth that could be missing.
    let is_deep = matches!(source.store, Store::Yaml | Store::Json);
    let place = |root| if is_deep { place(root, path) } else { Some((path.clone(), &[][..])) };
    let (place, rest) = root.and_then(place).ok_or_else(|| {
        let shown: String = path.0.iter().map(tree_path::shown).collect();
        Failure::new(Code::Generic, format!("{}: {shown}: a list has numbers, and a mapping has names", source.shown()))
    })?;
    let value = value.below(rest);
    let value = match &value {
        Json::Scalar(value_type, text) => entry::Value::Scalar(*value_type, text.as_bytes()),
        Json::Collection(text) => entry::Value::Collection(text),
    };
    sops::put(source.shown(), file, 0, &place, &value).map_err(|error| Failure::of(Code::Generic, &error))
}

/// How far a path leads to something that can hold an entry or that is to be replaced, and what is left of it.
fn place<'p>(root: &Node, path: &'p Path) -> Option<(Path, &'p [Step])> {
    let mut node = root;
    for (depth, step) in path.0.iter().enumerate() {
        let split = |length: usize| Some((Path(path.0.get(..length)?.to_vec()), path.0.get(length..)?));
        let next = match (step, &node.kind) {
            (Step::Key(key), Kind::Mapping { .. }) => node.get(key),
            (Step::Item(index), Kind::Sequence { items, .. }) => items.get(*index),
            (_, Kind::Mapping { .. } | Kind::Sequence { .. } | Kind::Alias(_)) => return None,
            // In the place of a value.
            (_, Kind::Scalar(_)) => return split(depth),
        };
        match next {
            Some(next) => node = next,
            None => return split(depth + 1),
        }
    }
    Some((path.clone(), &[]))
}

fn same(source: &Source, before: &File<'_>, after: &File<'_>, path: &Path) -> Result<bool, Failure> {
    let plains = |file| Plains::of(file).map_err(|error| cannot_print(source.shown(), &error));
    Ok(plains(before)?.at(path) == plains(after)?.at(path))
}

/// The file's selector came with it, and may leave a value in the clear: SOPS does not say so.
fn warn_of_clear(call: &Call<'_>, source: &Source, sealed: &str, path: &Path) {
    let file = files::parse(source.shown(), sealed, source.store.syntax()).ok();
    let layout = file.as_ref().and_then(|file| sealwax_format::sops::Layout::read(file).ok());
    let Some(layout) = layout else { return };
    let clear =
        |value: &Value<'_>| value.token.is_none() && value.leaf.scalar.is_some_and(|scalar| !scalar.value.is_empty());
    let values = layout.values.iter().zip(layout.plain_places());
    let mut below = values.filter(|(_, (document, place))| *document == 0 && place.0.starts_with(&path.0));
    if below.any(|(value, _)| clear(value)) {
        let shown: String = path.0.iter().map(tree_path::shown).collect();
        let text = format!("{}: {shown}: the file's selector leaves it in the clear", source.shown());
        call.ui.notes(&[Note::Warning(text)]);
    }
}

#[cfg(test)]
mod tests {
    use sealwax_format::document::Syntax;

    use super::*;

    #[test]
    fn numbers_are_written_without_exponents() {
        let written = |text| number(text).map(|(value_type, text)| (value_type, text.to_string()));
        assert_eq!(written("5"), Some((ValueType::Int, "5".to_owned())));
        assert_eq!(written("1e3"), Some((ValueType::Int, "1000".to_owned())));
        assert_eq!(written("2.50"), Some((ValueType::Float, "2.5".to_owned())));
        assert_eq!(written("1e21"), Some((ValueType::Float, "1000000000000000000000.0".to_owned())));
        assert_eq!(written("1e999"), None);
    }

    #[test]
    fn collections_stand_on_one_line() {
        assert_eq!(*on_one_line("{\n \"a b\":\t[1,\"\\\"x, y\"] }"), "{\"a b\": [1, \"\\\"x, y\"]}");
    }

    #[test]
    fn what_is_missing_on_the_way_is_made() {
        let file = File::parse("a: 1\nm: {x: 1}\nl: [1]\n", Syntax::Yaml).unwrap();
        let split = |path: &str| {
            let path = tree_path::parse(path).unwrap();
            place(&file.documents[0].root, &path).map(|(place, rest)| (place.to_string(), rest.len()))
        };
        assert_eq!(split("[\"m\"][\"x\"]"), Some(("m.x".to_owned(), 0)));
        assert_eq!(split("[\"m\"][\"y\"][\"z\"]"), Some(("m.y".to_owned(), 1)));
        assert_eq!(split("[\"a\"][\"y\"]"), Some(("a".to_owned(), 1)), "in the place of the value");
        assert_eq!(split("[\"l\"][7][\"y\"]"), Some(("l[7]".to_owned(), 1)));
        assert_eq!(split("[\"l\"][\"y\"]"), None);
    }
}
