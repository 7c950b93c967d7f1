//! What stands in the editor when a new file is made.

use crate::files::Store;

const YAML: &str = "\
hello: Welcome! Edit this file as you please.
example_key: example_value
# Example comment
example_array:
    - example_value1
    - example_value2
example_number: 1234.56789
example_booleans:
    - true
    - false
";

const JSON: &str = "\
{
\t\"hello\": \"Welcome! Edit this file as you please.\",
\t\"example_key\": \"example_value\",
\t\"example_array\": [
\t\t\"example_value1\",
\t\t\"example_value2\"
\t],
\t\"example_number\": 1234.56789,
\t\"example_booleans\": [
\t\ttrue,
\t\tfalse
\t]
}
";

const DOTENV: &str = "\
# This is an example file.
hello=Welcome! Edit this file as you please.
example_key=example_value
example_multiline=foo\\nbar\\nbaz
";

const INI: &str = "\
; This is an example file.
[Welcome!]
hello       = Welcome! Edit this file as you please.
example_key = example_value
";

/// An example of a type of file.
pub(super) fn of(store: Store) -> &'static str {
    match store {
        Store::Yaml => YAML,
        Store::Json => JSON,
        Store::Dotenv => DOTENV,
        Store::Ini => INI,
        Store::Binary => "Welcome! Edit this file as you please.",
    }
}
