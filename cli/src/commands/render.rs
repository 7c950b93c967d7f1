//! `sealwax render`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sealwax_format::native::Layout;
use sealwax_format::{Problem, SecretBytes, base64};
use sealwax_render::{OpenError, SealedObject, content, open};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::{Code, CommandError, chain};
use crate::files::Input;
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
use crate::paths::DocumentArgs;
use crate::ui::Ui;

/// Print the Secret that the controller would make of an EncryptedSecret: recovery without a cluster
///
/// Example: sealwax render db.yaml --identity backup.txt | kubectl apply -f -
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; - for standard input
    file: PathBuf,
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

/// The parts of an `EncryptedSecret` that shape its Secret.
#[derive(Deserialize)]
struct Manifest {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    data: BTreeMap<String, String>,
    sealed_for: SealedFor,
    key: Option<String>,
    #[serde(default)]
    readers: BTreeMap<String, String>,
    #[serde(default)]
    target: Target,
}

#[derive(Deserialize)]
struct SealedFor {
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
struct Target {
    name: Option<String>,
    #[serde(default)]
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Template {
    r#type: Option<String>,
    immutable: Option<bool>,
    #[serde(default)]
    data: BTreeMap<String, String>,
    merge_policy: Option<String>,
    #[serde(default)]
    metadata: TemplateMetadata,
}

#[derive(Default, Deserialize)]
struct TemplateMetadata {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let input = Input::read(&args.file)?;
    let shown = input.shown.as_str();
    let text = input.text()?;
    let file = crate::files::parse(shown, text, input.syntax())?;
    let layout = args.document.choose(shown, &file)?;
    if !layout.in_spec() {
        return Err(CommandError::refused(format!("{shown}: is no EncryptedSecret")));
    }
    let manifest = read(shown, text, &layout)?;
    let identities = Identities::new(&args.identities);
    let keyring = crate::open::keyring(shown, input.path.as_deref(), &file, &Policies::default(), &identities)?;
    let spec = &manifest.spec;
    let object = SealedObject {
        namespace: &manifest.metadata.namespace,
        name: &manifest.metadata.name,
        sealed_for: (&spec.sealed_for.namespace, &spec.sealed_for.name),
        key: spec.key.as_deref(),
        readers: &spec.readers,
        data: &spec.data,
    };
    let items = open(&object, &keyring).map_err(|error| match error {
        // The controller's words speak of the cluster's keys; here it is the person's that are missing.
        OpenError::NoIdentity { readers } => {
            CommandError::in_file(shown, &sealwax_format::Error::of_file(Problem::NoIdentity { readers }))
        }
        error => CommandError::refused(format!("{shown}: {}", chain(&error))),
    })?;
    let template = &spec.target.template;
    let items = content(items, &template.data, template.merge_policy.as_deref() == Some("Merge"))
        .map_err(|error| CommandError::refused(format!("{shown}: {error}")))?;
    ui.data(secret(&manifest, &items).as_bytes())?;
    Ok(Code::Done)
}

fn read(shown: &str, text: &str, layout: &Layout<'_>) -> Result<Manifest, CommandError> {
    // Errors of the parser may quote the file, so they are dropped: `inspect` says more without doing that.
    let documents = serde_yaml::Deserializer::from_str(text);
    let document = documents.into_iter().nth(layout.index).map(Manifest::deserialize);
    match document {
        Some(Ok(manifest)) => Ok(manifest),
        _ => Err(CommandError::unreadable(format!("{shown}: is not a complete EncryptedSecret")).hint(
            "It needs metadata.namespace, metadata.name and spec.sealedFor; `sealwax inspect` shows what it has.",
        )),
    }
}

/// The Secret as YAML: every text in JSON's quotes, which no reader of YAML mistakes for anything else.
fn secret(manifest: &Manifest, items: &BTreeMap<String, SecretBytes>) -> Zeroizing<String> {
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let template = &manifest.spec.target.template;
    let name = manifest.spec.target.name.as_ref().unwrap_or(&manifest.metadata.name);
    let mut yaml = Zeroizing::new(String::new());
    yaml.push_str("apiVersion: v1\nkind: Secret\nmetadata:\n");
    yaml.push_str(&format!("  namespace: {}\n  name: {}\n", quote(&manifest.metadata.namespace), quote(name)));
    for (field, entries) in [("labels", &template.metadata.labels), ("annotations", &template.metadata.annotations)] {
        if !entries.is_empty() {
            yaml.push_str(&format!("  {field}:\n"));
            for (k, v) in entries {
                yaml.push_str(&format!("    {}: {}\n", quote(k), quote(v)));
            }
        }
    }
    if let Some(immutable) = template.immutable {
        yaml.push_str(&format!("immutable: {immutable}\n"));
    }
    yaml.push_str(&format!("type: {}\ndata:\n", quote(template.r#type.as_deref().unwrap_or("Opaque"))));
    for (item, value) in items {
        let encoded = Zeroizing::new(base64::encode(value.expose()));
        yaml.push_str(&format!("  {}: \"{}\"\n", quote(item), *encoded));
    }
    yaml
}
