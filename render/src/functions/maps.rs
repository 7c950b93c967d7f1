//! Functions of maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gotmpl::Value;

use super::{ANY, Arguments, Function, Outcome, Refused, string, text};

pub(super) const FUNCTIONS: &[Function] = &[
    ("dict", 0, ANY, dict),
    ("get", 2, 2, |a| Ok(map(&a[0])?.get(text(&a[1])?).cloned().unwrap_or_else(|| string("")))),
    ("hasKey", 2, 2, |a| Ok(Value::Bool(map(&a[0])?.contains_key(text(&a[1])?)))),
    ("keys", 1, 1, |a| Ok(Value::List(map(&a[0])?.keys().map(string).collect()))),
    ("values", 1, 1, |a| Ok(Value::List(map(&a[0])?.values().cloned().collect()))),
    ("pick", 1, ANY, |a| chosen(a, true)),
    ("omit", 1, ANY, |a| chosen(a, false)),
    ("merge", 1, ANY, merge),
];

type Map = BTreeMap<Arc<str>, Value>;

fn map(value: &Value) -> Result<&Map, Refused> {
    match value {
        Value::Map(map) => Ok(map),
        _ => Err(Refused::Arguments),
    }
}

fn dict(a: &Arguments<'_>) -> Outcome {
    let mut map = Map::new();
    for pair in a.chunks(2) {
        map.insert(text(&pair[0])?.into(), pair.get(1).cloned().unwrap_or_else(|| string("")));
    }
    Ok(Value::Map(Arc::new(map)))
}

fn chosen(a: &Arguments<'_>, named: bool) -> Outcome {
    let names: Result<BTreeSet<&str>, Refused> = a[1..].iter().map(text).collect();
    let names = names?;
    let kept = map(&a[0])?.iter().filter(|(key, _)| names.contains(&***key) == named);
    Ok(Value::Map(Arc::new(kept.map(|(key, value)| (Arc::clone(key), value.clone())).collect())))
}

/// The first that has something under a key gives its value; maps under one key are merged likewise.
fn merge(a: &Arguments<'_>) -> Outcome {
    let mut merged = map(&a[0])?.clone();
    a[1..].iter().try_for_each(|value| fill(&mut merged, map(value)?))?;
    Ok(Value::Map(Arc::new(merged)))
}

/// Recurses as deep as values are nested, which is bounded.
fn fill(merged: &mut Map, other: &Map) -> Result<(), Refused> {
    for (key, value) in other {
        match (merged.get_mut(key), value) {
            (Some(Value::Map(mine)), Value::Map(theirs)) => fill(Arc::make_mut(mine), theirs)?,
            (Some(mine), _) if mine.is_truthy() => {}
            _ => {
                merged.insert(Arc::clone(key), value.clone());
            }
        }
    }
    Ok(())
}
