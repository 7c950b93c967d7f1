//! Go's own functions that compare, and the one that cuts: the engine's work, but paid for.

use std::cmp::Ordering;

use gotmpl::Value;

use super::{ANY, Arguments, Function, Outcome, Refused, text};

pub(super) const FUNCTIONS: &[Function] = &[
    ("eq", 2, ANY, equal_to_any),
    ("ne", 2, 2, |a| Ok(Value::Bool(!equal(&a[0], &a[1])?))),
    ("lt", 2, 2, |a| Ok(Value::Bool(order(&a[0], &a[1])?.is_lt()))),
    ("le", 2, 2, |a| Ok(Value::Bool(order(&a[0], &a[1])?.is_le()))),
    ("gt", 2, 2, |a| Ok(Value::Bool(order(&a[0], &a[1])?.is_gt()))),
    ("ge", 2, 2, |a| Ok(Value::Bool(order(&a[0], &a[1])?.is_ge()))),
    ("slice", 1, 4, slice),
];

fn equal_to_any(a: &Arguments<'_>) -> Outcome {
    for other in &a[1..] {
        if equal(&a[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Only values of one kind can be compared, and lists and maps not at all; nothing is equal to nothing.
fn equal(a: &Value, b: &Value) -> Result<bool, Refused> {
    match (a, b) {
        (Value::Nil, _) | (_, Value::Nil) => Ok(matches!((a, b), (Value::Nil, Value::Nil))),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        #[expect(clippy::float_cmp, reason = "as Go does")]
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        _ => order(a, b).map(Ordering::is_eq),
    }
}

fn order(a: &Value, b: &Value) -> Result<Ordering, Refused> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).ok_or(Refused::Arguments),
        _ => Ok(whole(a)?.cmp(&whole(b)?)),
    }
}

fn whole(value: &Value) -> Result<i128, Refused> {
    match value {
        Value::Int(number) => Ok((*number).into()),
        Value::Uint(number) => Ok((*number).into()),
        _ => Err(Refused::Arguments),
    }
}

/// From one place, to another; a third bounds the capacity in Go, and is only checked.
fn slice(a: &Arguments<'_>) -> Outcome {
    let places = a[1..].iter().map(|place| i64::try_from(whole(place)?).map_err(|_| Refused::Arguments));
    let places = places.collect::<Result<Vec<i64>, Refused>>()?;
    if let Value::String(_) = &a[0] {
        text(&a[0])?;
    }
    if let [_, end, most] = places[..] {
        let length = super::list(&a[0])?.len();
        if end > most || usize::try_from(most).map_or(true, |most| most > length) {
            return Err(Refused::Arguments);
        }
    }
    a[0].slice(places.first().copied(), places.get(1).copied()).map_err(|_| Refused::Arguments)
}
