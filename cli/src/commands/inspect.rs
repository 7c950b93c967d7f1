//! `sealwax inspect`.

use std::fmt::Write as _;
use std::path::PathBuf;

use sealwax_format::document::File;
use sealwax_format::native::{Layout, Object, TokenKey, key_of};
use serde::Serialize;

use crate::error::{Code, CommandError};
use crate::files::Input;
use crate::ui::{Format, Ui};

/// Show, without any key, where a file's values are sealed for, what is in it, and who its named readers are
///
/// Readers are what the file says; only opening a wrap proves one.
///
/// Example: sealwax inspect db.yaml --format json
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files; - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
}

#[derive(Serialize)]
struct Inspected {
    file: String,
    documents: Vec<Document>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    number: usize,
    object: Option<String>,
    sealed_for: Option<String>,
    key: Option<String>,
    readers: Vec<String>,
    values: Vec<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Value {
    path: String,
    /// Bytes of ciphertext: the length of the value rounded up.
    bytes: usize,
    own_key: bool,
    readers: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let mut code = Code::Done;
    let mut inspected = Vec::new();
    for path in &args.files {
        match inspect(path) {
            Ok(file) => inspected.push(file),
            Err(error) => {
                ui.error(&error);
                code = code.max(error.code());
            }
        }
    }
    let shown = match args.format {
        Format::Json => serde_json::to_string_pretty(&inspected).map(|json| json + "\n").unwrap_or_default(),
        Format::Text => inspected.iter().map(text).collect(),
    };
    ui.data(shown.as_bytes())?;
    Ok(code)
}

fn inspect(path: &std::path::Path) -> Result<Inspected, CommandError> {
    let input = Input::read(path)?;
    let in_file = |error: sealwax_format::Error| CommandError::in_file(&input.shown, &error);
    let file = input.parse()?;
    let mut documents = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        documents.push(document(&file, &layout).map_err(in_file)?);
    }
    Ok(Inspected { file: input.shown.clone(), documents })
}

fn document(file: &File<'_>, layout: &Layout<'_>) -> Result<Document, sealwax_format::Error> {
    let mut values = Vec::new();
    for leaf in &layout.leaves {
        let Some(token) = layout.token(file, leaf)? else { continue };
        let wraps = key_of(layout.block.as_ref(), &token).map(|(_, wraps)| wraps).unwrap_or_default();
        values.push(Value {
            path: leaf.path.to_string(),
            bytes: token.sealed.len(),
            own_key: matches!(token.key, TokenKey::Own { .. }),
            readers: wraps.iter().map(|(label, _)| label.to_string()).collect(),
        });
    }
    let key = layout.block.as_ref().and_then(|block| block.key.as_ref());
    let sealed_for = match layout.stated_place() {
        Ok(place) => place.map(|place| place.to_string()),
        Err(problem) => Some(problem.to_string()),
    };
    Ok(Document {
        number: layout.index + 1,
        object: layout.object.as_ref().map(Object::shown),
        sealed_for,
        key: key.map(|key| key.id.to_string()),
        readers: key.map(|key| key.wraps.iter().map(|(label, _)| label.to_string()).collect()).unwrap_or_default(),
        values,
    })
}

fn text(file: &Inspected) -> String {
    let mut shown = String::new();
    for document in &file.documents {
        let object = document.object.as_deref().unwrap_or("no Kubernetes object");
        let _ = writeln!(shown, "{} document {}: {object}", file.file, document.number);
        let Some(sealed_for) = &document.sealed_for else {
            shown.push_str("  not encrypted\n");
            continue;
        };
        let _ = writeln!(shown, "  sealed for:    {sealed_for}");
        if !document.readers.is_empty() {
            let _ = writeln!(shown, "  named readers: {}", document.readers.join(", "));
        }
        for value in &document.values {
            let own = if value.own_key { format!(", own key for {}", value.readers.join(", ")) } else { String::new() };
            let _ = writeln!(shown, "  {} ({} bytes{own})", value.path, value.bytes);
        }
    }
    shown
}
