//! Who changed what in a Secret, read from its field managers. Pure; names of items and managers, never a value.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use crate::ownership::is_ours;

/// One item that is not as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The item.
    pub item: String,
    /// Whether it is gone; else it has another value.
    pub removed: bool,
    /// The field manager who did it, as far as the Secret says.
    pub by: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.removed { "removed" } else { "changed" };
        let by = self.by.as_deref().unwrap_or("somebody");
        write!(f, "{} {what} by {by}", self.item)
    }
}

/// What others did to the items that `ours` wants.
///
/// Who changes an item takes over its ownership. Who removes one leaves no trace on it: then the manager who wrote last
/// is named.
pub fn changes<'i>(entries: &[ManagedFieldsEntry], ours: &str, items: impl Iterator<Item = &'i String>) -> Vec<Change> {
    let manager = |entry: &ManagedFieldsEntry| entry.manager.clone().unwrap_or_default();
    let (own, mut others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| manager(entry) == ours);
    others.sort_by_key(|entry| std::cmp::Reverse(entry.time.as_ref().map(|time| time.0)));
    let change = |item: &String| {
        if let Some(entry) = others.iter().find(|entry| owns(entry, item)) {
            return Some(Change { item: item.clone(), removed: false, by: Some(manager(entry)) });
        }
        if own.iter().any(|entry| owns(entry, item)) {
            return None;
        }
        Some(Change { item: item.clone(), removed: true, by: others.first().map(|entry| manager(entry)) })
    };
    items.filter_map(change).collect()
}

/// The items that this manager owns and nobody else does.
pub fn own_items(entries: &[ManagedFieldsEntry], ours: &str) -> BTreeSet<String> {
    let items = |own: bool| -> BTreeSet<String> {
        let entries = entries.iter().filter(|entry| (entry.manager.as_deref() == Some(ours)) == own);
        entries.flat_map(items_of).collect()
    };
    &items(true) - &items(false)
}

/// Whether managers that are no objects of ours own items.
pub fn has_foreign_items(entries: &[ManagedFieldsEntry]) -> bool {
    entries.iter().filter(|entry| !entry.manager.as_deref().is_some_and(is_ours)).flat_map(items_of).next().is_some()
}

fn items_of(entry: &ManagedFieldsEntry) -> Vec<String> {
    let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:data")?.as_object());
    fields
        .into_iter()
        .flat_map(|data| data.keys())
        .filter_map(|key| key.strip_prefix("f:").map(str::to_owned))
        .collect()
}

fn owns(entry: &ManagedFieldsEntry, item: &str) -> bool {
    let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:data"));
    fields.is_some_and(|data| data.get(format!("f:{item}")).is_some())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, Time};
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, second: i64, items: &[&str]) -> ManagedFieldsEntry {
        let data: serde_json::Map<_, _> = items.iter().map(|item| (format!("f:{item}"), json!({}))).collect();
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            time: Some(Time(jiff::Timestamp::from_second(second).unwrap())),
            fields_v1: Some(FieldsV1(json!({ "f:data": data }))),
            ..ManagedFieldsEntry::default()
        }
    }

    fn told(entries: &[ManagedFieldsEntry]) -> Vec<String> {
        let items = ["password".to_owned(), "user".to_owned()];
        changes(entries, "ours", items.iter()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tells_own_items_from_others() {
        let (ours, other) = (entry("sealwax/EncryptedSecret/a", 1, &["a", "b"]), entry("helm", 2, &["b"]));
        let entries = [ours, other, entry("sealwax/EncryptedSecret/c", 3, &["c"])];
        assert_eq!(own_items(&entries, "sealwax/EncryptedSecret/a"), ["a".to_owned()].into());
        assert!(has_foreign_items(&entries) && !has_foreign_items(&entries[2..]));
    }

    #[test]
    fn names_who_changed_and_who_wrote_last() {
        let (ours, old) = (entry("ours", 1, &["password", "user"]), entry("helm", 2, &[]));
        assert_eq!(told(&[ours, old.clone()]), Vec::<String>::new());
        let (ours, edit) = (entry("ours", 1, &["user"]), entry("kubectl-edit", 3, &["password"]));
        assert_eq!(told(&[ours, old.clone(), edit]), ["password changed by kubectl-edit"]);
        let (ours, edit) = (entry("ours", 1, &["user"]), entry("kubectl-patch", 3, &[]));
        assert_eq!(told(&[ours, old, edit]), ["password removed by kubectl-patch"]);
        assert_eq!(told(&[]), ["password removed by somebody", "user removed by somebody"]);
    }
}
