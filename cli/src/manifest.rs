//! From a core Secret to an `EncryptedSecret`, still in the clear: comments, order and styles of the source stay.

use std::collections::BTreeMap;
use std::ops::Range;

use sealwax_format::document::present::{Expected, canonical};
use sealwax_format::document::resolve::resolve;
use sealwax_format::document::rewrite::Rewrite;
use sealwax_format::document::walk::Around;
use sealwax_format::document::{File, Node, Syntax};
use sealwax_format::native::Layout;
use sealwax_format::{SecretBytes, ValueType, base64};
use zeroize::Zeroizing;

use crate::error::CommandError;

/// The items of a Secret and what else its `EncryptedSecret` must state.
#[derive(Default)]
pub(crate) struct Secret {
    pub(crate) items: BTreeMap<String, SecretBytes>,
    r#type: Option<String>,
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    namespace: Option<String>,
    name: Option<String>,
}

/// kubectl's copy of what was applied, which holds the values in the clear.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Annotations that tools write for themselves.
const DROPPED_ANNOTATIONS: [&str; 1] = [LAST_APPLIED];

impl Secret {
    /// Reads a `v1/Secret`.
    pub(crate) fn read(shown: &str, layout: &Layout<'_>, root: &Node) -> Result<Self, CommandError> {
        let object = layout.object.as_ref().filter(|object| object.group.is_empty() && object.kind == "Secret");
        let Some(object) = object else {
            return Err(CommandError::refused(format!("{shown}: is no v1 Secret")));
        };
        let mut secret = Self { namespace: object.namespace.clone(), name: object.name.clone(), ..Self::default() };
        for (key, value) in root.entries() {
            match key.text().unwrap_or_default() {
                "apiVersion" | "kind" | "metadata" | "status" => {}
                "type" => secret.r#type = value.text().map(str::to_owned),
                "immutable" if value.text() == Some("false") => {}
                "immutable" => {
                    return Err(CommandError::refused(format!("{shown}: immutable Secrets cannot be sealed yet"))
                        .hint("Remove `immutable` from the manifest."));
                }
                "data" => secret.read_items(shown, value, true)?,
                "stringData" => secret.read_items(shown, value, false)?,
                _ => return Err(CommandError::refused(format!("{shown}: has a field that no Secret has"))),
            }
        }
        secret.labels = pairs(root, "labels");
        secret.annotations = pairs(root, "annotations");
        secret.annotations.retain(|(key, _)| !DROPPED_ANNOTATIONS.contains(&key.as_str()));
        Ok(secret)
    }

    /// A Secret of files, without a manifest.
    pub(crate) fn of_items(items: BTreeMap<String, SecretBytes>) -> Self {
        Self { items, ..Self::default() }
    }

    fn read_items(&mut self, shown: &str, mapping: &Node, encoded: bool) -> Result<(), CommandError> {
        for (key, value) in mapping.entries() {
            let item = key.text().unwrap_or_default().to_owned();
            let bad = |reason: &str| CommandError::refused(format!("{shown}: item {item} {reason}"));
            let scalar = value.scalar().ok_or_else(|| bad("is no string"))?;
            let resolved = resolve(value, scalar).map_err(|error| bad(&error.to_string()))?;
            let value = match (encoded, resolved.value_type) {
                (false, ValueType::String | ValueType::Binary) => resolved.value,
                (true, ValueType::String) => decode(&scalar.value).ok_or_else(|| bad("of data is not base64"))?,
                _ => return Err(bad("is not a string; put it in quotes")),
            };
            if self.items.insert(item.clone(), value).is_some() {
                return Err(bad("stands in both data and stringData"));
            }
        }
        Ok(())
    }

    /// An `EncryptedSecret` in the canonical layout.
    pub(crate) fn render(&self, namespace: Option<&str>, name: Option<&str>) -> Zeroizing<String> {
        let mut yaml =
            Zeroizing::new("apiVersion: sealwax.dev/v1alpha1\nkind: EncryptedSecret\nmetadata:\n".to_owned());
        for (key, value) in
            [("namespace", namespace.or(self.namespace.as_deref())), ("name", name.or(self.name.as_deref()))]
        {
            if let Some(value) = value {
                yaml.push_str(&format!("  {key}: {}\n", scalar(value)));
            }
        }
        yaml.push_str("spec:\n");
        yaml.push_str(&self.target());
        yaml.push_str("  data:\n");
        for (item, value) in &self.items {
            yaml.push_str(&entry(4, item, value));
        }
        yaml
    }

    /// `spec.target`, where the Secret has a type or metadata to keep.
    fn target(&self) -> String {
        let kind = self.r#type.as_deref().filter(|kind| *kind != "Opaque");
        if kind.is_none() && self.labels.is_empty() && self.annotations.is_empty() {
            return String::new();
        }
        let mut yaml = "  target:\n    template:\n".to_owned();
        if let Some(kind) = kind {
            yaml.push_str(&format!("      type: {}\n", scalar(kind)));
        }
        if !(self.labels.is_empty() && self.annotations.is_empty()) {
            yaml.push_str("      metadata:\n");
        }
        for (field, entries) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !entries.is_empty() {
                yaml.push_str(&format!("        {field}:\n"));
                for (k, v) in entries {
                    yaml.push_str(&format!("          {}: {}\n", scalar(k), scalar(v)));
                }
            }
        }
        yaml
    }
}

/// Turns the source of a Secret into that of an `EncryptedSecret`, keeping its lines where it is written in block style.
pub(crate) fn convert(
    shown: &str,
    source: &str,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Result<Zeroizing<String>, CommandError> {
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let file = File::parse(source, Syntax::Yaml).map_err(|error| in_file(error.into()))?;
    if file.documents.is_empty() {
        return Err(CommandError::unreadable(format!("{shown}: holds no document")));
    }
    let [document] = file.documents.as_slice() else {
        return Err(CommandError::usage(format!(
            "{shown}: holds {} documents; seal them one by one",
            file.documents.len()
        )));
    };
    let layout = Layout::read(&file, 0).map_err(in_file)?;
    let secret = Secret::read(shown, &layout, &document.root)?;
    let renames = namespace.is_some_and(|n| secret.namespace.as_deref() != Some(n))
        || name.is_some_and(|n| secret.name.as_deref() != Some(n));
    let block_style = !document.root.is_flow()
        && ["data", "stringData"]
            .iter()
            .filter_map(|key| document.root.get(key))
            .all(|node| !node.is_flow() && !node.entries().is_empty());
    if !block_style || renames || drops_from_flow(&document.root) {
        return Ok(secret.render(namespace, name));
    }
    let decoded = decode_in_place(&file, &layout, document).map_err(in_file)?;
    let file = File::parse(&decoded, Syntax::Yaml).map_err(|error| in_file(error.into()))?;
    let converted = Surgery { source: &decoded, secret: &secret }.run(&file.documents[0].root);
    // The surgery works on lines; what it made must hold the same items, or the plain way is taken.
    if holds(&converted, &secret) { Ok(converted) } else { Ok(secret.render(namespace, name)) }
}

/// Whether an annotation has to go that shares its lines with others.
fn drops_from_flow(root: &Node) -> bool {
    let Some(metadata) = root.get("metadata") else { return false };
    let Some(annotations) = metadata.get("annotations") else { return false };
    let drops = DROPPED_ANNOTATIONS.iter().any(|key| annotations.get(key).is_some());
    drops && (metadata.is_flow() || annotations.is_flow())
}

fn decode_in_place(
    file: &File<'_>,
    layout: &Layout<'_>,
    document: &sealwax_format::document::Document,
) -> Result<Zeroizing<String>, sealwax_format::Error> {
    let mut rewrite = Rewrite::new(file);
    if let Some(data) = document.root.get("data") {
        for (_, node) in data.entries() {
            let Some((scalar, value)) = node.scalar().and_then(|scalar| Some((scalar, decode(&scalar.value)?))) else {
                continue;
            };
            let value_type = type_of(&value);
            let target = layout.target(file, Around { flow: false, column: data.column });
            if let Some(written) = canonical(value_type, value.expose(), target) {
                rewrite.replace(0, node, scalar, written, Expected { value_type, value });
            }
        }
    }
    rewrite.finish().map_err(sealwax_format::Error::of_file)
}

/// Moves the lines of `data` and `stringData` under `spec` and changes kind and version; all other lines stay.
struct Surgery<'s> {
    source: &'s str,
    secret: &'s Secret,
}

impl Surgery<'_> {
    fn run(&self, root: &Node) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(self.source.len() + 256));
        let mut at = 0;
        let mut spec_written = false;
        for (key, value) in root.entries() {
            let lines = self.lines(key, value);
            out.push_str(&self.source[at..lines.start]);
            at = lines.end;
            match key.text().unwrap_or_default() {
                "apiVersion" => self.replace_value(&mut out, &lines, value, "sealwax.dev/v1alpha1"),
                "kind" => self.replace_value(&mut out, &lines, value, "EncryptedSecret"),
                "metadata" => self.metadata(&mut out, &lines, value),
                "data" | "stringData" if !spec_written => {
                    spec_written = true;
                    out.push_str("spec:\n");
                    out.push_str(&self.secret.target());
                    let after_key = &self.source[key.span.end..];
                    out.push_str("  data");
                    out.push_str(&after_key[..after_key.find('\n').map_or(after_key.len(), |end| end + 1)]);
                    self.shifted(&mut out, value, lines.end);
                    for (other, node) in root.entries() {
                        if other.id != key.id && matches!(other.text(), Some("data" | "stringData")) {
                            self.shifted(&mut out, node, self.lines(other, node).end);
                        }
                    }
                }
                "data" | "stringData" | "type" | "immutable" | "status" => {}
                _ => out.push_str(&self.source[lines]),
            }
        }
        out.push_str(&self.source[at..]);
        out
    }

    /// The lines of an entry with their last line break.
    fn lines(&self, key: &Node, value: &Node) -> Range<usize> {
        let start = self.source[..key.span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = key.span.end.max(value.span.end);
        start..self.source[end..].find('\n').map_or(self.source.len(), |at| end + at + 1)
    }

    fn replace_value(&self, out: &mut String, lines: &Range<usize>, value: &Node, text: &str) {
        out.push_str(&self.source[lines.start..value.span.start]);
        out.push_str(text);
        out.push_str(&self.source[value.span.end..lines.end]);
    }

    /// Without what `kubectl create --dry-run` leaves there.
    fn metadata(&self, out: &mut String, lines: &Range<usize>, metadata: &Node) {
        let mut at = lines.start;
        let mut drop = |key: &Node, value: &Node| {
            let entry = self.lines(key, value);
            out.push_str(&self.source[at..entry.start]);
            at = entry.end;
        };
        for (key, value) in metadata.entries() {
            let dropped = |(key, _): &&(Node, Node)| key.text().is_some_and(|k| DROPPED_ANNOTATIONS.contains(&k));
            match key.text() {
                Some("creationTimestamp") if !metadata.is_flow() => drop(key, value),
                Some("annotations") if value.entries().iter().any(|entry| dropped(&entry)) => {
                    if value.entries().iter().all(|entry| dropped(&entry)) {
                        drop(key, value);
                    } else {
                        value.entries().iter().filter(dropped).for_each(|(key, value)| drop(key, value));
                    }
                }
                _ => {}
            }
        }
        out.push_str(&self.source[at..lines.end]);
    }

    /// The lines of a mapping's entries, two columns further in.
    fn shifted(&self, out: &mut String, mapping: &Node, end: usize) {
        let Some((first, _)) = mapping.entries().first() else { return };
        let start = self.source[..first.span.start].rfind('\n').map_or(0, |at| at + 1);
        for line in self.source[start..end].split_inclusive('\n') {
            if !line.trim().is_empty() {
                out.push_str("  ");
            }
            out.push_str(line);
        }
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }
}

/// Whether a converted source is an `EncryptedSecret` with exactly these items.
fn holds(converted: &str, secret: &Secret) -> bool {
    let Ok(file) = File::parse(converted, Syntax::Yaml) else { return false };
    let ours = Layout::read(&file, 0).is_ok_and(|layout| layout.in_spec());
    ours && file.documents.first().is_some_and(|document| holds_items(&document.root, &secret.items))
}

/// Whether the items of an `EncryptedSecret` in the clear are exactly these.
pub(crate) fn holds_items(root: &Node, items: &BTreeMap<String, SecretBytes>) -> bool {
    let Some(data) = root.get("spec").and_then(|spec| spec.get("data")) else { return false };
    let same = |(key, node): &(Node, Node)| {
        let found = node.scalar().and_then(|scalar| resolve(node, scalar).ok());
        key.text().and_then(|item| items.get(item)).zip(found).is_some_and(|(item, found)| found.value == *item)
    };
    data.entries().len() == items.len() && data.entries().iter().all(same)
}

fn pairs(root: &Node, field: &str) -> Vec<(String, String)> {
    let entries = root.get("metadata").and_then(|metadata| metadata.get(field)).map(Node::entries).unwrap_or_default();
    let pairs = entries.iter().filter_map(|(key, value)| Some((key.text()?.to_owned(), value.text()?.to_owned())));
    pairs.collect()
}

fn decode(text: &str) -> Option<SecretBytes> {
    base64::decode_spaced(text).map(SecretBytes::from)
}

/// How a value is typed in an `EncryptedSecret`.
pub(crate) fn type_of(value: &SecretBytes) -> ValueType {
    if value.expose_str().is_some() { ValueType::String } else { ValueType::Binary }
}

fn block(column: usize) -> sealwax_format::document::present::Target {
    let around = Around { flow: false, column };
    sealwax_format::document::present::Target { syntax: Syntax::Yaml, around, line_break: "\n" }
}

/// An entry of a mapping in block style, this far from the left.
pub(crate) fn entry(column: usize, item: &str, value: &SecretBytes) -> Zeroizing<String> {
    let written = canonical(type_of(value), value.expose(), block(column)).unwrap_or_default();
    let body = written.body.as_ref().map(|body| format!("\n{body}")).unwrap_or_default();
    Zeroizing::new(format!("{:column$}{}: {}{body}\n", "", scalar(item), written.head))
}

/// A text on one line.
pub(crate) fn scalar(text: &str) -> String {
    let target = sealwax_format::document::present::Target { around: Around { flow: true, column: 0 }, ..block(0) };
    canonical(ValueType::String, text.as_bytes(), target).map(|written| written.head.clone()).unwrap_or_default()
}
