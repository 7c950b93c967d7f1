//! Why a template makes no item. Names items, functions and places in templates, all of which are public, and no value.

/// How many items a message names.
const NAMED: usize = 10;
/// How much of a name that a template made up a message repeats.
const REPEATED: usize = 64;

/// Why a template makes no item.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("spec.target.template.data: item {item}: {problem}")]
pub struct TemplateError {
    /// The item that was to be made.
    pub item: String,
    /// What is wrong.
    pub problem: TemplateProblem,
}

/// What can be wrong with a template.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateProblem {
    /// Not the syntax of a template.
    #[error("line {line}, column {column} is not the syntax of a template")]
    Syntax {
        /// The line in the template.
        line: usize,
        /// The column in the template.
        column: usize,
    },
    /// A function that there is not.
    #[error("there is no function {}; the functions stand in docs/templates.md", .0.chars().take(REPEATED).collect::<String>())]
    UnknownFunction(String),
    /// A part of the syntax that is not for items.
    #[error(
        "it uses define, template or block, which one item does not need, or characters from U+10FE00 to U+10FEFF, which stand for bytes"
    )]
    Unsupported,
    /// A variable that is not defined.
    #[error("it uses a variable that it does not define")]
    Undefined,
    /// Something that is not there was asked for.
    #[error("it asks for an item or key that is not there; the items are {}", listed(.0))]
    Missing(Vec<String>),
    /// It makes too much.
    #[error("it produces too much, or goes round too often")]
    TooMuch,
    /// Anything else that goes wrong while it runs.
    #[error("it fails on what it is given")]
    Failed,
}

fn listed(items: &[String]) -> String {
    let named = items.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_short() {
        let items = |count: usize| TemplateProblem::Missing((0..count).map(|item| format!("i{item}")).collect());
        assert!(items(2).to_string().ends_with("the items are i0, i1"));
        assert!(items(10).to_string().ends_with("i8, i9"));
        assert!(items(1024).to_string().ends_with("i8, i9 and 1014 more"));
        assert!(TemplateProblem::UnknownFunction("x".repeat(60_000)).to_string().len() < 200);
    }
}
