//! The functions of templates, by the names, the order of arguments and the meaning that people know from Sprig, Helm and
//! the External Secrets Operator. None reads a clock, randomness, the environment, the network or a file.

mod encoding;
mod lists;
mod numbers;
mod pem;
mod strings;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gotmpl::{FuncMap, TemplateError, Value};

use crate::bytes::to_bytes;

/// The message of the one error that is told apart.
pub(crate) const TOO_MUCH: &str = "too much";

/// What went wrong in a function. Which function, and on what, is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The arguments are not what the function takes.
    Arguments,
    /// What was asked for is not there.
    Missing,
    /// More than is allowed.
    TooMuch,
}

type Outcome = Result<Value, Refused>;

/// A function: its name, the fewest and the most arguments, and what it does.
type Function = (&'static str, usize, usize, fn(&[Value]) -> Outcome);

/// As many arguments as anybody likes.
const ANY: usize = usize::MAX;

/// What all functions of one template may still produce, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<AtomicUsize>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    fn spend(&self, bytes: usize) -> Result<(), Refused> {
        let left = self.0.load(Ordering::Relaxed).checked_sub(bytes).ok_or(Refused::TooMuch)?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

/// Every function, each spending of the budget what it produces.
pub(crate) fn all(budget: &Budget) -> FuncMap {
    let groups = [strings::FUNCTIONS, lists::FUNCTIONS, encoding::FUNCTIONS, numbers::FUNCTIONS, pem::FUNCTIONS];
    groups.into_iter().flatten().map(|function| (function.0.to_owned(), guarded(*function, budget.clone()))).collect()
}

/// The names of all functions, sorted.
#[cfg(test)]
pub(crate) fn names() -> Vec<String> {
    all(&Budget::new(0)).into_keys().collect()
}

fn guarded((name, fewest, most, work): Function, budget: Budget) -> gotmpl::ValueFunc {
    Arc::new(move |arguments: &[Value]| {
        let result = if (fewest..=most).contains(&arguments.len()) {
            work(arguments).and_then(|value| budget.spend(size(&value)).map(|()| value))
        } else {
            Err(Refused::Arguments)
        };
        result.map_err(|refused| match refused {
            Refused::Arguments => TemplateError::Exec(name.to_owned()),
            Refused::Missing => TemplateError::MissingKey { key: String::new() },
            Refused::TooMuch => TemplateError::Exec(TOO_MUCH.to_owned()),
        })
    })
}

/// About how much memory a value takes by itself.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        // Their elements are shared with what they came from.
        Value::List(list) => list.len() * size_of::<Value>(),
        Value::Map(map) => map.len() * 2 * size_of::<Value>(),
        _ => 0,
    }
}

/// A text.
fn text(value: &Value) -> Result<&str, Refused> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Refused::Arguments),
    }
}

/// The bytes that a text stands for.
fn bytes(value: &Value) -> Result<Vec<u8>, Refused> {
    text(value).map(to_bytes)
}

fn int(value: &Value) -> Result<i64, Refused> {
    value.as_int().ok_or(Refused::Arguments)
}

fn list(value: &Value) -> Result<&[Value], Refused> {
    match value {
        Value::List(list) => Ok(list),
        _ => Err(Refused::Arguments),
    }
}

fn string(text: impl AsRef<str>) -> Value {
    Value::String(Arc::from(text.as_ref()))
}

fn strings(parts: impl Iterator<Item = impl AsRef<str>>) -> Value {
    Value::List(parts.map(string).collect())
}

/// As `print` shows it.
fn shown(value: &Value) -> String {
    value.to_string()
}
