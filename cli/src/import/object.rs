//! The `EncryptedSecret` that an `ExternalSecret` becomes, in the clear.

use std::collections::BTreeMap;

use sealwax_crds::{
    CreationPolicy, ExternalSecretSpec, ExternalTemplate, FORBIDDEN_TYPES, MergePolicy, OnDelete, Target, Template,
};
use sealwax_format::SecretBytes;
use sealwax_format::document::File;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Wish;
use crate::error::CommandError;
use crate::manifest;

/// Everything of the object but its items.
pub(crate) struct Shape<'w> {
    wish: &'w Wish,
    head: Value,
    target: Target,
}

impl<'w> Shape<'w> {
    /// Of a wish, with namespace and name of the command line if they are there.
    pub(crate) fn new(wish: &'w Wish, namespace: Option<&str>, name: Option<&str>) -> Result<Self, CommandError> {
        let (namespace, name) = (namespace.or(wish.namespace.as_deref()), name.or(wish.name.as_deref()));
        let target = target(&wish.spec, name).map_err(|why| CommandError::refused(format!("{}: {why}", wish.shown)))?;
        let mut metadata = json!({ "namespace": namespace, "name": name });
        if !wish.labels.is_empty() {
            metadata["labels"] = json!(wish.labels);
        }
        if !wish.annotations.is_empty() {
            metadata["annotations"] = json!(wish.annotations);
        }
        let head = json!({ "metadata": metadata });
        Ok(Self { wish, head, target })
    }

    /// The manifest with these items.
    pub(crate) fn render(&self, items: &BTreeMap<String, SecretBytes>) -> Result<Zeroizing<String>, CommandError> {
        let mut yaml = Zeroizing::new("apiVersion: sealwax.dev/v1alpha1\nkind: EncryptedSecret\n".to_owned());
        fields(&mut yaml, 0, &self.head);
        yaml.push_str("spec:\n");
        let target = serde_json::to_value(&self.target);
        let target = target.map_err(|_| CommandError::refused(format!("{}: cannot be written", self.wish.shown)))?;
        let spec = &self.wish.spec;
        let rest = json!({ "class": spec.class, "suspend": spec.suspend, "target": target });
        fields(&mut yaml, 2, &rest);
        yaml.push_str("  data:\n");
        for (item, value) in items {
            yaml.push_str(&manifest::entry(4, item, value));
        }
        Ok(yaml)
    }

    /// What the Secret will be called, unless as the object.
    pub(crate) fn secret_name(&self) -> Option<&str> {
        self.target.name.as_deref()
    }

    /// What the Secret will hold, made of the items; a template that does not work is found out here.
    pub(crate) fn content(&self, items: &BTreeMap<String, SecretBytes>) -> Result<Vec<String>, CommandError> {
        let items = items.iter().map(|(item, value)| (item.clone(), value.duplicate())).collect();
        let template = self.target.template.as_ref();
        let made = match template {
            Some(template) => {
                let merged = template.merge_policy == Some(MergePolicy::Merge);
                sealwax_render::content(items, &template.data, merged)
            }
            None => Ok(items),
        };
        let made = made.map_err(|error| CommandError::refused(format!("{}: {error}", self.wish.shown)))?;
        Ok(made.into_keys().collect())
    }

    /// Whether the Secret is somebody else's, who has to agree.
    pub(crate) fn joins_another(&self) -> bool {
        let policy = self.wish.spec.target.as_ref().and_then(|target| target.creation_policy);
        matches!(policy, Some(CreationPolicy::Merge | CreationPolicy::CreateOrMerge))
    }
}

/// Whether the documents of a file hold exactly these items each: what is written is never guessed.
pub(crate) fn holds(file: &File<'_>, items: &[&BTreeMap<String, SecretBytes>]) -> bool {
    let documents = file.documents.iter().zip(items);
    file.documents.len() == items.len()
        && documents.into_iter().all(|(document, items)| manifest::holds_items(&document.root, items))
}

/// Fields in block style; what is null or empty is left out.
fn fields(yaml: &mut String, column: usize, value: &Value) {
    for (field, value) in value.as_object().into_iter().flatten() {
        let shown = manifest::scalar(field);
        match value {
            Value::Null => {}
            Value::Object(below) if below.values().all(Value::is_null) => {}
            Value::Object(_) => {
                yaml.push_str(&format!("{:column$}{shown}:\n", ""));
                fields(yaml, column + 2, value);
            }
            Value::String(text) => {
                yaml.push_str(&manifest::entry(column, field, &SecretBytes::from(text.clone())));
            }
            other => yaml.push_str(&format!("{:column$}{shown}: {other}\n", "")),
        }
    }
}

/// The Secret that is made, as an `EncryptedSecret` says it.
fn target(spec: &ExternalSecretSpec, object: Option<&str>) -> Result<Target, String> {
    let Some(external) = &spec.target else { return Ok(Target::default()) };
    let on_delete = match external.creation_policy.unwrap_or_default() {
        CreationPolicy::Owner => None,
        CreationPolicy::Orphan | CreationPolicy::Merge | CreationPolicy::CreateOrMerge => Some(OnDelete::Retain),
        CreationPolicy::None => return Err("spec.target.creationPolicy None makes no Secret to import".to_owned()),
    };
    let given = external.template.as_ref().map(template).transpose()?;
    let immutable = external.immutable.filter(|immutable| *immutable);
    let mut template = given.unwrap_or_default();
    template.immutable = immutable;
    Ok(Target {
        name: external.name.clone().filter(|name| Some(name.as_str()) != object),
        on_delete,
        recreate: external.recreate.filter(|recreate| *recreate),
        template: (template != Template::default()).then_some(template),
    })
}

fn template(external: &ExternalTemplate) -> Result<Template, String> {
    if !external.template_from.is_empty() {
        return Err(
            "spec.target.template.templateFrom is not imported; write these templates into template.data".to_owned()
        );
    }
    if let Some(type_) = external.type_.as_deref().filter(|type_| FORBIDDEN_TYPES.contains(type_)) {
        return Err(format!("spec.target.template.type is {type_}, which no EncryptedSecret may make"));
    }
    Ok(Template {
        type_: external.type_.clone(),
        immutable: None,
        metadata: external.metadata.clone(),
        data: external.data.clone(),
        // Without templates both mean the same.
        merge_policy: external.merge_policy.filter(|policy| *policy == MergePolicy::Merge && !external.data.is_empty()),
    })
}
