//! `ExternalSecret`s and stores, as manifests hold them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sealwax_crds::{ExternalSecretSpec, StoreKind, StoreRef, StoreSpec};
use sealwax_format::document::File;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{Wish, Wishes};
use crate::error::CommandError;
use crate::files::Input;

/// Annotations that tools and users put on an object for one controller or one moment.
const DROPPED_ANNOTATIONS: [&str; 4] =
    [crate::manifest::LAST_APPLIED, "argocd.argoproj.io/tracking-id", "external-secrets.io/force-sync", "force-sync"];
/// Fields that say when to read again, which nobody does here.
const TIMING: [&str; 1] = ["syncWindows"];

/// Stores by kind, namespace and name, each in the form in which it stands in its file: only those that are used have to
/// be understood.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    found: Vec<Store>,
}

#[derive(Debug)]
struct Store {
    kind: StoreKind,
    namespace: Option<String>,
    name: String,
    spec: Value,
}

/// Reads manifests; whatever is neither an `ExternalSecret` nor a store is passed over.
pub(crate) fn of_files(files: &[PathBuf]) -> Result<Wishes, CommandError> {
    let mut wishes = Wishes::default();
    for path in files {
        let input = Input::read(path)?;
        let (shown, text) = (input.shown.as_str(), input.text()?);
        // Finds what the other parser lets pass, such as a key that stands there twice.
        File::parse(text, input.syntax()).map_err(|error| CommandError::in_file(shown, &error.into()))?;
        for document in serde_yaml::Deserializer::from_str(text) {
            // The error of the parser may quote the file.
            let parsed = Value::deserialize(document);
            let parsed = parsed.map_err(|_| CommandError::unreadable(format!("{shown}: holds no manifests")))?;
            wishes.add(shown, parsed)?;
        }
    }
    if wishes.all.is_empty() {
        return Err(CommandError::usage("no ExternalSecret is in these files")
            .hint("Name the files that hold them and their stores, or say what to read with --from."));
    }
    Ok(wishes)
}

impl Wishes {
    fn add(&mut self, file: &str, mut document: Value) -> Result<(), CommandError> {
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, api) = (text("kind"), text("apiVersion"));
        if kind.ends_with("List")
            && let Some(Value::Array(items)) = document.get_mut("items").map(Value::take)
        {
            return items.into_iter().try_for_each(|item| self.add(file, item));
        }
        let Some((group @ ("sealwax.dev" | "external-secrets.io"), version)) = api.split_once('/') else {
            return Ok(());
        };
        let metadata = document.get("metadata").cloned().unwrap_or_default();
        let name = metadata.get("name").and_then(Value::as_str).map(str::to_owned);
        let namespace = metadata.get("namespace").and_then(Value::as_str).map(str::to_owned);
        let of = namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let shown = format!("{file}: {kind} {of}{}", name.as_deref().unwrap_or("without a name"));
        let store = match kind.as_str() {
            "ExternalSecret" => None,
            "SecretStore" => Some(StoreKind::SecretStore),
            "ClusterSecretStore" => Some(StoreKind::ClusterSecretStore),
            "EncryptedSecret" => return Ok(()),
            _ => {
                self.warnings.push(format!("{shown}: objects of this kind are not imported"));
                return Ok(());
            }
        };
        if !matches!((group, version), ("sealwax.dev", "v1alpha1") | ("external-secrets.io", "v1" | "v1beta1")) {
            return Err(CommandError::refused(format!("{shown}: {api} is not a version that is understood"))
                .hint("Those of external-secrets.io/v1, external-secrets.io/v1beta1 and sealwax.dev/v1alpha1 are."));
        }
        let spec = document.get_mut("spec").map(Value::take).unwrap_or_default();
        if let Some(kind) = store {
            let name = name.ok_or_else(|| CommandError::unreadable(shown.clone()))?;
            return self.stores.add(&shown, Store { kind, namespace, name, spec });
        }
        if self.all.iter().any(|wish| (&wish.namespace, &wish.name) == (&namespace, &name)) {
            return Err(CommandError::usage(format!("{shown}: stands there twice")));
        }
        let spec = external(&shown, spec)?;
        let mut annotations = texts(&metadata, "annotations");
        annotations.retain(|key, _| !DROPPED_ANNOTATIONS.contains(&key.as_str()));
        self.all.push(Wish {
            labels: texts(&metadata, "labels"),
            annotations,
            shown,
            is_manifest: true,
            namespace,
            name,
            spec,
        });
        Ok(())
    }
}

fn texts(metadata: &Value, field: &str) -> BTreeMap<String, String> {
    let entries = metadata.get(field).and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// What an `ExternalSecret` says. A field that is not known is refused: it may change which values are read.
fn external(shown: &str, mut spec: Value) -> Result<ExternalSecretSpec, CommandError> {
    for field in TIMING {
        spec.as_object_mut().and_then(|spec| spec.remove(field));
    }
    let parsed = ExternalSecretSpec::deserialize(&spec).map_err(|error| malformed(shown, &error))?;
    let known = serde_json::to_value(&parsed).unwrap_or_default();
    let mut unknown = Vec::new();
    collect_unknown("spec", &spec, &known, &mut unknown);
    if unknown.is_empty() {
        return Ok(parsed);
    }
    Err(CommandError::refused(format!("{shown}: {} cannot be imported", unknown.join(", ")))
        .hint("Take this out of the manifest, and put what it gives into the EncryptedSecret by hand."))
}

/// The paths of what was said and not understood.
fn collect_unknown(path: &str, said: &Value, known: &Value, unknown: &mut Vec<String>) {
    match (said, known) {
        (Value::Object(said), _) => {
            for (field, value) in said.iter().filter(|(_, value)| !is_empty(value)) {
                let below = format!("{path}.{field}");
                match known.get(field) {
                    Some(known) => collect_unknown(&below, value, known, unknown),
                    None => unknown.push(below),
                }
            }
        }
        (Value::Array(said), Value::Array(known)) => {
            for (index, (value, known)) in said.iter().zip(known).enumerate() {
                collect_unknown(&format!("{path}[{index}]"), value, known, unknown);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

impl Stores {
    /// A store that no file holds.
    pub(super) fn insert(&mut self, name: &str, provider: &Value) {
        let spec = json!({ "provider": provider });
        if self.found.iter().all(|store| store.name != name) {
            self.found.push(Store { kind: StoreKind::SecretStore, namespace: None, name: name.to_owned(), spec });
        }
    }

    fn add(&mut self, shown: &str, store: Store) -> Result<(), CommandError> {
        let same =
            |other: &Store| (other.kind, &other.namespace, &other.name) == (store.kind, &store.namespace, &store.name);
        if self.found.iter().any(same) {
            return Err(CommandError::usage(format!("{shown}: stands there twice")));
        }
        self.found.push(store);
        Ok(())
    }

    /// The store that an object of this namespace names, as a number for it and what it says.
    pub(super) fn find(
        &self,
        wish: &Wish,
        reference: &StoreRef,
    ) -> Result<(usize, Result<StoreSpec, CommandError>), CommandError> {
        let kind = reference.kind.unwrap_or_default();
        // A manifest without a namespace gets one when it is applied, and its neighbours the same.
        let near = |store: &Store| {
            kind == StoreKind::ClusterSecretStore
                || store.namespace.is_none()
                || wish.namespace.is_none()
                || store.namespace == wish.namespace
        };
        let fits = |store: &Store| store.kind == kind && store.name == reference.name && near(store);
        let mut fitting = self.found.iter().enumerate().filter(|(_, store)| fits(store));
        match (fitting.next(), fitting.next()) {
            (Some((index, store)), None) => Ok((index, store.understood())),
            (None, _) => Err(CommandError::usage(format!(
                "{}: its {kind:?} {} is not among the manifests",
                wish.shown, reference.name
            ))
            .hint("Name the file that holds it, too.")),
            (Some(_), Some(_)) => Err(CommandError::usage(format!(
                "{}: its {kind:?} {} may be any of several, of different namespaces",
                wish.shown, reference.name
            ))
            .hint("Write metadata.namespace into the manifests.")),
        }
    }
}

impl Store {
    /// What it says; who logs in, and how, is left out.
    fn understood(&self) -> Result<StoreSpec, CommandError> {
        let shown = format!("{:?} {}", self.kind, self.name);
        let mut spec = self.spec.clone();
        let providers = spec.get_mut("provider").and_then(Value::as_object_mut);
        let providers = providers.ok_or_else(|| CommandError::unreadable(format!("{shown}: has no spec.provider")))?;
        for (name, provider) in providers.iter_mut() {
            let Some(provider) = provider.as_object_mut() else { continue };
            provider.remove("auth");
            if matches!(name.as_str(), "vault" | "kubernetes") {
                provider.insert("auth".to_owned(), json!({}));
            }
            if name == "vault" {
                provider.entry("server").or_insert_with(|| json!(""));
            }
        }
        let named: Vec<_> = providers.keys().cloned().collect();
        let parsed = StoreSpec::deserialize(&spec).map_err(|error| malformed(&shown, &error))?;
        if parsed.provider.one().is_none() {
            let named = named.join(", ");
            return Err(CommandError::refused(format!("{shown}: cannot be read: its provider is {named}"))
                .hint("Stores of vault, aws and fake can be read, of one of them each."));
        }
        Ok(parsed)
    }
}

/// What is wrong, but for what the parser would quote: a store of the provider `fake` holds values.
fn malformed(shown: &str, error: &serde_json::Error) -> CommandError {
    let words = error.to_string();
    let safe = ["missing field", "unknown variant"].iter().any(|start| words.starts_with(start));
    let words = if safe { words } else { "a field has a type that it cannot have".to_owned() };
    CommandError::unreadable(format!("{shown}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_named() {
        let spec = json!({
            "secretStoreRef": {"name": "a"}, "data": [], "syncWindows": [1],
            "dataFrom": [{"extract": {"key": "x"}}, {"sourceRef": {"generatorRef": {"name": "g"}}}],
        });
        let error = external("x", spec).unwrap_err();
        assert_eq!(error.message(), "x: spec.dataFrom[1].sourceRef.generatorRef cannot be imported");
    }

    #[test]
    fn no_value_is_quoted() {
        let spec = json!({"provider": {"fake": {"data": [{"key": "a", "value": ["hunter2"]}, "hunter2"]}}});
        let store = Store { kind: StoreKind::SecretStore, namespace: None, name: "a".to_owned(), spec };
        assert!(!store.understood().unwrap_err().message().contains("hunter2"));
    }
}
