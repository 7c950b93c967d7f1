//! What the templates of one Secret may do together: a budget of units, about one for each byte that is handled.
//!
//! Everything is paid before it is done: the nodes of a template by its tree, the arguments of a function, in full depth, by
//! whoever calls it. So a template that would take forever, or all memory, ends with an error after a bounded time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gotmpl::Value;

use super::Refused;

/// What a call costs by itself.
const CALL: usize = 128;
/// What a value costs by itself, next to its text.
const VALUE: usize = 32;
/// What a number with a fraction costs: as many digits as it may print.
const FLOAT: usize = 360;
/// What a map costs by itself: a node of its tree.
const MAP: usize = 512;
/// What one call may take or give: somewhat more than the largest value, whose bytes take up to four each.
const MAX_HANDLED: usize = 6 << 20;
/// How deep lists and maps may be nested; dropping and printing them recurse.
const MAX_DEPTH: usize = 32;

/// What may still be spent.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<AtomicUsize>);

impl Budget {
    pub(crate) fn new(units: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(units)))
    }

    pub(crate) fn spend(&self, units: usize) -> Result<(), Refused> {
        let left = self.0.load(Ordering::Relaxed).checked_sub(units).ok_or(Refused::TooMuch)?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }

    /// Pays for a call with these arguments.
    pub(super) fn spend_call(&self, arguments: &[Value]) -> Result<(), Refused> {
        self.spend(CALL)?;
        self.spend(self.weight(arguments)?)
    }

    /// Pays for what a call gives.
    pub(super) fn spend_result(&self, result: &Value) -> Result<(), Refused> {
        self.spend(self.weight(std::slice::from_ref(result))?)
    }

    /// The size in full depth. A value may hold another many times over, so the walk stops where it is too much.
    fn weight(&self, values: &[Value]) -> Result<usize, Refused> {
        let limit = MAX_HANDLED.min(self.0.load(Ordering::Relaxed));
        let mut scale = Scale { left: limit };
        values.iter().try_for_each(|value| scale.put(value, 0))?;
        Ok(limit - scale.left)
    }
}

struct Scale {
    left: usize,
}

impl Scale {
    fn put(&mut self, value: &Value, depth: usize) -> Result<(), Refused> {
        if depth > MAX_DEPTH {
            return Err(Refused::TooMuch);
        }
        match value {
            Value::String(text) => self.take(VALUE + text.len()),
            Value::Float(_) => self.take(FLOAT),
            Value::List(items) => {
                self.take(VALUE)?;
                items.iter().try_for_each(|item| self.put(item, depth + 1))
            }
            Value::Map(items) => {
                self.take(MAP)?;
                items.iter().try_for_each(|(key, item)| {
                    self.take(VALUE + key.len())?;
                    self.put(item, depth + 1)
                })
            }
            _ => self.take(VALUE),
        }
    }

    fn take(&mut self, units: usize) -> Result<(), Refused> {
        self.left = self.left.checked_sub(units).ok_or(Refused::TooMuch)?;
        Ok(())
    }
}
