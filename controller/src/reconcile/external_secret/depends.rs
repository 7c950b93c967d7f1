//! What an object depends on: whatever is named here wakes it when it changes.

use std::collections::BTreeSet;

use sealwax_crds::{ExternalSecret, LastGood, StoreKind, StoreRef};
use sealwax_render::external::{template_sources, wanted};

use super::fetch::{Failure, template_reference};
use super::{Sources, user};
use crate::feeding::Feeds;
use crate::stores::{Reference, ReferenceKind};

/// The Secret that holds an object's copy.
pub(super) fn copy_of(object: &ExternalSecret, copy: &LastGood) -> Reference {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    Reference { kind: ReferenceKind::Secret, namespace, name: copy.name.clone() }
}

/// What an object is read through, as it is now: its versions, whether that is another controller's, and why it cannot be
/// told. Whoever is named, there or not, wakes the object when it changes.
pub(super) fn depends(object: &ExternalSecret, sources: &Sources) -> (String, bool, Option<Failure>) {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let (mut references, mut foreign, mut failure) = (BTreeSet::new(), false, None);
    let stores: BTreeSet<_> = match wanted(&object.spec) {
        Ok(steps) => steps.iter().map(|step| (step.store.kind.unwrap_or_default(), &step.store.name)).collect(),
        Err(problem) => {
            failure = Some(Failure::of_all("SpecInvalid", problem.to_string()));
            BTreeSet::new()
        }
    };
    for (kind, name) in stores {
        let local = kind == StoreKind::SecretStore;
        let home = if local { namespace.to_owned() } else { String::new() };
        references.insert(Reference { kind: kind.into(), namespace: home, name: name.clone() });
        let named = StoreRef { name: name.clone(), kind: Some(kind) };
        let found = sources.stores.find(&named, namespace, &sources.local);
        match found.map(|store| store.map(|store| sources.stores.depends(&store, namespace))) {
            Ok(Some(Ok(more))) => references.extend(more),
            Ok(None) => foreign = true,
            Ok(Some(Err(error))) | Err(error) => {
                let found = Failure::of_all(error.reason(), error.to_string());
                failure = Some(Failure { is_final: error.is_final(), is_refused: error.refuses(), ..found });
            }
        }
    }
    let template = object.spec.target.as_ref().and_then(|target| target.template.as_ref());
    references.extend(template_sources(template).into_iter().map(|source| template_reference(source, namespace)));
    // What wakes the object, and is no reason to read anew: what it joins, which somebody else makes, and its own copy.
    let mut wakes: Vec<_> = references.iter().cloned().collect();
    if object.joins_only() {
        let name = object.target_name().to_owned();
        wakes.push(Reference { kind: ReferenceKind::Secret, namespace: namespace.to_owned(), name });
    }
    wakes.extend(object.status.as_ref().and_then(|status| status.last_good.as_ref()).map(|copy| copy_of(object, copy)));
    sources.stores.references.set(&user(object), wakes);
    // Afterwards: a change in between wakes the object.
    (sources.stores.versions(references.iter()), foreign, failure)
}
