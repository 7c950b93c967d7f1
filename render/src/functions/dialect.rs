//! The expressions of Go, written as those of the library that runs them, which means the same by nearly all of them.

use regex_syntax::ast::{self, Ast, ClassPerl, ClassPerlKind, ClassSetItem, Flag, Flags, GroupKind, Span};

/// As many characters as there are.
const EVERY: usize = 0x11_0000;

/// An expression, translated.
pub(crate) struct Pattern {
    pub(crate) text: String,
    /// How many characters of classes the parser looks up to find those of the other case, one by one.
    pub(crate) folded: usize,
}

impl Pattern {
    /// Go's `\d`, `\s`, `\w` and `\b` are those of ASCII. The classes of Unicode are not there: which of them are would
    /// depend on how the library is built.
    pub(crate) fn of_go(pattern: &str) -> Option<Self> {
        let tree = ast::parse::Parser::new().parse(pattern).ok()?;
        let found = ast::visit(&tree, Found::default()).ok()?;
        let mut text = String::with_capacity(pattern.len() * 2);
        let mut done = 0;
        for (span, class) in found.edits {
            text.push_str(&pattern[done..span.start.offset]);
            text.push_str(class);
            done = span.end.offset;
        }
        text.push_str(&pattern[done..]);
        Some(Self { text, folded: if found.folds { found.listed } else { 0 } })
    }
}

/// What a walk through an expression finds.
#[derive(Default)]
struct Found {
    /// What to write instead of which places.
    edits: Vec<(Span, &'static str)>,
    /// How many classes the walk is within.
    depth: usize,
    /// How many characters classes list, once for every class that they are within.
    listed: usize,
    /// Whether any part of the expression ignores case.
    folds: bool,
}

/// The expression uses what is not there.
struct Absent;

impl Found {
    fn perl(&mut self, class: &ClassPerl) {
        let ascii = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            (ClassPerlKind::Space, false) => r"[\t\n\f\r\x20]",
            (ClassPerlKind::Space, true) => r"[^\t\n\f\r\x20]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.edits.push((class.span, ascii));
        self.list(if class.negated { EVERY } else { 64 }, self.depth);
    }

    fn list(&mut self, characters: usize, depth: usize) {
        self.listed = self.listed.saturating_add(characters.saturating_mul(depth));
    }

    fn flags(&mut self, flags: &Flags) {
        self.folds |= flags.flag_state(Flag::CaseInsensitive) == Some(true);
    }
}

impl ast::Visitor for Found {
    type Output = Self;
    type Err = Absent;

    fn finish(self) -> Result<Self, Absent> {
        Ok(self)
    }

    fn visit_pre(&mut self, tree: &Ast) -> Result<(), Absent> {
        match tree {
            Ast::ClassPerl(class) => self.perl(class),
            Ast::ClassUnicode(_) => return Err(Absent),
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Group(group) => {
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    self.flags(flags);
                }
            }
            // The items of a class are visited next, within it.
            Ast::ClassBracketed(_) => self.depth += 1,
            Ast::Assertion(assertion) => match assertion.kind {
                ast::AssertionKind::WordBoundary => self.edits.push((assertion.span, r"(?-u:\b)")),
                ast::AssertionKind::NotWordBoundary => self.edits.push((assertion.span, r"(?-u:\B)")),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn visit_post(&mut self, tree: &Ast) -> Result<(), Absent> {
        if let Ast::ClassBracketed(_) = tree {
            self.depth -= 1;
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Absent> {
        match item {
            ClassSetItem::Perl(class) => self.perl(class),
            ClassSetItem::Unicode(_) => return Err(Absent),
            ClassSetItem::Range(range) => {
                let width = u32::from(range.end.c).saturating_sub(u32::from(range.start.c));
                self.list(usize::try_from(width).unwrap_or(EVERY), self.depth);
            }
            ClassSetItem::Ascii(_) => self.list(EVERY, self.depth),
            ClassSetItem::Bracketed(class) => {
                if class.negated {
                    self.list(EVERY, self.depth);
                }
                self.depth += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_post(&mut self, item: &ClassSetItem) -> Result<(), Absent> {
        if let ClassSetItem::Bracketed(_) = item {
            self.depth -= 1;
        }
        Ok(())
    }

    /// Both sides, and what they make, are looked up again.
    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), Absent> {
        self.list(EVERY, 2);
        Ok(())
    }
}
