//! Values that stand in the store itself, in the clear: to try things out and to test them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Values that stand in the store, in the clear.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct FakeProvider {
    /// The values.
    #[schemars(length(max = 256))]
    pub data: Vec<FakeSecret>,
}

/// A value.
#[derive(Clone, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct FakeSecret {
    /// The key that it is read by.
    #[schemars(length(min = 1, max = 2048))]
    pub key: String,
    /// The value; JSON if parts of it are read.
    #[schemars(length(max = 65_536))]
    pub value: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub version: Option<String>,
}

/// Whoever tries things out may do so with a password of his own.
impl fmt::Debug for FakeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeSecret").field("key", &self.key).field("version", &self.version).finish_non_exhaustive()
    }
}
