//! Functions of lists and maps, and those that choose.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;

use super::{ANY, Function, Outcome, Refused, bytes, int, list, shown, string, text};

/// The longest list that `until` counts.
const MAX_COUNT: i64 = 100_000;

pub(super) const FUNCTIONS: &[Function] = &[
    ("len", 1, 1, len),
    ("index", 1, ANY, index),
    ("list", 0, ANY, |a| Ok(Value::List(a.into()))),
    ("append", 2, 2, |a| Ok(Value::List(list(&a[0])?.iter().chain([&a[1]]).cloned().collect()))),
    ("prepend", 2, 2, |a| Ok(Value::List([&a[1]].into_iter().chain(list(&a[0])?).cloned().collect()))),
    ("concat", 1, ANY, concat),
    ("first", 1, 1, |a| Ok(list(&a[0])?.first().cloned().unwrap_or(Value::Nil))),
    ("last", 1, 1, |a| Ok(list(&a[0])?.last().cloned().unwrap_or(Value::Nil))),
    ("rest", 1, 1, |a| Ok(Value::List(list(&a[0])?.iter().skip(1).cloned().collect()))),
    ("initial", 1, 1, |a| Ok(Value::List(list(&a[0])?.split_last().map_or(&[][..], |split| split.1).into()))),
    ("reverse", 1, 1, |a| Ok(Value::List(list(&a[0])?.iter().rev().cloned().collect()))),
    ("uniq", 1, 1, uniq),
    ("compact", 1, 1, |a| Ok(Value::List(list(&a[0])?.iter().filter(|item| item.is_truthy()).cloned().collect()))),
    ("has", 2, 2, |a| Ok(Value::Bool(list(&a[1])?.iter().any(|item| same(item, &a[0]))))),
    ("without", 1, ANY, without),
    ("sortAlpha", 1, 1, sort_alpha),
    ("until", 1, 1, until),
    ("dict", 0, ANY, dict),
    ("get", 2, 2, |a| Ok(map(&a[0])?.get(text(&a[1])?).cloned().unwrap_or_else(|| string("")))),
    ("hasKey", 2, 2, |a| Ok(Value::Bool(map(&a[0])?.contains_key(text(&a[1])?)))),
    ("keys", 1, 1, |a| Ok(Value::List(map(&a[0])?.keys().map(string).collect()))),
    ("values", 1, 1, |a| Ok(Value::List(map(&a[0])?.values().cloned().collect()))),
    ("pick", 1, ANY, |a| chosen(a, true)),
    ("omit", 1, ANY, |a| chosen(a, false)),
    ("merge", 1, ANY, merge),
    ("default", 2, 2, |a| Ok(if a[1].is_truthy() { a[1].clone() } else { a[0].clone() })),
    ("empty", 1, 1, |a| Ok(Value::Bool(!a[0].is_truthy()))),
    ("coalesce", 0, ANY, |a| Ok(a.iter().find(|item| item.is_truthy()).cloned().unwrap_or(Value::Nil))),
    ("ternary", 3, 3, |a| Ok(if a[2].is_truthy() { a[0].clone() } else { a[1].clone() })),
    ("required", 2, 2, |a| if a[1].is_truthy() { Ok(a[1].clone()) } else { Err(Refused::Missing) }),
    ("fail", 1, 1, |_| Err(Refused::Arguments)),
];

type Map = BTreeMap<Arc<str>, Value>;

fn map(value: &Value) -> Result<&Map, Refused> {
    match value {
        Value::Map(map) => Ok(map),
        _ => Err(Refused::Arguments),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b) && shown(a) == shown(b)
}

/// Of a text, its bytes, as in Go.
fn len(a: &[Value]) -> Outcome {
    let length = match &a[0] {
        Value::String(_) => bytes(&a[0])?.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Err(Refused::Arguments),
    };
    Ok(Value::Int(i64::try_from(length).map_err(|_| Refused::TooMuch)?))
}

/// Go's, but what is not there is an error also in maps.
fn index(a: &[Value]) -> Outcome {
    a[1..].iter().try_fold(a[0].clone(), |value, key| match &value {
        Value::Map(map) => map.get(text(key)?).cloned().ok_or(Refused::Missing),
        Value::List(list) => {
            let place = usize::try_from(int(key)?).map_err(|_| Refused::Missing)?;
            list.get(place).cloned().ok_or(Refused::Missing)
        }
        _ => Err(Refused::Arguments),
    })
}

fn concat(a: &[Value]) -> Outcome {
    let lists: Result<Vec<&[Value]>, Refused> = a.iter().map(list).collect();
    Ok(Value::List(lists?.concat().into()))
}

fn uniq(a: &[Value]) -> Outcome {
    let mut seen = std::collections::BTreeSet::new();
    Ok(Value::List(list(&a[0])?.iter().filter(|item| seen.insert(shown(item))).cloned().collect()))
}

fn without(a: &[Value]) -> Outcome {
    let kept = list(&a[0])?.iter().filter(|item| !a[1..].iter().any(|other| same(item, other)));
    Ok(Value::List(kept.cloned().collect()))
}

fn sort_alpha(a: &[Value]) -> Outcome {
    let mut parts: Vec<String> = list(&a[0])?.iter().map(shown).collect();
    parts.sort();
    Ok(Value::List(parts.iter().map(string).collect()))
}

fn until(a: &[Value]) -> Outcome {
    let end = int(&a[0])?;
    if end > MAX_COUNT { Err(Refused::TooMuch) } else { Ok(Value::List((0..end).map(Value::Int).collect())) }
}

fn dict(a: &[Value]) -> Outcome {
    let mut map = Map::new();
    for pair in a.chunks(2) {
        map.insert(text(&pair[0])?.into(), pair.get(1).cloned().unwrap_or_else(|| string("")));
    }
    Ok(Value::Map(Arc::new(map)))
}

fn chosen(a: &[Value], named: bool) -> Outcome {
    let names: Result<Vec<&str>, Refused> = a[1..].iter().map(text).collect();
    let names = names?;
    let kept = map(&a[0])?.iter().filter(|(key, _)| names.contains(&&***key) == named);
    Ok(Value::Map(Arc::new(kept.map(|(key, value)| (Arc::clone(key), value.clone())).collect())))
}

/// The first that has a key gives its value.
fn merge(a: &[Value]) -> Outcome {
    let mut merged = Map::new();
    for value in a {
        for (key, value) in map(value)? {
            merged.entry(Arc::clone(key)).or_insert_with(|| value.clone());
        }
    }
    Ok(Value::Map(Arc::new(merged)))
}
