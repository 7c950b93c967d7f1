//! Functions of texts, and Go's own that print.

use gotmpl::{Template, Value};
use regex::{Regex, RegexBuilder};

use super::{ANY, Function, Outcome, Refused, int, list, shown, string, strings, text};

/// The widest field of `printf`.
const MAX_WIDTH: usize = 4096;
/// The longest result of one function.
const MAX_TEXT: usize = 2 << 20;
/// What a compiled expression may take.
const MAX_REGEX: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    ("print", 0, ANY, |a| go_print("print", a)),
    ("println", 0, ANY, |a| go_print("println", a)),
    ("printf", 1, ANY, printf),
    ("html", 1, ANY, |a| go_print("html", a)),
    ("js", 1, ANY, |a| go_print("js", a)),
    ("urlquery", 1, ANY, |a| go_print("urlquery", a)),
    ("toString", 1, 1, |a| Ok(string(shown(&a[0])))),
    ("upper", 1, 1, |a| Ok(string(text(&a[0])?.to_uppercase()))),
    ("lower", 1, 1, |a| Ok(string(text(&a[0])?.to_lowercase()))),
    ("title", 1, 1, |a| Ok(string(title(text(&a[0])?)))),
    ("trim", 1, 1, |a| Ok(string(text(&a[0])?.trim()))),
    ("trimAll", 2, 2, |a| Ok(string(text(&a[1])?.trim_matches(among(text(&a[0])?))))),
    ("trimPrefix", 2, 2, |a| Ok(string(text(&a[1])?.strip_prefix(text(&a[0])?).unwrap_or(text(&a[1])?)))),
    ("trimSuffix", 2, 2, |a| Ok(string(text(&a[1])?.strip_suffix(text(&a[0])?).unwrap_or(text(&a[1])?)))),
    ("nospace", 1, 1, |a| Ok(string(text(&a[0])?.split_whitespace().collect::<String>()))),
    ("replace", 3, 3, replace),
    ("repeat", 2, 2, repeat),
    ("substr", 3, 3, substr),
    ("trunc", 2, 2, trunc),
    ("contains", 2, 2, |a| Ok(Value::Bool(text(&a[1])?.contains(text(&a[0])?)))),
    ("hasPrefix", 2, 2, |a| Ok(Value::Bool(text(&a[1])?.starts_with(text(&a[0])?)))),
    ("hasSuffix", 2, 2, |a| Ok(Value::Bool(text(&a[1])?.ends_with(text(&a[0])?)))),
    ("quote", 0, ANY, |a| Ok(joined(a, |part| format!("{part:?}")))),
    ("squote", 0, ANY, |a| Ok(joined(a, |part| format!("'{part}'")))),
    ("cat", 0, ANY, |a| Ok(joined(a, str::to_owned))),
    ("indent", 2, 2, |a| Ok(string(indented(&a[0], &a[1])?))),
    ("nindent", 2, 2, |a| Ok(string(format!("\n{}", indented(&a[0], &a[1])?)))),
    ("split", 2, 2, split),
    ("splitList", 2, 2, |a| Ok(strings(text(&a[1])?.split(text(&a[0])?)))),
    ("join", 2, 2, join),
    ("regexMatch", 2, 2, |a| Ok(Value::Bool(regex(&a[0])?.is_match(text(&a[1])?)))),
    ("regexFind", 2, 2, |a| Ok(string(regex(&a[0])?.find(text(&a[1])?).map_or("", |found| found.as_str())))),
    ("regexReplaceAll", 3, 3, |a| Ok(string(regex(&a[0])?.replace_all(text(&a[1])?, text(&a[2])?)))),
    ("regexReplaceAllLiteral", 3, 3, |a| {
        Ok(string(regex(&a[0])?.replace_all(text(&a[1])?, regex::NoExpand(text(&a[2])?))))
    }),
    ("regexSplit", 3, 3, regex_split),
];

/// One of Go's own, by the engine itself, on no more than may be produced.
fn go_print(function: &str, arguments: &[Value]) -> Outcome {
    let total: usize = arguments.iter().map(|argument| shown(argument).len()).sum();
    if total > MAX_TEXT {
        return Err(Refused::TooMuch);
    }
    let mut source = format!("{{{{ {function}");
    for index in 0..arguments.len() {
        source.push_str(&format!(" (index . {index})"));
    }
    source.push_str(" }}");
    let data = Value::List(arguments.into());
    let template = Template::new("").parse(&source).map_err(|_| Refused::Arguments)?;
    template.execute_to_string(&data).map(string).map_err(|_| Refused::Arguments)
}

fn printf(arguments: &[Value]) -> Outcome {
    if widths(text(&arguments[0])?).any(|width| width.is_none_or(|width| width > MAX_WIDTH)) {
        return Err(Refused::TooMuch);
    }
    go_print("printf", arguments)
}

/// Every width and precision of a format; `None` for one that an argument gives, or that is out of all bounds.
fn widths(format: &str) -> impl Iterator<Item = Option<usize>> {
    format.split('%').skip(1).flat_map(|verb| {
        let end = verb.find(|c: char| c.is_alphabetic()).unwrap_or(verb.len());
        let numbers = verb[..end].split(|c: char| !c.is_ascii_digit() && c != '*').filter(|part| !part.is_empty());
        numbers.map(|number| number.parse().ok()).collect::<Vec<Option<usize>>>()
    })
}

fn title(text: &str) -> String {
    let mut start = true;
    let upper = |c: char| {
        let first = std::mem::replace(&mut start, c.is_whitespace());
        if first { c.to_uppercase().collect::<String>() } else { c.to_string() }
    };
    text.chars().map(upper).collect()
}

fn among(cut: &str) -> impl Fn(char) -> bool + '_ {
    move |c| cut.contains(c)
}

fn replace(a: &[Value]) -> Outcome {
    let (old, new, source) = (text(&a[0])?, text(&a[1])?, text(&a[2])?);
    let count = if old.is_empty() { source.chars().count() + 1 } else { source.matches(old).count() };
    if source.len().saturating_add(count.saturating_mul(new.len())) > MAX_TEXT {
        return Err(Refused::TooMuch);
    }
    Ok(string(source.replace(old, new)))
}

fn repeat(a: &[Value]) -> Outcome {
    let (count, part) = (usize::try_from(int(&a[0])?).map_err(|_| Refused::Arguments)?, text(&a[1])?);
    if count.saturating_mul(part.len()) > MAX_TEXT {
        return Err(Refused::TooMuch);
    }
    Ok(string(part.repeat(count)))
}

fn substr(a: &[Value]) -> Outcome {
    let (start, end, source) = (int(&a[0])?, int(&a[1])?, text(&a[2])?);
    let length = source.chars().count();
    let place = |index: i64| usize::try_from(index).map(|index| index.min(length)).ok();
    let (start, end) = (place(start).unwrap_or(0), place(end).unwrap_or(length));
    Ok(string(source.chars().take(end).skip(start).collect::<String>()))
}

fn trunc(a: &[Value]) -> Outcome {
    let (length, source) = (int(&a[0])?, text(&a[1])?);
    let wanted = usize::try_from(length.unsigned_abs()).map_err(|_| Refused::Arguments)?;
    let skipped = if length < 0 { source.chars().count().saturating_sub(wanted) } else { 0 };
    Ok(string(source.chars().skip(skipped).take(wanted).collect::<String>()))
}

fn joined(arguments: &[Value], shape: impl Fn(&str) -> String) -> Value {
    let parts: Vec<String> = arguments.iter().filter(|a| !matches!(a, Value::Nil)).map(|a| shape(&shown(a))).collect();
    string(parts.join(" "))
}

fn indented(spaces: &Value, source: &Value) -> Result<String, Refused> {
    let spaces = usize::try_from(int(spaces)?).ok().filter(|spaces| *spaces <= MAX_WIDTH).ok_or(Refused::TooMuch)?;
    let source = text(source)?;
    if source.len().saturating_add(spaces.saturating_mul(source.lines().count() + 1)) > MAX_TEXT {
        return Err(Refused::TooMuch);
    }
    let pad = " ".repeat(spaces);
    Ok(format!("{pad}{}", source.replace('\n', &format!("\n{pad}"))))
}

/// Parts under the keys `_0`, `_1` and so on.
fn split(a: &[Value]) -> Outcome {
    let parts = text(&a[1])?.split(text(&a[0])?).enumerate();
    let parts = parts.map(|(index, part)| (format!("_{index}").into(), string(part)));
    Ok(Value::Map(std::sync::Arc::new(parts.collect())))
}

fn join(a: &[Value]) -> Outcome {
    let separator = text(&a[0])?;
    let parts: Vec<String> = match &a[1] {
        Value::List(_) => list(&a[1])?.iter().map(shown).collect(),
        other => vec![shown(other)],
    };
    let total = parts.iter().map(|part| part.len().saturating_add(separator.len())).sum::<usize>();
    if total > MAX_TEXT { Err(Refused::TooMuch) } else { Ok(string(parts.join(separator))) }
}

fn regex(pattern: &Value) -> Result<Regex, Refused> {
    RegexBuilder::new(text(pattern)?).size_limit(MAX_REGEX).build().map_err(|_| Refused::Arguments)
}

/// Up to so many parts; all if negative.
fn regex_split(a: &[Value]) -> Outcome {
    let (expression, source) = (regex(&a[0])?, text(&a[1])?);
    match usize::try_from(int(&a[2])?) {
        Ok(limit) => Ok(strings(expression.splitn(source, limit))),
        Err(_) => Ok(strings(expression.split(source))),
    }
}
