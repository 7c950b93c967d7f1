//! Go's grammar of expressions: read piece by piece, and written anew from pieces that mean the same to this program's
//! library.

use super::character_class::{self, escape};

/// The longest expression that is looked at, in bytes.
const LONGEST: usize = 8 << 10;
/// Most repetitions that Go takes, those of groups within groups multiplied.
const MAX_REPETITIONS: u32 = 1000;

/// Why an expression is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is none for Go.
    Invalid,
    /// Go takes it, or may do so, and this program cannot say the same.
    Unsure(&'static str),
}

/// What stands before the place that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing that could be repeated.
    Nothing,
    /// A piece that stands for at most so many copies of what is in it.
    Piece(u32),
    /// The same with a repetition behind it.
    Repeated(u32),
    /// Flags, or quotes without a text: Go repeats what stands before those.
    Unseen,
}

/// An expression being read.
struct Reader<'s> {
    rest: &'s str,
    out: String,
    last: Last,
    /// The most copies in each group that is open, the whole expression first.
    groups: Vec<u32>,
}

/// The same expression for this program's library.
pub(super) fn translate(source: &str) -> Result<String, Refusal> {
    // Looking for the ends of what it holds takes time by the square of its length.
    if source.len() > LONGEST {
        return Err(Refusal::Unsure("more than 8,192 bytes"));
    }
    let mut reader =
        Reader { rest: source, out: String::with_capacity(source.len()), last: Last::Nothing, groups: vec![1] };
    while let Some(c) = reader.next() {
        reader.piece(c)?;
    }
    // A group that has no end.
    if reader.groups.len() == 1 { Ok(reader.out) } else { Err(Refusal::Invalid) }
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn put(&mut self, written: &str) {
        self.out.push_str(written);
        self.last = Last::Piece(1);
    }

    fn literal(&mut self, c: char) {
        escape(c, &mut self.out);
        self.last = Last::Piece(1);
    }

    fn piece(&mut self, c: char) -> Result<(), Refusal> {
        match c {
            '(' => return self.open(),
            ')' => return self.close(),
            '|' => {
                self.out.push('|');
                self.last = Last::Nothing;
            }
            '^' => self.put("^"),
            '$' => self.put("$"),
            '.' => self.put("."),
            '[' => {
                let class = character_class::bracketed(&mut self.rest)?;
                self.put(&class);
            }
            '*' => return self.repeat("*", 1),
            '+' => return self.repeat("+", 1),
            '?' => return self.repeat("?", 1),
            '{' => match self.counts()? {
                Some((written, copies)) => return self.repeat(&written, copies),
                None => self.literal('{'),
            },
            '\\' => return self.escaped(),
            other => self.literal(other),
        }
        Ok(())
    }

    /// After an opening parenthesis.
    fn open(&mut self) -> Result<(), Refusal> {
        if self.rest.starts_with("?P<") || self.rest.starts_with("?<") {
            let (start, rest) = self.rest.split_once('>').ok_or(Refusal::Invalid)?;
            let name = start.trim_start_matches("?P<").trim_start_matches("?<");
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(Refusal::Invalid);
            }
            self.rest = rest;
            self.out.push_str("(?:");
        } else if self.skip("?") {
            let (flags, is_group) = self.flags()?;
            if !is_group {
                if !flags.is_empty() {
                    self.out.push_str(&format!("(?{flags})"));
                }
                self.last = Last::Unseen;
                return Ok(());
            }
            self.out.push_str(&format!("(?{flags}:"));
        } else {
            self.out.push_str("(?:");
        }
        self.groups.push(1);
        self.last = Last::Nothing;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refusal> {
        // The whole expression is no group.
        let copies = self.groups.pop().filter(|_| !self.groups.is_empty()).ok_or(Refusal::Invalid)?;
        self.out.push(')');
        self.last = Last::Piece(copies);
        self.count(copies);
        Ok(())
    }

    /// Notes for the group around it how many copies a piece stands for.
    fn count(&mut self, copies: u32) {
        if let Some(group) = self.groups.last_mut() {
            *group = copies.max(*group);
        }
    }

    /// Flags to their colon or parenthesis, and whether a group begins. What is stated twice counts as stated last.
    fn flags(&mut self) -> Result<(String, bool), Refusal> {
        let mut states: [(char, Option<bool>); 4] = [('i', None), ('m', None), ('s', None), ('U', None)];
        let (mut sets, mut any) = (true, false);
        loop {
            let c = self.next().ok_or(Refusal::Invalid)?;
            match c {
                '-' if sets => (sets, any) = (false, false),
                ':' | ')' if sets || any => {
                    let with = |wanted| states.iter().filter(move |(_, state)| *state == Some(wanted));
                    let mut flags: String = with(true).map(|(flag, _)| flag).collect();
                    let cleared: String = with(false).map(|(flag, _)| flag).collect();
                    if !cleared.is_empty() {
                        flags.push('-');
                        flags.push_str(&cleared);
                    }
                    return Ok((flags, c == ':'));
                }
                _ => {
                    let state = states.iter_mut().find(|(flag, _)| *flag == c).ok_or(Refusal::Invalid)?;
                    state.1 = Some(sets);
                    any = true;
                }
            }
        }
    }

    /// `{n}`, `{n,}` or `{n,m}` after its brace, and the most copies; what has another form is text for Go.
    fn counts(&mut self) -> Result<Option<(String, u32)>, Refusal> {
        let Some((inner, rest)) = self.rest.split_once('}') else { return Ok(None) };
        let (least, most) = inner
            .split_once(',')
            .map_or((inner, Some(inner)), |(least, most)| (least, Some(most).filter(|most| !most.is_empty())));
        let is_number = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit())
                && (text == "0" || !text.is_empty() && !text.starts_with('0'))
        };
        if !is_number(least) || !most.is_none_or(is_number) {
            return Ok(None);
        }
        let number =
            |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MAX_REPETITIONS).ok_or(Refusal::Invalid);
        let (least, most) = (number(least)?, most.map(number).transpose()?);
        if most.is_some_and(|most| most < least) {
            return Err(Refusal::Invalid);
        }
        let written = format!("{{{inner}}}");
        self.rest = rest;
        Ok(Some((written, most.unwrap_or(least).max(1))))
    }

    /// A repetition, and the question mark of one that prefers fewer.
    fn repeat(&mut self, written: &str, copies: u32) -> Result<(), Refusal> {
        let within = match self.last {
            Last::Piece(within) => within,
            Last::Nothing | Last::Repeated(_) => return Err(Refusal::Invalid),
            Last::Unseen => return Err(Refusal::Unsure("a repetition behind flags or empty quotes")),
        };
        let copies = copies.saturating_mul(within);
        if copies > MAX_REPETITIONS {
            return Err(Refusal::Invalid);
        }
        self.out.push_str(written);
        if self.skip("?") {
            self.out.push('?');
        }
        self.last = Last::Repeated(copies);
        self.count(copies);
        Ok(())
    }

    /// After a backslash.
    fn escaped(&mut self) -> Result<(), Refusal> {
        for (letter, written) in [("A", "\\A"), ("z", "\\z"), ("b", "(?-u:\\b)"), ("B", "(?-u:\\B)")] {
            if self.skip(letter) {
                self.put(written);
                return Ok(());
            }
        }
        if self.skip("Q") {
            let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            self.last = Last::Unseen;
            quoted.chars().for_each(|c| self.literal(c));
            return Ok(());
        }
        if let Some(class) = character_class::by_letter(&mut self.rest)? {
            self.put(&format!("[{class}]"));
            return Ok(());
        }
        let c = character_class::character(&mut self.rest)?;
        self.literal(c);
        Ok(())
    }
}
