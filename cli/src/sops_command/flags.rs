//! Flags as SOPS takes them, by the rules of Go's `flag` and of the library `urfave/cli` on top of it: `-name` and `--name`
//! mean the same, a value follows behind `=` or as the next word, `--` ends the flags, and variables of the environment
//! stand in for flags that are not given.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, or `=true` or `=false`.
    Switch,
    /// The same, and on unless it is switched off.
    On,
    Text,
    Number,
    /// Several, each behind a flag of its own.
    List,
}

/// A flag.
#[derive(Debug)]
pub(super) struct Flag {
    /// The first name is the one that commands ask for.
    pub(super) names: &'static [&'static str],
    pub(super) kind: Kind,
    /// The variable of the environment that stands in for it.
    pub(super) variable: Option<&'static str>,
    pub(super) help: &'static str,
}

impl Flag {
    const fn new(kind: Kind, names: &'static [&'static str], help: &'static str) -> Self {
        Self { names, kind, variable: None, help }
    }

    pub(super) const fn switch(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::Switch, names, help)
    }

    pub(super) const fn on(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::On, names, help)
    }

    pub(super) const fn text(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::Text, names, help)
    }

    pub(super) const fn number(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::Number, names, help)
    }

    pub(super) const fn list(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::List, names, help)
    }

    pub(super) const fn or(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    pub(super) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    fn is_switch(&self) -> bool {
        matches!(self.kind, Kind::Switch | Kind::On)
    }

    /// The value in the form in which it is kept; `None` if it is none for this flag.
    fn checked(&self, value: &str) -> Option<String> {
        match self.kind {
            Kind::Text | Kind::List => Some(value.to_owned()),
            Kind::Number => value.parse::<i64>().ok().map(|number| number.to_string()),
            Kind::Switch | Kind::On => truth(value).map(|on| on.to_string()),
        }
    }
}

/// Go's words for true and false.
fn truth(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Every command has this one.
const HELP: Flag = Flag::switch(&["help", "h"], "show help");

/// The flags of a command, in groups that commands share.
pub(super) type Flags = &'static [&'static [Flag]];

fn find(flags: Flags, name: &str) -> Option<&'static Flag> {
    let all = flags.iter().flat_map(|group| group.iter()).chain(std::iter::once(&HELP));
    all.into_iter().find(|flag| flag.names.contains(&name))
}

/// What was given to a command.
#[derive(Debug, Default)]
pub(super) struct Given {
    values: BTreeMap<&'static str, Vec<String>>,
    /// The flags on the command line, as against those of the environment.
    pub(super) named: Vec<&'static str>,
    /// What is no flag.
    pub(super) words: Vec<OsString>,
}

impl Given {
    pub(super) fn text(&self, name: &str) -> &str {
        self.values.get(name).and_then(|values| values.last()).map_or("", String::as_str)
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    pub(super) fn is_off(&self, name: &str) -> bool {
        self.text(name) == "false"
    }

    /// A number above zero: zero is what SOPS has for "not given".
    pub(super) fn count(&self, name: &str) -> Option<usize> {
        self.text(name).parse().ok().filter(|number| *number > 0)
    }

    pub(super) fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Where flags may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Placing {
    /// Before everything else: what follows the first other word is none.
    First,
    /// Anywhere, as after the name of a command.
    Anywhere,
}

/// Takes the words of a command apart; the error is in the words that Go has for it.
pub(super) fn parse(flags: Flags, words: Vec<OsString>, placing: Placing) -> Result<Given, String> {
    let words = if placing == Placing::Anywhere { reordered(flags, words) } else { words };
    let mut given = Given::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next_if(is_dashed) {
        let Some(text) = word.to_str() else { return Err("a flag is not UTF-8 text".to_owned()) };
        if text == "--" {
            break;
        }
        let bare = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).unwrap_or(text);
        if bare.is_empty() || bare.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {text}"));
        }
        let (name, value) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
        let flag = find(flags, name).ok_or_else(|| format!("flag provided but not defined: -{name}"))?;
        let value = match value {
            Some(value) => value.to_owned(),
            None if flag.is_switch() => "true".to_owned(),
            None => {
                let next = words.next().ok_or_else(|| format!("flag needs an argument: -{name}"))?;
                next.into_string().map_err(|_| format!("the value of -{name} is not UTF-8 text"))?
            }
        };
        // The value is not repeated: with --set it is a secret.
        let value = flag.checked(&value).ok_or_else(|| format!("invalid value for flag -{name}: parse error"))?;
        let values = given.values.entry(flag.name()).or_default();
        if flag.kind != Kind::List {
            values.clear();
        }
        values.push(value);
        given.named.push(flag.name());
    }
    given.words = words.collect();
    from_environment(flags, &mut given)?;
    Ok(given)
}

fn is_dashed(word: &OsString) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.len() > 1 && bytes.starts_with(b"-")
}

/// Moves flags, each with the word behind it, before the rest. That word moves too where the flag is a switch and it is
/// no flag: `-i FILE --output X` leaves `--output` behind the file, where it is no flag any more. So it is in SOPS.
fn reordered(flags: Flags, words: Vec<OsString>) -> Vec<OsString> {
    let name = |word: &OsString| {
        let text = word.to_str().filter(|text| *text != "-" && *text != "--" && text.starts_with('-'))?;
        let bare = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
        bare.split('=').next().and_then(|name| find(flags, name)).map(|_| text.contains('='))
    };
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    let mut wants_value = false;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match name(&word) {
            None if wants_value => {
                wants_value = false;
                first.push(word);
            }
            None if word == "--" => {
                rest.insert(0, word);
                rest.extend(words.by_ref());
            }
            Some(has_value) => {
                wants_value = !has_value;
                first.push(word);
            }
            None => rest.push(word),
        }
    }
    first.extend(rest);
    first
}

fn from_environment(flags: Flags, given: &mut Given) -> Result<(), String> {
    for flag in flags.iter().flat_map(|group| group.iter()) {
        let Some(variable) = flag.variable.filter(|_| !given.named.contains(&flag.name())) else { continue };
        let Some(text) = std::env::var(variable).ok().filter(|text| !text.is_empty()) else { continue };
        let parts: Vec<&str> = if flag.kind == Kind::List { text.split(',').collect() } else { vec![&text] };
        let values = parts.into_iter().map(|part| flag.checked(part.trim())).collect::<Option<Vec<_>>>();
        let values = values.ok_or_else(|| format!("{variable} has no value that -{} could have", flag.name()))?;
        given.values.insert(flag.name(), values);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: Flags = &[&[
        Flag::switch(&["in-place", "i"], ""),
        Flag::text(&["output"], ""),
        Flag::number(&["indent"], ""),
        Flag::list(&["age"], ""),
        Flag::on(&["local"], ""),
    ]];

    fn parsed(placing: Placing, words: &str) -> Result<String, String> {
        let words = words.split_whitespace().map(OsString::from).collect();
        let given = parse(FLAGS, words, placing)?;
        let values = given.values.iter().map(|(name, values)| format!("{name}={}", values.join("+")));
        let words = given.words.iter().map(|word| word.to_string_lossy().into_owned());
        Ok(values.chain(words).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let cases = [
            ("-i f", "in-place=true f"),
            ("--in-place f", "in-place=true f"),
            ("-in-place=0 f", "in-place=false f"),
            ("-output x -output=y f", "output=y f"),
            ("--output -i f", "output=-i f"),
            ("--output= f", "output= f"),
            ("--age a --age b,c", "age=a+b,c"),
            ("--local=false -", "local=false -"),
            ("f -i", "f -i"),
            ("-- -i", "-i"),
            ("--indent 2 f", "indent=2 f"),
        ];
        for (words, expected) in cases {
            assert_eq!(parsed(Placing::First, words).unwrap(), expected, "{words}");
        }
    }

    #[test]
    fn after_a_command_flags_stand_anywhere() {
        let cases = [
            ("f --output x", "output=x f"),
            ("f -i", "in-place=true f"),
            ("f x --age a y", "age=a f x y"),
            ("f -- --output x", "f --output x"),
            // The word behind a switch goes with it, and ends the flags.
            ("-i f --output x", "in-place=true f --output x"),
            ("f --unknown", "f --unknown"),
        ];
        for (words, expected) in cases {
            assert_eq!(parsed(Placing::Anywhere, words).unwrap(), expected, "{words}");
        }
    }

    #[test]
    fn what_is_no_flag_is_told() {
        let cases = [
            ("--nope f", "flag provided but not defined: -nope"),
            ("--output", "flag needs an argument: -output"),
            ("--indent two", "invalid value for flag -indent: parse error"),
            ("--in-place=maybe", "invalid value for flag -in-place: parse error"),
            ("---i", "bad flag syntax: ---i"),
            ("--=x", "bad flag syntax: --=x"),
        ];
        for (words, expected) in cases {
            assert_eq!(parsed(Placing::First, words).unwrap_err(), expected, "{words}");
        }
    }
}
