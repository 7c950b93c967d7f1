//! `sealwax inspect`.

use std::fmt::Write as _;
use std::path::PathBuf;

use sealwax_format::document::File;
use sealwax_format::native::{Layout, Object, TokenKey, key_of};
use sealwax_format::sops;
use serde::Serialize;

use crate::error::{Code, CommandError};
use crate::files::Input;
use crate::sops::keys;
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
    /// What only files of SOPS have.
    #[serde(skip_serializing_if = "Option::is_none")]
    sops: Option<Sops>,
    documents: Vec<Document>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sops {
    version: String,
    last_modified: String,
    /// The field of the metadata that says which values are encrypted, and what it says.
    selector: (String, String),
    mac_only_encrypted: bool,
    /// How many key groups are needed, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<usize>,
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
    if sops::Layout::is_one(&file) {
        return of_sops(&input.shown, &file);
    }
    let mut documents = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        documents.push(document(&file, &layout).map_err(in_file)?);
    }
    Ok(Inspected { file: input.shown.clone(), sops: None, documents })
}

fn of_sops(shown: &str, file: &File<'_>) -> Result<Inspected, CommandError> {
    let layout = sops::Layout::read(file).map_err(|at| crate::sops::in_file(shown, &at))?;
    let metadata = &layout.metadata;
    let (field, text) = metadata.selector.field();
    let several = metadata.groups.len() > 1;
    let stated = Sops {
        version: metadata.version.clone(),
        last_modified: metadata.last_modified.clone(),
        selector: (field.to_owned(), text.to_owned()),
        mac_only_encrypted: metadata.mac_only_encrypted,
        threshold: several.then(|| metadata.threshold.unwrap_or(metadata.groups.len())),
    };
    let readers = metadata.groups.iter().enumerate().flat_map(|(index, group)| {
        let place = if several { format!(" (group {})", index + 1) } else { String::new() };
        group.wraps.iter().map(move |wrap| format!("{}{place}", keys::shown(wrap)))
    });
    let readers: Vec<_> = readers.collect();
    let documents = (0..file.documents.len()).map(|index| {
        let values = layout.values.iter().filter(|value| value.document == index);
        let values = values.filter_map(|value| {
            let bytes = value.token.as_ref()?.sealed().len();
            Some(Value { path: value.leaf.path.to_string(), bytes, own_key: false, readers: Vec::new() })
        });
        Document {
            number: index + 1,
            object: None,
            sealed_for: None,
            key: None,
            readers: readers.clone(),
            values: values.collect(),
        }
    });
    Ok(Inspected { file: shown.to_owned(), sops: Some(stated), documents: documents.collect() })
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
    if let Some(sops) = &file.sops {
        let (field, text) = &sops.selector;
        let _ = writeln!(shown, "{} file of SOPS {}, written {}", file.file, sops.version, sops.last_modified);
        let _ = writeln!(shown, "  selector:      {field}: {text}");
        if sops.mac_only_encrypted {
            shown.push_str("  checksum:      over encrypted values only\n");
        }
        if let Some(threshold) = sops.threshold {
            let _ = writeln!(shown, "  key groups:    {threshold} are needed");
        }
    }
    for document in &file.documents {
        let object = document.object.as_deref().unwrap_or("no Kubernetes object");
        let _ = writeln!(shown, "{} document {}: {object}", file.file, document.number);
        match &document.sealed_for {
            Some(sealed_for) => {
                let _ = writeln!(shown, "  sealed for:    {sealed_for}");
            }
            None if file.sops.is_none() => {
                shown.push_str("  not encrypted\n");
                continue;
            }
            None => {}
        }
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
