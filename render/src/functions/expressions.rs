//! Functions of regular expressions.
//!
//! A search takes up to the size of the compiled expression for every byte that it looks at, and a search for all matches
//! may look at the rest of the text again for each match. Both are paid for.

use gotmpl::Value;
use regex::{Regex, RegexBuilder};

use super::dialect::Pattern;
use super::{Arguments, Budget, Function, MAX_TEXT, Outcome, Refused, int, string, strings, text};

/// The longest expression.
const MAX_PATTERN: usize = 4096;
/// What a byte of an expression costs until it is compiled.
const PARSED: usize = 256;
/// What it costs to look for the other case of a character.
const FOLDED: usize = 4;
/// Sizes of compiled expressions: the least that does tells how much a search may take.
const SIZES: [usize; 4] = [2 << 10, 8 << 10, 32 << 10, 128 << 10];
/// What a byte of a compiled expression costs to make.
const COMPILED: usize = 4;
/// How many bytes of a compiled expression make one unit for each byte of a text.
const STATES: usize = 128;
/// The most groups: a search keeps the places of all of them for each of its states.
const MAX_GROUPS: usize = 32;
/// What a match costs by itself.
const MATCH: usize = 128;

pub(super) const FUNCTIONS: &[Function] = &[
    ("regexMatch", 2, 2, |a| {
        let expression = Expression::of(a)?;
        Ok(Value::Bool(expression.regex.is_match(expression.source)))
    }),
    ("regexFind", 2, 2, |a| {
        let expression = Expression::of(a)?;
        Ok(string(expression.regex.find(expression.source).map_or("", |found| found.as_str())))
    }),
    ("regexReplaceAll", 3, 3, |a| replaced(a, true)),
    ("regexReplaceAllLiteral", 3, 3, |a| replaced(a, false)),
    ("regexSplit", 3, 3, split),
];

/// A compiled expression, and the text for which one search has been paid.
struct Expression<'a> {
    regex: Regex,
    source: &'a str,
    budget: &'a Budget,
    /// What a byte of the text costs.
    weight: usize,
    /// The longest match, if there is one.
    longest: Option<usize>,
}

impl<'a> Expression<'a> {
    /// Of the first argument, for the second.
    fn of(a: &Arguments<'a>) -> Result<Self, Refused> {
        let (pattern, source, budget) = (text(&a.values[0])?, text(&a.values[1])?, a.budget);
        if pattern.len() > MAX_PATTERN {
            return Err(Refused::TooMuch);
        }
        budget.spend(pattern.len() * PARSED)?;
        let Pattern { text: pattern, folded } = Pattern::of_go(pattern).ok_or(Refused::Arguments)?;
        let folding = folded.saturating_mul(FOLDED);
        budget.spend(folding)?;
        let parsed = regex_syntax::parse(&pattern).map_err(|_| Refused::Arguments)?;
        let longest = parsed.properties().maximum_len();
        for size in SIZES {
            budget.spend(folding.saturating_add(size * COMPILED))?;
            match RegexBuilder::new(&pattern).size_limit(size).build() {
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err(Refused::Arguments),
                Ok(regex) if regex.captures_len() > MAX_GROUPS => return Err(Refused::TooMuch),
                Ok(regex) => {
                    let weight = size / STATES * regex.captures_len();
                    budget.spend(source.len().saturating_add(1).saturating_mul(weight))?;
                    return Ok(Self { regex, source, budget, weight, longest });
                }
            }
        }
        Err(Refused::TooMuch)
    }

    /// Pays for looking on after a match that began here.
    fn spend_match(&self, start: usize) -> Result<(), Refused> {
        let rest = self.source.len() - start;
        let looked_at = self.longest.map_or(rest, |longest| longest.min(rest));
        self.budget.spend(looked_at.saturating_mul(self.weight).saturating_add(MATCH))
    }
}

/// Every match by the third argument, in which `$1` and `${name}` are groups if it is expanded.
fn replaced(a: &Arguments<'_>, expanded: bool) -> Outcome {
    let (expression, by) = (Expression::of(a)?, text(&a[2])?);
    let groups = if expanded { by.matches('$').count() } else { 0 };
    let (mut made, mut done) = (String::new(), 0);
    for captures in expression.regex.captures_iter(expression.source) {
        let Some(found) = captures.get(0) else { continue };
        expression.spend_match(found.start())?;
        let more = by.len().saturating_add(groups.saturating_mul(found.len()));
        if made.len() + (found.start() - done) + more > MAX_TEXT {
            return Err(Refused::TooMuch);
        }
        a.budget.spend(more)?;
        made.push_str(&expression.source[done..found.start()]);
        if expanded {
            captures.expand(by, &mut made);
        } else {
            made.push_str(by);
        }
        done = found.end();
    }
    made.push_str(&expression.source[done..]);
    Ok(string(made))
}

/// Up to so many parts, all if negative; a match of nothing at the start separates nothing, as in Go.
fn split(a: &Arguments<'_>) -> Outcome {
    let expression = Expression::of(a)?;
    let most = usize::try_from(int(&a[2])?).unwrap_or(usize::MAX);
    let (source, mut parts, mut done, mut end) = (expression.source, Vec::new(), 0, 0);
    if most == 0 || source.is_empty() {
        return Ok(strings([""][..most.min(1)].iter()));
    }
    for found in expression.regex.find_iter(source) {
        if parts.len() + 1 == most {
            break;
        }
        expression.spend_match(found.start())?;
        end = found.start();
        if found.end() != 0 {
            parts.push(&source[done..end]);
        }
        done = found.end();
    }
    if end != source.len() {
        parts.push(&source[done..]);
    }
    Ok(strings(parts.iter()))
}
