//! Kubernetes Secrets in the clear, wherever they stand in a file; and EncryptedSecrets whose values are not encrypted.

use sealwax_format::document::{File, Kind, Node, Syntax};
use sealwax_format::native::Token;
use sealwax_format::{Path, Step};

use super::settings::{has_settings, is_setting};
use super::{kustomize, sops, template};
use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::sheet::Sheet;
use crate::check::value::{Nature, nature, nature_of_base64};
use crate::check::view::View;

/// How deep manifests in texts of manifests are looked into.
const MAX_NESTING: usize = 3;

/// What is said of a document whose merge keys multiply.
const TOO_MUCH: &str = "its merge keys lead to too many values to be followed";

/// Where a document stands: in its file, or in a text of another one.
pub(super) struct Scene<'a, 'd> {
    sheet: &'a Sheet<'a>,
    file: &'a File<'a>,
    pub(super) view: &'a View<'d>,
    /// The line of the text, for documents inside of one.
    line: Option<usize>,
    /// What keys start with.
    prefix: String,
    depth: usize,
}

impl<'d> Scene<'_, 'd> {
    pub(super) fn find(&self, id: Id, node: &Node, path: &Path, message: impl Into<String>) -> Finding {
        let line = self.line.unwrap_or_else(|| self.file.line(node.span.start));
        Finding::new(id, self.sheet.path, message).line(line).key(format!("{}{path}", self.prefix))
    }

    fn walk(&self, node: &'d Node, path: &Path, findings: &mut Vec<Finding>) {
        match &node.kind {
            Kind::Mapping { entries, .. } => {
                self.mapping(node, path, findings);
                for (key, value) in entries {
                    self.walk(value, &path.child(Step::Key(key.text().unwrap_or("?").to_owned())), findings);
                }
            }
            Kind::Sequence { items, .. } => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(item, &path.child(Step::Item(index)), findings);
                }
            }
            Kind::Scalar(scalar) => self.embedded(node, &scalar.value, path, findings),
            Kind::Alias(_) => {}
        }
    }

    /// A mapping that is a Secret, an EncryptedSecret or a kustomization, wherever it stands.
    fn mapping(&self, node: &'d Node, path: &Path, findings: &mut Vec<Finding>) {
        let view = self.view;
        let version = view.get(node, "apiVersion").and_then(|version| view.text(version));
        // A Secret without a version is one that something completes.
        let core = version.as_ref().is_none_or(|version| !version.contains('/'));
        if core && view.is(node, "kind", "Secret") {
            self.secret(node, path, findings);
        }
        // What a list of one kind holds need not state it.
        if core
            && view.is(node, "kind", "SecretList")
            && let Some(items) = view.get(node, "items")
        {
            let path = path.child(Step::Key("items".to_owned()));
            let items = view.items(items).iter().map(|item| view.follow(item)).enumerate();
            for (index, item) in items.filter(|(_, item)| view.get(item, "kind").is_none()) {
                self.secret(item, &path.child(Step::Item(index)), findings);
            }
        }
        let ours = version.as_ref().is_some_and(|version| version.starts_with("sealwax.dev/"));
        if ours && view.is(node, "kind", "EncryptedSecret") {
            let spec = path.child(Step::Key("spec".to_owned())).child(Step::Key("data".to_owned()));
            if let Some(node) = view.get(node, "spec") {
                self.items(node, "data", &spec, findings);
            }
        }
        kustomize::check(self, node, path, findings);
    }

    fn secret(&self, node: &'d Node, path: &Path, findings: &mut Vec<Finding>) {
        for field in ["data", "stringData"] {
            self.items(node, field, &path.child(Step::Key(field.to_owned())), findings);
        }
    }

    fn items(&self, node: &'d Node, field: &str, path: &Path, findings: &mut Vec<Finding>) {
        let Some(items) = self.view.get(node, field) else { return };
        if !matches!(items.kind, Kind::Mapping { .. }) {
            // No Secret that a cluster takes, and readable all the same.
            let text = self.file.source.get(items.span.clone()).unwrap_or_default();
            let text = self.view.text(items).unwrap_or_else(|| text.to_owned().into());
            if nature(&text) == Nature::Clear && !self.is_encrypted(&text) {
                findings.push(self.find(Id::WAX101, items, path, "the items of a Secret stand in the clear"));
            }
        }
        let has_settings = has_settings(self.view, node);
        for (item, value) in self.view.entries(items) {
            let target = self.view.follow(value);
            let text = self.view.text(target);
            if has_settings && text.as_ref().is_some_and(|text| is_setting(&item, text)) {
                continue;
            }
            let path = path.child(Step::Key(item));
            let nature = match text {
                Some(text) if self.is_encrypted(&text) => continue,
                Some(text) if field == "data" && path.0.len() >= 2 && !is_spec(&path) => nature_of_base64(&text),
                Some(text) => nature(&text),
                // An expression without quotes reads as a mapping in a mapping.
                None => nature(self.file.source.get(target.span.clone()).unwrap_or_default()),
            };
            findings.extend(match nature {
                Nature::Harmless => None,
                Nature::Placeholder => {
                    Some(self.find(Id::WAX105, value, &path, "the item of a Secret looks like a placeholder"))
                }
                Nature::Clear => Some(self.find(Id::WAX101, value, &path, "the item of a Secret stands in the clear")),
            });
        }
    }

    /// Whether a text is encrypted: a token, or a SOPS value in a file that has the metadata.
    fn is_encrypted(&self, text: &str) -> bool {
        Token::parse(text).is_ok() || (self.sheet.sops.is_some() && sops::is_value(text))
    }

    /// A text that is itself a manifest: of a ConfigMap, a patch, or `kubectl`'s annotation of what it applied last.
    fn embedded(&self, node: &'d Node, text: &str, path: &Path, findings: &mut Vec<Finding>) {
        let is_document = text.contains('\n') || text.trim_start().starts_with(['{', '[']);
        // An escape can hide every other word.
        let may = is_document && (text.contains("Secret") || text.contains('\\'));
        if !may || self.depth == MAX_NESTING {
            return;
        }
        let line = self.line.unwrap_or_else(|| self.file.line(node.span.start));
        let prefix = format!("{}{path}: ", self.prefix);
        let Ok(file) = File::parse(text, Syntax::Yaml) else {
            let mut inside = Vec::new();
            template::check(self.sheet.path, text, &mut inside);
            findings.extend(inside.into_iter().map(|finding| {
                let key = format!("{prefix}{}", finding.key.as_deref().unwrap_or_default());
                finding.line(line).key(key)
            }));
            return;
        };
        for document in &file.documents {
            // A text of one line is a text to YAML as well.
            if document.root.scalar().is_some() {
                continue;
            }
            let view = View::new(document);
            let (sheet, prefix) = (self.sheet, prefix.clone());
            let scene = Scene { sheet, file: &file, view: &view, line: Some(line), prefix, depth: self.depth + 1 };
            scene.walk(view.root, &Path::default(), findings);
            if view.is_exhausted() {
                findings.push(self.find(Id::WAX904, node, path, TOO_MUCH));
            }
        }
    }
}

/// Whether a path is that of an item of an EncryptedSecret, which is text and no base64.
fn is_spec(path: &Path) -> bool {
    let mut keys = path.0.iter().rev().skip(2);
    matches!(keys.next(), Some(Step::Key(key)) if key == "spec")
}

/// Looks at a document.
pub(super) fn check(sheet: &Sheet<'_>, index: usize, view: &View<'_>, findings: &mut Vec<Finding>) {
    if sheet.context.is_some() {
        let prefix = sheet.prefix(index, view);
        let scene = Scene { sheet, file: sheet.file, view, line: None, prefix, depth: 0 };
        scene.walk(view.root, &Path::default(), findings);
    }
    if view.is_exhausted() {
        findings.push(Finding::new(Id::WAX904, sheet.path, TOO_MUCH).line(sheet.line(view.root)));
    }
}
