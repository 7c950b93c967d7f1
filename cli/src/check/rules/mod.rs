//! The rules that look into one file. Each is a function from a parsed file to findings; none reads anything else.

pub(super) mod change;
pub(super) mod comments;
mod kustomize;
pub(super) mod leftovers;
pub(super) mod native;
pub(super) mod policy;
pub(super) mod readers;
pub(super) mod sealed_secret;
pub(super) mod secrets;
pub(super) mod settings;
pub(super) mod sops;
pub(super) mod sops_config;
pub(super) mod sops_lines;
pub(super) mod template;

use super::finding::Finding;
use super::sheet::Sheet;
use super::view::View;

/// Runs the rules over every document of a file; the rules of the policy that select something in it go into `selected`.
pub(super) fn run(sheet: &Sheet<'_>, selected: &mut Vec<usize>, findings: &mut Vec<Finding>) {
    for (index, document) in sheet.file.documents.iter().enumerate() {
        let view = View::new(document);
        secrets::check(sheet, index, &view, findings);
        sealed_secret::check(sheet, index, &view, findings);
        native::check(sheet, index, &view, selected, findings);
    }
    comments::check(sheet, findings);
    sops::check(sheet, findings);
}
