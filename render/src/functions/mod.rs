//! The functions of templates, by the names, the order of arguments and the meaning that people know from Sprig, Helm and
//! the External Secrets Operator. None reads a clock, randomness, the environment, the network or a file.

mod budget;
mod compare;
mod dialect;
mod encoding;
mod expressions;
mod json;
mod lists;
mod maps;
mod numbers;
mod pem;
mod print;
mod strings;

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use gotmpl::{FuncMap, TemplateError, Value};

use crate::bytes::{holds_bytes, to_bytes};
pub(crate) use budget::Budget;
pub(crate) use dialect::Pattern;
pub(crate) use json::for_html;

/// The message of the one error that is told apart.
pub(crate) const TOO_MUCH: &str = "too much";
/// What pays for the nodes of a template; no template can name it.
pub(crate) const PAY: &str = "(pay)";
/// The engine's own that are its own here too: they only look whether their arguments are empty.
pub(crate) const ENGINE: [&str; 3] = ["and", "not", "or"];
/// The longest text that a function makes of shorter ones.
const MAX_TEXT: usize = 4 << 20;

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

/// What a function is called with, already paid for, and what pays for work beyond handling each argument once.
struct Arguments<'a> {
    values: &'a [Value],
    budget: &'a Budget,
}

impl Deref for Arguments<'_> {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.values
    }
}

/// A function: its name, the fewest and the most arguments, and what it does.
type Function = (&'static str, usize, usize, fn(&Arguments<'_>) -> Outcome);

/// As many arguments as anybody likes.
const ANY: usize = usize::MAX;

/// Every function, each spending of the budget what it takes and gives.
pub(crate) fn all(budget: &Budget) -> FuncMap {
    let groups = [
        compare::FUNCTIONS,
        encoding::FUNCTIONS,
        expressions::FUNCTIONS,
        json::FUNCTIONS,
        lists::FUNCTIONS,
        maps::FUNCTIONS,
        numbers::FUNCTIONS,
        pem::FUNCTIONS,
        print::FUNCTIONS,
        strings::FUNCTIONS,
    ];
    let functions = groups.into_iter().flatten();
    functions.map(|function| (function.0.to_owned(), guarded(*function, budget.clone()))).collect()
}

/// The function that pays as many units as its argument says, and prints nothing.
pub(crate) fn pay(budget: &Budget) -> gotmpl::ValueFunc {
    let budget = budget.clone();
    Arc::new(move |arguments: &[Value]| {
        let units = arguments.first().and_then(Value::as_int).and_then(|units| usize::try_from(units).ok());
        let paid = units.ok_or(Refused::Arguments).and_then(|units| budget.spend(units));
        paid.map(|()| string("")).map_err(|refused| engine_error(PAY, refused))
    })
}

fn guarded((name, fewest, most, work): Function, budget: Budget) -> gotmpl::ValueFunc {
    Arc::new(move |values: &[Value]| {
        let outcome = || {
            budget.spend_call(values)?;
            if !(fewest..=most).contains(&values.len()) {
                return Err(Refused::Arguments);
            }
            let result = work(&Arguments { values, budget: &budget })?;
            budget.spend_result(&result)?;
            Ok(result)
        };
        outcome().map_err(|refused| engine_error(name, refused))
    })
}

fn engine_error(function: &str, refused: Refused) -> TemplateError {
    match refused {
        Refused::Arguments => TemplateError::Exec(function.to_owned()),
        Refused::Missing => TemplateError::MissingKey { key: String::new() },
        Refused::TooMuch => TemplateError::Exec(TOO_MUCH.to_owned()),
    }
}

/// A text; a value that is none is refused, for its bytes are no characters.
fn text(value: &Value) -> Result<&str, Refused> {
    match value {
        Value::String(text) if !holds_bytes(text) => Ok(text),
        _ => Err(Refused::Arguments),
    }
}

/// The bytes of a text or of a value that is none.
fn bytes(value: &Value) -> Result<Cow<'_, [u8]>, Refused> {
    match value {
        Value::String(text) => Ok(to_bytes(text)),
        _ => Err(Refused::Arguments),
    }
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

/// As `print` shows it, if all of it is text.
fn shown_text(value: &Value) -> Result<String, Refused> {
    let text = shown(value);
    if holds_bytes(&text) { Err(Refused::Arguments) } else { Ok(text) }
}
