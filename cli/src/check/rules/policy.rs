//! What the policy's rule says of a document: which values are encrypted, and for which place.

use sealwax_format::document::resolve::resolve;
use sealwax_format::document::walk::{Leaf, hidden};
use sealwax_format::native::{Layout, Place, Scope, Token, is_selected, same_place};
use sealwax_format::{Problem, Step, ValueType};

use super::native::block_line;
use super::sops;
use crate::check::catalog::{Id, Severity};
use crate::check::finding::Finding;
use crate::check::sheet::Sheet;
use crate::error::chain;
use crate::policy::{self, Listed};

/// Values that the rule selects and that are not encrypted; how many it selects.
pub(super) fn values(
    sheet: &Sheet<'_>,
    layout: &Layout<'_>,
    rule: &Listed,
    prefix: &str,
    findings: &mut Vec<Finding>,
) -> usize {
    let is_metadata =
        |leaf: &Leaf<'_>| sheet.sops.is_some() && matches!(leaf.path.0.first(), Some(Step::Key(key)) if key == "sops");
    let mut selected = 0;
    for leaf in layout.leaves.iter().filter(|leaf| is_selected(layout, &rule.select, &leaf.path) && !is_metadata(leaf))
    {
        selected += 1;
        if is_clear(sheet, leaf) {
            let message = format!("the value stands in the clear; {} encrypts it", rule.shown);
            let finding = Finding::new(Id::WAX102, sheet.path, message).line(sheet.line(leaf.node));
            findings.push(finding.key(format!("{prefix}{}", leaf.path)));
        }
    }
    let Some(document) = sheet.file.documents.get(layout.index) else { return selected };
    let Some(hidden) = hidden(document) else {
        findings.push(Finding::new(Id::WAX904, sheet.path, "its aliases lead to too many values to be followed"));
        return selected;
    };
    for hidden in hidden.iter().filter(|hidden| is_selected(layout, &rule.select, &hidden.path)) {
        selected += 1;
        let message =
            format!("programs see a value here that stands elsewhere in the clear, and {} encrypts it", rule.shown);
        let finding = Finding::new(Id::WAX102, sheet.path, message).line(sheet.file.line(hidden.offset));
        findings.push(finding.key(format!("{prefix}{}", hidden.path)));
    }
    selected
}

fn is_clear(sheet: &Sheet<'_>, leaf: &Leaf<'_>) -> bool {
    // What is behind an alias is found where it is followed.
    let Some(scalar) = leaf.scalar else { return false };
    if sops::is_value(&scalar.value) {
        return sheet.sops.is_none();
    }
    // What only looks like a token is told by the rules of the format, if it is one of ours.
    if Token::is_claimed_by(&scalar.value) {
        return !scalar.value.starts_with("ENC[wax");
    }
    // A tag that gives a meaning of its own does not make a value unreadable.
    resolve(leaf.node, scalar).map_or(true, |resolved| resolved.value_type != ValueType::Null)
}

/// Whether the place of the key block is the one that the rule states.
pub(super) fn place(sheet: &Sheet<'_>, layout: &Layout<'_>, rule: &Listed, prefix: &str, findings: &mut Vec<Finding>) {
    let (Some(block), Some((wanted, stated))) = (&layout.block, wanted(layout, rule)) else { return };
    // What does not fit the object has been told.
    if layout.stated_place().is_err() {
        return;
    }
    if let Err(problem) = same_place(layout, block, &wanted) {
        let message = match &problem {
            Problem::OtherPlace { found, .. } if stated => {
                format!("sealed for {found}, and {} says {wanted}", rule.shown)
            }
            Problem::OtherPlace { found, .. } => format!("sealed for {found}, which is wider than the object itself"),
            _ => chain(&problem),
        };
        let severity = if stated { Severity::Error } else { Severity::Warning };
        let finding = Finding::new(Id::WAX207, sheet.path, message).severity(severity);
        findings.push(finding.line(block_line(sheet, layout)).key(format!("{prefix}sealedFor")));
    }
}

/// The place that rule and manifest give, and whether the rule states it; `None` where the manifest leaves it open.
fn wanted(layout: &Layout<'_>, rule: &Listed) -> Option<(Place, bool)> {
    let Some(object) = &layout.object else {
        return Some((Place::Context(rule.context.clone()?), true));
    };
    if let Some((namespace, name)) = rule.target.as_deref().and_then(policy::place_parts) {
        let (group, kind) = (object.group.clone(), object.kind.clone());
        return Some((Place::Object { group, kind, namespace: namespace.to_owned(), name: name.to_owned() }, true));
    }
    let place = object.place(rule.scope.unwrap_or(Scope::Strict), None, None).ok()?;
    Some((place, rule.scope.is_some()))
}
