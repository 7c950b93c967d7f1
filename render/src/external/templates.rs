//! Templates of an `ExternalSecret`: those in its spec, and those that stand in a `ConfigMap` or a `Secret`.

use std::collections::BTreeMap;

use sealwax_crds::{ExternalTemplate, MergePolicy, TemplateAs, TemplateFrom, TemplateItem, TemplateTarget};
use sealwax_format::SecretBytes;
use serde_yaml::Value as Yaml;
use zeroize::Zeroizing;

use super::convert::is_name;
use super::{json, property};
use crate::problem::{TemplateError, TemplateProblem};
use crate::template::Maker;

type Made = BTreeMap<String, SecretBytes>;

/// The kind of object that holds templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// An object that holds templates, of the namespace of the `ExternalSecret`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateSource<'a> {
    /// Its kind.
    pub origin: Origin,
    /// Its name.
    pub name: &'a str,
}

/// Why the templates make no items.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentError {
    /// One of the spec.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// One that stands elsewhere, or that makes several items.
    #[error("spec.target.template.templateFrom[{index}]{}: {problem}", within(.key.as_deref()))]
    From {
        /// Its place in the list.
        index: usize,
        /// The item of the object that holds it.
        key: Option<String>,
        /// What is wrong.
        problem: FromProblem,
    },
}

/// What can be wrong with templates that stand elsewhere.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromProblem {
    /// Not one source.
    #[error("it has exactly one of configMap, secret and literal")]
    NotOneSource,
    /// Labels and annotations.
    #[error("it makes labels or annotations, which are literal here: write them in template.metadata")]
    NoItems,
    /// The object is not there.
    #[error("the object is not there")]
    NoObject,
    /// The item is not there.
    #[error("the object has no such item")]
    NoItem,
    /// The item is not text.
    #[error("the item is not text")]
    NotText,
    /// The template does not work.
    #[error("{0}")]
    Template(TemplateProblem),
    /// What it makes is no mapping.
    #[error("what it makes is not a YAML mapping of items to values")]
    NotAMapping,
    /// What it makes has a name that no item has.
    #[error("it makes an item whose name is not 1 to 253 characters of a-z, A-Z, 0-9, '-', '_' and '.'")]
    Name,
}

fn within(key: Option<&str>) -> String {
    key.map(|key| format!(", item {key:?}")).unwrap_or_default()
}

/// The objects that hold templates, each once.
pub fn template_sources(template: Option<&ExternalTemplate>) -> Vec<TemplateSource<'_>> {
    let from = template.into_iter().flat_map(|template| &template.template_from);
    let mut sources: Vec<TemplateSource<'_>> = from
        .flat_map(|from| [(Origin::ConfigMap, from.config_map.as_ref()), (Origin::Secret, from.secret.as_ref())])
        .filter_map(|(origin, reference)| Some(TemplateSource { origin, name: &reference?.name }))
        .collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// What the Secret holds: the items that were read if there are no templates; else what those make, and what was read too
/// if both are merged. `template.data` replaces what `templateFrom` makes, and that what was read.
pub fn content_from<'s>(
    items: BTreeMap<String, SecretBytes>,
    template: Option<&ExternalTemplate>,
    object: impl Fn(TemplateSource<'_>) -> Option<&'s BTreeMap<String, SecretBytes>>,
) -> Result<BTreeMap<String, SecretBytes>, ContentError> {
    let Some(template) = template else { return Ok(items) };
    if template.data.is_empty() && template.template_from.is_empty() {
        return Ok(items);
    }
    let mut maker = Maker::new(&items);
    let mut made = Made::new();
    for (index, from) in template.template_from.iter().enumerate() {
        let failed = |(key, problem)| ContentError::From { index, key, problem };
        made.extend(made_from(&mut maker, from, &object).map_err(failed)?);
    }
    for (item, source) in &template.data {
        let output = maker.make(source).map_err(|problem| TemplateError { item: item.clone(), problem })?;
        made.insert(item.clone(), SecretBytes::from(output));
    }
    if template.merge_policy != Some(MergePolicy::Merge) {
        return Ok(made);
    }
    let mut content = items;
    content.extend(made);
    Ok(content)
}

/// What is wrong, and in which item of the object.
type Failure = (Option<String>, FromProblem);

fn made_from<'s>(
    maker: &mut Maker<'_>,
    from: &TemplateFrom,
    object: impl Fn(TemplateSource<'_>) -> Option<&'s BTreeMap<String, SecretBytes>>,
) -> Result<Made, Failure> {
    if from.target.unwrap_or_default() != TemplateTarget::Data {
        return Err((None, FromProblem::NoItems));
    }
    let (origin, reference) = match (&from.config_map, &from.secret, &from.literal) {
        (None, None, Some(literal)) => return mapping(maker, literal).map_err(|problem| (None, problem)),
        (Some(reference), None, None) => (Origin::ConfigMap, reference),
        (None, Some(reference), None) => (Origin::Secret, reference),
        _ => return Err((None, FromProblem::NotOneSource)),
    };
    let held = object(TemplateSource { origin, name: &reference.name }).ok_or((None, FromProblem::NoObject))?;
    let mut made = Made::new();
    for item in &reference.items {
        let items = made_of(maker, item, held).map_err(|problem| (Some(item.key.clone()), unread(problem, origin)))?;
        made.extend(items);
    }
    Ok(made)
}

fn made_of(
    maker: &mut Maker<'_>,
    item: &TemplateItem,
    held: &BTreeMap<String, SecretBytes>,
) -> Result<Made, FromProblem> {
    let source = held.get(&item.key).ok_or(FromProblem::NoItem)?.expose_str().ok_or(FromProblem::NotText)?;
    match item.template_as.unwrap_or_default() {
        TemplateAs::Values => {
            let output = maker.make(source).map_err(FromProblem::Template)?;
            Ok([(item.key.clone(), SecretBytes::from(output))].into())
        }
        TemplateAs::KeysAndValues => mapping(maker, source),
    }
}

/// A template in a Secret is a secret: nothing of its text is repeated.
fn unread(problem: FromProblem, origin: Origin) -> FromProblem {
    match (problem, origin) {
        (FromProblem::Template(TemplateProblem::UnknownFunction(_)), Origin::Secret) => {
            FromProblem::Template(TemplateProblem::UnknownFunction("by that name".to_owned()))
        }
        (problem, _) => problem,
    }
}

/// The items of the mapping that the template makes.
fn mapping(maker: &mut Maker<'_>, source: &str) -> Result<Made, FromProblem> {
    let output = maker.make(source).map_err(FromProblem::Template)?;
    let text = std::str::from_utf8(&output).map_err(|_| FromProblem::NotText)?;
    if text.trim().is_empty() {
        return Ok(Made::new());
    }
    // What the reader says quotes the text, and is dropped.
    let Ok(Yaml::Mapping(mapping)) = serde_yaml::from_str(text) else { return Err(FromProblem::NotAMapping) };
    let item = |(name, value): (Yaml, Yaml)| {
        let name = name.as_str().filter(|name| is_name(name)).ok_or(FromProblem::Name)?.to_owned();
        Ok((name, value_of(value).ok_or(FromProblem::NotAMapping)?))
    };
    mapping.into_iter().map(item).collect()
}

/// A text as it is, nothing as nothing, a number or truth value as JSON has it, and what holds others as JSON.
fn value_of(value: Yaml) -> Option<SecretBytes> {
    match value {
        Yaml::String(text) => Some(SecretBytes::from(text)),
        Yaml::Null => Some(SecretBytes::default()),
        Yaml::Bool(truth) => Some(SecretBytes::from(truth.to_string())),
        Yaml::Number(number) => Some(SecretBytes::from(property::number(&number.to_string()))),
        other => {
            let text = Zeroizing::new(serde_json::to_string(&other).ok()?);
            let mut written = json::as_go_writes(&text).ok()?;
            Some(SecretBytes::from(std::mem::take(&mut *written)))
        }
    }
}
