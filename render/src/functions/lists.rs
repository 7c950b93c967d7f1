//! Functions of lists, and those that choose.

use std::collections::BTreeSet;
use std::mem::discriminant;

use gotmpl::Value;

use super::{ANY, Arguments, Function, Outcome, Refused, bytes, int, list, shown, string, text};

/// The longest list that `until` counts.
const MAX_COUNT: u64 = 100_000;

pub(super) const FUNCTIONS: &[Function] = &[
    ("len", 1, 1, len),
    ("index", 1, ANY, index),
    ("list", 0, ANY, |a| Ok(Value::List(a.values.into()))),
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
    ("has", 2, 2, has),
    ("without", 1, ANY, without),
    ("sortAlpha", 1, 1, sort_alpha),
    ("until", 1, 1, until),
    ("default", 2, 2, |a| Ok(if a[1].is_truthy() { a[1].clone() } else { a[0].clone() })),
    ("empty", 1, 1, |a| Ok(Value::Bool(!a[0].is_truthy()))),
    ("coalesce", 0, ANY, |a| Ok(a.iter().find(|item| item.is_truthy()).cloned().unwrap_or(Value::Nil))),
    ("ternary", 3, 3, |a| Ok(if a[2].is_truthy() { a[0].clone() } else { a[1].clone() })),
    ("required", 2, 2, |a| if a[1].is_truthy() { Ok(a[1].clone()) } else { Err(Refused::Missing) }),
    ("fail", 1, 1, |_| Err(Refused::Arguments)),
];

/// Of a text, its bytes, as in Go.
fn len(a: &Arguments<'_>) -> Outcome {
    let length = match &a[0] {
        Value::String(_) => bytes(&a[0])?.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => return Err(Refused::Arguments),
    };
    Ok(Value::Int(i64::try_from(length).map_err(|_| Refused::TooMuch)?))
}

/// Go's, but what is not there is an error also in maps.
fn index(a: &Arguments<'_>) -> Outcome {
    a[1..].iter().try_fold(a[0].clone(), |value, key| match &value {
        Value::Map(map) => map.get(text(key)?).cloned().ok_or(Refused::Missing),
        Value::List(list) => {
            let place = usize::try_from(int(key)?).map_err(|_| Refused::Missing)?;
            list.get(place).cloned().ok_or(Refused::Missing)
        }
        _ => Err(Refused::Arguments),
    })
}

fn concat(a: &Arguments<'_>) -> Outcome {
    let lists: Result<Vec<&[Value]>, Refused> = a.iter().map(list).collect();
    Ok(Value::List(lists?.concat().into()))
}

fn uniq(a: &Arguments<'_>) -> Outcome {
    let mut seen = BTreeSet::new();
    Ok(Value::List(list(&a[0])?.iter().filter(|item| seen.insert(shown(item))).cloned().collect()))
}

fn has(a: &Arguments<'_>) -> Outcome {
    let (kind, wanted) = (discriminant(&a[0]), shown(&a[0]));
    Ok(Value::Bool(list(&a[1])?.iter().any(|item| discriminant(item) == kind && shown(item) == wanted)))
}

/// By what they show, so that each is looked at once.
fn without(a: &Arguments<'_>) -> Outcome {
    let mut unwanted: Vec<_> = a[1..].iter().map(|item| (shown(item), discriminant(item))).collect();
    unwanted.sort_by(|a, b| a.0.cmp(&b.0));
    let is_unwanted = |item: &Value| {
        let shown = shown(item);
        let same = &unwanted[unwanted.partition_point(|other| other.0 < shown)..];
        same.iter().take_while(|other| other.0 == shown).any(|other| other.1 == discriminant(item))
    };
    Ok(Value::List(list(&a[0])?.iter().filter(|item| !is_unwanted(item)).cloned().collect()))
}

fn sort_alpha(a: &Arguments<'_>) -> Outcome {
    let mut parts: Vec<String> = list(&a[0])?.iter().map(shown).collect();
    parts.sort();
    Ok(Value::List(parts.iter().map(string).collect()))
}

/// Up to a number, or down to it.
fn until(a: &Arguments<'_>) -> Outcome {
    let end = int(&a[0])?;
    if end.unsigned_abs() > MAX_COUNT {
        return Err(Refused::TooMuch);
    }
    let step = end.signum();
    Ok(Value::List((0..end.abs()).map(|count| Value::Int(count * step)).collect()))
}
