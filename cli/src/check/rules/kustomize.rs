//! What Kustomize makes Secrets of: literals of generators, and patches that set items of Secrets.

use sealwax_format::document::{File, Node, Syntax};
use sealwax_format::native::Token;
use sealwax_format::{Path, Step};

use super::secrets::Scene;
use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::value::{Nature, nature, nature_of_base64};
use crate::check::view::View;

/// Looks at a mapping that may be a kustomization, a generator, or an entry of `patches`.
pub(super) fn check<'d>(scene: &Scene<'_, 'd>, node: &'d Node, path: &Path, findings: &mut Vec<Finding>) {
    let view = scene.view;
    if let Some(generators) = view.get(node, "secretGenerator") {
        for (index, generator) in view.items(generators).iter().enumerate() {
            let path = path.child(Step::Key("secretGenerator".to_owned())).child(Step::Item(index));
            literals(scene, view.follow(generator), &path, findings);
        }
    }
    if view.is(node, "kind", "SecretGenerator") {
        literals(scene, node, path, findings);
    }
    let target = view.get(node, "target");
    if target.is_some_and(|target| view.is(target, "kind", "Secret"))
        && let Some(patch) = view.get(node, "patch")
        && let Some(text) = view.text(patch)
        && sets_items(&text)
    {
        let path = path.child(Step::Key("patch".to_owned()));
        findings.push(scene.find(Id::WAX101, patch, &path, "a patch sets an item of a Secret, in the clear"));
    }
}

fn literals<'d>(scene: &Scene<'_, 'd>, generator: &'d Node, path: &Path, findings: &mut Vec<Finding>) {
    let view = scene.view;
    let path = path.child(Step::Key("literals".to_owned()));
    let literals = view.get(generator, "literals").map(|literals| view.items(literals)).unwrap_or_default();
    for (index, literal) in literals.iter().enumerate() {
        let text = view.text(literal).unwrap_or_default();
        let value = text.split_once('=').map_or("", |(_, value)| value).trim_matches(['"', '\'']);
        if nature(value) != Nature::Harmless {
            let path = path.child(Step::Item(index));
            findings.push(scene.find(Id::WAX104, literal, &path, "the literal stands in the clear"));
        }
    }
}

/// Whether a patch in the form of RFC 6902 sets an item to a value in the clear.
fn sets_items(patch: &str) -> bool {
    let Ok(file) = File::parse(patch, Syntax::Yaml) else { return false };
    file.documents.iter().any(|document| {
        let view = View::new(document);
        view.items(view.root).iter().any(|operation| {
            let Some(value) = view.get(operation, "value") else { return false };
            let at = view.get(operation, "path").and_then(|at| view.text(at)).unwrap_or_default();
            let judge = match at.split('/').nth(1) {
                Some("stringData") => nature,
                Some("data") => nature_of_base64,
                _ => return false,
            };
            let entries = view.entries(value);
            let texts = entries.iter().map(|(_, value)| *value).chain([value]).filter_map(|value| view.text(value));
            texts.into_iter().any(|text| !Token::is_claimed_by(&text) && judge(&text) == Nature::Clear)
        })
    })
}
