//! Functions of numbers.

use gotmpl::Value;

use super::{ANY, Arguments, Function, Outcome, Refused, int, text};

pub(super) const FUNCTIONS: &[Function] = &[
    ("int", 1, 1, |a| Ok(Value::Int(number(&a[0])?))),
    ("int64", 1, 1, |a| Ok(Value::Int(number(&a[0])?))),
    ("atoi", 1, 1, |a| text(&a[0])?.parse().map(Value::Int).map_err(|_| Refused::Arguments)),
    ("float64", 1, 1, |a| Ok(Value::Float(float(&a[0])?))),
    ("add", 1, ANY, |a| folded(a, i64::checked_add)),
    ("add1", 1, 1, |a| int(&a[0])?.checked_add(1).map(Value::Int).ok_or(Refused::Arguments)),
    ("sub", 2, 2, |a| folded(a, i64::checked_sub)),
    ("mul", 1, ANY, |a| folded(a, i64::checked_mul)),
    ("div", 2, 2, |a| folded(a, i64::checked_div)),
    ("mod", 2, 2, |a| folded(a, i64::checked_rem)),
    ("max", 1, ANY, |a| folded(a, |a, b| Some(a.max(b)))),
    ("min", 1, ANY, |a| folded(a, |a, b| Some(a.min(b)))),
];

fn number(value: &Value) -> Result<i64, Refused> {
    match value {
        Value::String(text) => text.trim().parse().map_err(|_| Refused::Arguments),
        Value::Bool(value) => Ok(i64::from(*value)),
        #[expect(clippy::cast_possible_truncation, reason = "as Go does: towards zero, and bounded")]
        Value::Float(value) => Ok(*value as i64),
        other => int(other),
    }
}

fn float(value: &Value) -> Result<f64, Refused> {
    match value {
        Value::String(text) => text.trim().parse().map_err(|_| Refused::Arguments),
        other => other.as_float().ok_or(Refused::Arguments),
    }
}

fn folded(a: &Arguments<'_>, step: impl Fn(i64, i64) -> Option<i64>) -> Outcome {
    let mut numbers = a.iter().map(number);
    let first = numbers.next().ok_or(Refused::Arguments)??;
    let result = numbers.try_fold(first, |sum, next| step(sum, next?).ok_or(Refused::Arguments))?;
    Ok(Value::Int(result))
}
