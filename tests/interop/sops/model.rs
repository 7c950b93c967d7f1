//! Files made of values, with what SOPS must see in them: text is written here from a model, and nothing is parsed.

use super::oracle::Leaf;

/// Chance from a seed, the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// A value.
pub(crate) enum Value {
    Null,
    /// Source text of a plain scalar, its type, and the bytes that SOPS has for it.
    Plain(&'static str, &'static str, &'static str),
    Text(String),
    List(Vec<Item>),
    Map(Vec<(String, Item)>),
}

/// A value and the comments at it.
pub(crate) struct Item {
    pub(crate) above: Vec<String>,
    pub(crate) value: Value,
    pub(crate) beside: Option<String>,
}

/// Plain scalars of YAML: as written, as go-yaml types them, as SOPS prints them.
const PLAIN: [(&str, &str, &str); 27] = [
    ("12", "int", "12"),
    ("-7", "int", "-7"),
    ("0x1F", "int", "31"),
    ("014", "int", "12"),
    ("0o14", "int", "12"),
    ("1_000", "int", "1000"),
    ("9223372036854775807", "int", "9223372036854775807"),
    ("1.50", "float", "1.5"),
    ("1e3", "float", "1000"),
    ("1e21", "float", "1000000000000000000000"),
    (".inf", "float", "+Inf"),
    ("true", "bool", "True"),
    ("False", "bool", "False"),
    ("2024-01-01", "time", "2024-01-01T00:00:00Z"),
    ("2001-12-14t21:59:43.10-05:00", "time", "2001-12-14T21:59:43.1-05:00"),
    ("yes", "str", "yes"),
    ("off", "str", "off"),
    ("12:30:45", "str", "12:30:45"),
    ("two words", "str", "two words"),
    ("1.2.3", "str", "1.2.3"),
    ("~", "null", ""),
    ("1e400", "str", "1e400"),
    ("-.1e400", "str", "-.1e400"),
    ("0b-1", "int", "-1"),
    ("0o-7", "int", "-7"),
    ("+9223372036854775808", "float", "9223372036854776000"),
    ("2024-01-01T00:00:00+00:60", "time", "2024-01-01T00:00:00+01:00"),
];

/// The same under tags, before which go-yaml reads no token.
const TAGGED: [(&str, &str, &str); 10] = [
    ("!!bool \"true\"", "bool", "True"),
    ("!!float \"1e3\"", "float", "1000"),
    ("!!float 12", "float", "12"),
    ("!!int \"0x10\"", "int", "16"),
    ("!!timestamp \"2024-01-01\"", "time", "2024-01-01T00:00:00Z"),
    ("!!null \"\"", "null", ""),
    ("!!str 5", "str", "5"),
    ("!!binary aGk=", "str", "hi"),
    ("!vault 0x10", "str", "0x10"),
    ("! 0x10", "int", "16"),
];

/// The same for JSON.
const PLAIN_JSON: [(&str, &str, &str); 8] = [
    ("12", "int", "12"),
    ("-9223372036854775808", "int", "-9223372036854775808"),
    ("9223372036854775808", "float", "9223372036854776000"),
    ("1.50", "float", "1.5"),
    ("1e3", "float", "1000"),
    ("true", "bool", "True"),
    ("false", "bool", "False"),
    ("null", "null", ""),
];

const WORDS: [&str; 26] = [
    "",
    "hunter2",
    " lead",
    "trail ",
    "a: b",
    "- x",
    "#no",
    "it's",
    "\"q\"",
    "back\\slash",
    "é日本",
    "\u{1f600}",
    "two\nlines",
    "ends\n",
    "\n\nblank",
    "tab\there",
    "yes",
    "123",
    "null",
    "2024-01-01",
    "ENC",
    "{x}",
    "a,b]",
    "%&*!|>",
    "line\u{2028}end",
    "\u{feff}mark",
];

const NAMES: [&str; 12] = [
    "a",
    "password",
    "data",
    "token_unencrypted",
    "key_secret",
    "y",
    "with space",
    "é",
    "a:b",
    "x.y",
    "no",
    "metadata",
];

const SIMPLE_NAMES: [&str; 6] = ["a", "password", "data", "TOKEN_unencrypted", "key_secret", "metadata"];

/// What a file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Yaml,
    Json,
    /// Texts by name.
    Dotenv,
    /// The same in sections.
    Ini,
}

impl Kind {
    /// A file's values.
    pub(crate) fn entries(self, dice: &mut Dice) -> Vec<(String, Item)> {
        let mut entries = map(dice, self, 3);
        if self == Self::Ini {
            for (_, section) in &mut entries {
                section.value = Value::Map(map(dice, self, 0));
            }
        }
        entries
    }
}

/// A map of values, with names that differ.
fn map(dice: &mut Dice, kind: Kind, depth: usize) -> Vec<(String, Item)> {
    let mut entries: Vec<(String, Item)> = Vec::new();
    for _ in 0..=dice.below(4) {
        let nested = matches!(kind, Kind::Yaml | Kind::Json);
        let name = (*dice.pick(if nested { &NAMES } else { &SIMPLE_NAMES })).to_owned();
        if entries.iter().all(|(known, _)| *known != name) {
            entries.push((name, item(dice, kind, depth)));
        }
    }
    entries
}

fn text(dice: &mut Dice) -> Value {
    Value::Text((0..=dice.below(2)).map(|_| *dice.pick(&WORDS)).collect())
}

fn item(dice: &mut Dice, kind: Kind, depth: usize) -> Item {
    let nested = matches!(kind, Kind::Yaml | Kind::Json);
    let depth = if nested { depth } else { 0 };
    let value = match dice.below(10) {
        _ if !nested => text(dice),
        0 | 1 if depth > 0 => Value::Map(map(dice, kind, depth - 1)),
        2 if depth > 0 => Value::List((0..=dice.below(3)).map(|_| item(dice, kind, depth - 1)).collect()),
        3 if dice.one_in(3) => Value::Null,
        4 | 5 => {
            let (text, of, bytes) = *match kind {
                Kind::Yaml if dice.one_in(12) => dice.pick(&TAGGED),
                Kind::Yaml => dice.pick(&PLAIN),
                _ => dice.pick(&PLAIN_JSON),
            };
            Value::Plain(text, of, bytes)
        }
        _ => text(dice),
    };
    let comments = kind != Kind::Json;
    let above =
        if comments && dice.one_in(4) { (0..=dice.below(1)).map(|_| comment(dice)).collect() } else { Vec::new() };
    let beside = (comments && dice.one_in(4)).then(|| comment(dice));
    Item { above, value, beside }
}

fn comment(dice: &mut Dice) -> String {
    (*dice.pick(&[" a note", " secret", "tight", " # more", " yes: no"])).to_owned()
}

/// What SOPS must see: every value that is not null, in order.
pub(crate) fn leaves(entries: &[(String, Item)]) -> Vec<Leaf> {
    let mut found = Vec::new();
    of_map(entries, &[], &mut found);
    found
}

fn of_map(entries: &[(String, Item)], path: &[String], found: &mut Vec<Leaf>) {
    for (name, item) in entries {
        let path = [path, std::slice::from_ref(name)].concat();
        of_value(&item.value, &path, found);
    }
}

fn of_value(value: &Value, path: &[String], found: &mut Vec<Leaf>) {
    match value {
        Value::Null | Value::Plain(_, "null", _) => {}
        Value::Plain(_, kind, bytes) => found.push((path.to_vec(), (*kind).to_owned(), bytes.as_bytes().to_vec())),
        Value::Text(text) => found.push((path.to_vec(), "str".to_owned(), text.clone().into_bytes())),
        Value::List(items) => items.iter().for_each(|item| of_value(&item.value, path, found)),
        Value::Map(entries) => of_map(entries, path, found),
    }
}
