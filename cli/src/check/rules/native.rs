//! Our own format without a key: tokens, key blocks and places. Hands over to the rules of the policy.

use sealwax_format::document::Node;
use sealwax_format::native::{KeyBlockError, Layout, Object, Token};
use sealwax_format::{Error, Problem};

use super::{policy, readers, sops};
use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::sheet::Sheet;
use crate::check::view::View;
use crate::error::chain;

/// Looks at a document.
pub(super) fn check(
    sheet: &Sheet<'_>,
    index: usize,
    view: &View<'_>,
    selected: &mut Vec<usize>,
    findings: &mut Vec<Finding>,
) {
    let prefix = sheet.prefix(index, view);
    let layout = match Layout::read(sheet.file, index) {
        Ok(layout) => layout,
        Err(error) => {
            findings.push(malformed(sheet, &prefix, &error));
            return;
        }
    };
    let kind = layout.object.as_ref().map(|object| object.kind.as_str());
    let governing = sheet.context.and_then(|context| {
        let position = context.policy.as_ref()?.governing(sheet.path, kind)?;
        Some((position, context.rules.get(position)?))
    });
    if let Some((position, rule)) = governing {
        let count = policy::values(sheet, &layout, rule, &prefix, findings);
        if count > 0 {
            selected.push(position);
        }
    }
    let rule = governing.map(|(_, rule)| rule);
    let tokens = tokens(sheet, &layout, &prefix, findings);
    if tokens.is_empty() && layout.block.is_none() {
        return;
    }
    place(sheet, &layout, &prefix, findings);
    if let Some(rule) = rule {
        policy::place(sheet, &layout, rule, &prefix, findings);
    }
    if sheet.context.is_some() {
        readers::check(sheet, &layout, &tokens, rule, &prefix, findings);
    }
    let own = layout.own_tokens();
    if own.want_fold() && sheet.context.is_some() {
        let message = format!("{} values carry a data key of their own", own.count);
        let finding = Finding::new(Id::WAX210, sheet.path, message).line(block_line(sheet, &layout));
        findings.push(finding.key(format!("{prefix}sealwax")));
    }
}

/// A token, and where it stands.
pub(super) struct Found {
    pub(super) token: Token,
    pub(super) path: String,
    pub(super) line: usize,
}

/// The tokens of a document; those that are none are findings.
fn tokens(sheet: &Sheet<'_>, layout: &Layout<'_>, prefix: &str, findings: &mut Vec<Finding>) -> Vec<Found> {
    let mut found = Vec::new();
    for leaf in &layout.leaves {
        let Some(text) = leaf.scalar.map(|scalar| scalar.value.as_str()).filter(|text| Token::is_claimed_by(text))
        else {
            continue;
        };
        // Other tools mark their values alike; without a key block beside them they are not ours to judge.
        let others = text.starts_with(sops::MARKER) || !text.starts_with("ENC[wax");
        if others && layout.block.is_none() {
            continue;
        }
        let path = leaf.path.to_string();
        match layout.token(sheet.file, leaf) {
            Ok(Some(token)) => found.push(Found { token, path, line: sheet.line(leaf.node) }),
            Ok(None) => {}
            Err(error) => findings.push(malformed(sheet, prefix, &error)),
        }
    }
    found
}

/// Whether the values will open in the object as the manifest states it.
fn place(sheet: &Sheet<'_>, layout: &Layout<'_>, prefix: &str, findings: &mut Vec<Finding>) {
    let about = |id, message: String| {
        let finding = Finding::new(id, sheet.path, message).line(block_line(sheet, layout));
        finding.key(format!("{prefix}sealedFor"))
    };
    match layout.stated_place() {
        Ok(Some(_)) => {}
        Ok(None) => findings.push(about(Id::WAX201, chain(&Problem::NoBlock))),
        Err(Problem::WrongPlace { sealed_for, .. }) => {
            let object = layout.object.as_ref().map_or("no Kubernetes object".to_owned(), Object::shown);
            findings.push(about(Id::WAX206, format!("the values are sealed for {sealed_for}, and this is {object}")));
        }
        Err(problem) => findings.push(about(Id::WAX201, chain(&problem))),
    }
}

/// What the format refuses, as a finding.
fn malformed(sheet: &Sheet<'_>, prefix: &str, error: &Error) -> Finding {
    let id = match &error.problem {
        Problem::MixedKeys | Problem::KeyBlock(KeyBlockError::MixedKeys) => Id::WAX202,
        _ => Id::WAX201,
    };
    let key = error.path.as_ref().map_or("sealwax".to_owned(), ToString::to_string);
    let finding = Finding::new(id, sheet.path, chain(&error.problem));
    finding.line(error.line.unwrap_or(1)).key(format!("{prefix}{key}"))
}

/// The line of the key block, or of the document.
pub(super) fn block_line(sheet: &Sheet<'_>, layout: &Layout<'_>) -> usize {
    let field = if layout.in_spec() { "sealedFor" } else { "sealwax" };
    let block = layout.host.and_then(|host| host.get(field));
    block.or(layout.host).map_or(1, |node: &Node| sheet.line(node))
}
