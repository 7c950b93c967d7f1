//! Paths as people write them: short where that is unambiguous, and documents by number or `Kind/name`.

use sealwax_format::document::File;
use sealwax_format::native::Layout;
use sealwax_format::{Path, Problem, Step};

use crate::error::CommandError;

/// Flags that pick one document of a file.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct DocumentArgs {
    /// Which document of the file: its number from 1, or Kind/name
    #[arg(long = "doc", value_name = "N|KIND/NAME")]
    pub(crate) document: Option<String>,
}

impl DocumentArgs {
    /// The chosen document; the only one if none was chosen.
    pub(crate) fn choose<'d>(&self, shown: &str, file: &'d File<'_>) -> Result<Layout<'d>, CommandError> {
        let read = |index| Layout::read(file, index).map_err(|error| CommandError::in_file(shown, &error));
        let Some(wanted) = &self.document else {
            return match file.documents.len() {
                1 => read(0),
                0 => Err(CommandError::unreadable(format!("{shown}: holds no document"))),
                n => Err(CommandError::usage(format!("{shown}: holds {n} documents"))
                    .hint("Choose one with --doc N or --doc Kind/name.")),
            };
        };
        if let Ok(number) = wanted.parse::<usize>() {
            if (1..=file.documents.len()).contains(&number) {
                return read(number - 1);
            }
            return Err(CommandError::usage(format!("{shown}: has no document {number}")));
        }
        let mut found = None;
        for index in 0..file.documents.len() {
            let layout = read(index)?;
            let name = layout.object.as_ref().map(|o| format!("{}/{}", o.kind, o.name.as_deref().unwrap_or_default()));
            if name.as_deref() == Some(wanted.as_str()) && found.replace(layout).is_some() {
                return Err(CommandError::usage(format!("{shown}: {wanted} stands there twice; choose by number")));
            }
        }
        found.ok_or_else(|| CommandError::usage(format!("{shown}: has no document {wanted}")))
    }
}

/// The full path of a value that exists: as written, or the only one that ends so.
pub(crate) fn existing(shown: &str, layout: &Layout<'_>, written: &str) -> Result<Path, CommandError> {
    let path = parse(written)?;
    if layout.leaf(&path).is_some() {
        return Ok(path);
    }
    let candidates: Vec<_> =
        layout.leaves.iter().map(|leaf| &leaf.path).filter(|full| ends_with(full, &path)).collect();
    match candidates.as_slice() {
        [one] => Ok((*one).clone()),
        [] if layout.leaves.iter().any(|leaf| leaf.path.0.starts_with(&path.0)) => {
            Err(CommandError::refused(format!("{shown}: {path}: {}", Problem::NotAValue)))
        }
        [] => Err(CommandError::refused(format!("{shown}: {path}: {}", Problem::NoSuchPath))),
        several => {
            let list = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(CommandError::usage(format!("{shown}: {path} may be any of {list}")).hint("Write more of the path."))
        }
    }
}

/// The full path of a value that exists or shall: a lone key goes where the object keeps its items.
pub(crate) fn for_writing(
    shown: &str,
    file: &File<'_>,
    layout: &Layout<'_>,
    written: &str,
) -> Result<Path, CommandError> {
    let path = parse(written)?;
    let root = &file.documents[layout.index].root;
    if root.at(&path).is_some() {
        return Ok(path);
    }
    let ending = layout.leaves.iter().filter(|leaf| ends_with(&leaf.path, &path)).count();
    if ending > 0 {
        return existing(shown, layout, written);
    }
    let [Step::Key(item)] = path.0.as_slice() else {
        return Ok(path);
    };
    Ok(match &layout.object {
        Some(object) if object.is_encrypted_secret() => Path::of_keys(&["spec", "data", item]),
        Some(object) if object.group.is_empty() && object.kind == "Secret" => Path::of_keys(&["stringData", item]),
        _ => path,
    })
}

/// Whether a value is an item of `data` in a core Secret, where Kubernetes wants base64.
pub(crate) fn is_base64_item(layout: &Layout<'_>, path: &Path) -> bool {
    let secret = layout.object.as_ref().is_some_and(|object| object.group.is_empty() && object.kind == "Secret");
    secret && matches!(path.0.as_slice(), [Step::Key(data), Step::Key(_)] if data == "data")
}

fn parse(written: &str) -> Result<Path, CommandError> {
    Path::parse(written).map_err(|error| CommandError::usage(format!("{written}: {error}")))
}

fn ends_with(full: &Path, tail: &Path) -> bool {
    full.0.len() > tail.0.len() && full.0.ends_with(&tail.0)
}
