//! Why what was read makes no items. Names entries, items and places of the spec, which are public, and no value.

/// How much of a name a message repeats: names come from a source, and some are made up to be long.
const REPEATED: usize = 64;
/// How many names a message repeats.
const NAMED: usize = 10;

/// Why a spec does not say what to read. The API server refuses all of these; an old definition there may not.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecProblem {
    /// Nothing is to be read.
    #[error("one of spec.data and spec.dataFrom has to name something to read")]
    Nothing,
    /// No store is named.
    #[error("{entry}: name the store in spec.secretStoreRef, or in the entry's sourceRef.storeRef")]
    NoStore {
        /// The entry.
        entry: String,
    },
    /// Neither of the two ways, or both.
    #[error("{entry}: an entry of spec.dataFrom has exactly one of extract and find")]
    NotOneWay {
        /// The entry.
        entry: String,
    },
}

/// Why what was read makes no items.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{entry}: {problem}")]
pub struct ExternalError {
    /// The entry: its `secretKey`, or its place like `dataFrom[0]`.
    pub entry: String,
    /// What is wrong.
    pub problem: EntryProblem,
}

/// What can be wrong with an entry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryProblem {
    /// The value is not what the entry needs.
    #[error("{0}")]
    Value(ValueProblem),
    /// The same of one of many values.
    #[error("{}: {problem}", shown(.name))]
    ValueOf {
        /// Where it was found.
        name: String,
        /// What is wrong.
        problem: ValueProblem,
    },
    /// No name of an item.
    #[error(
        "{} is no name of an item, which is 1 to 253 characters of a-z, A-Z, 0-9, '-', '_' and '.', and does not begin with '..'; change it with `rewrite`",
        shown(.0)
    )]
    Name(String),
    /// Several names become one.
    #[error("{} become the same name by {by}; tell them apart with `rewrite`", listed(.names))]
    Collision {
        /// The names as they were, in order.
        names: Vec<String>,
        /// `rewrite[0]`, or the strategy of conversion.
        by: String,
    },
    /// No regular expression.
    #[error("rewrite[{0}].regexp.source is no regular expression that can be used")]
    Expression(usize),
    /// Names became too long.
    #[error("rewrite[{0}] makes a name that is too long")]
    TooLong(usize),
    /// Not encoded as the entry says.
    #[error("{} is not {encoding}, which decodingStrategy says", shown(.item))]
    Encoding {
        /// The item.
        item: String,
        /// The encoding.
        encoding: &'static str,
    },
    /// A null byte.
    #[error("{} holds a null byte, which nullBytePolicy refuses", shown(.0))]
    NullByte(String),
    /// What was read does not belong to the spec.
    #[error("what was read is not what the entry asks for")]
    Mismatch,
}

/// What can be wrong with a value.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueProblem {
    /// No JSON.
    #[error("the value is not JSON, which the entry needs")]
    NotJson,
    /// JSON, but no object.
    #[error("the value is not a JSON object, which extract needs")]
    NotAnObject,
    /// Nested too deeply.
    #[error("the value is nested too deeply")]
    TooDeep,
    /// A path that does too much.
    #[error("the property's path uses too much: too many queries, patterns or modifiers, or @pretty with settings")]
    Path,
}

/// A name, on one line and not too long.
fn shown(name: &str) -> String {
    let short: String = name.chars().take(REPEATED).collect();
    format!("{short:?}{}", if short.len() < name.len() { "..." } else { "" })
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| shown(name)).collect();
    let more = names.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
