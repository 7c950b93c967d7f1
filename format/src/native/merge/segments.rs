//! A merged text in the making: stretches that are decided, and stretches that are left to a person.

use super::lines::Line;
use super::version::{Side, Three};
use super::weave::{hunks, range};
use super::{Conflict, Markers, Reason};
use crate::path::Path;

/// What each side has in the place of the other's.
pub(super) struct Clash {
    pub(super) texts: Three<String>,
    /// Which values it is about, and why.
    pub(super) about: Vec<(Option<Path>, Reason)>,
}

enum Segment {
    Clean(String),
    Clash(Clash),
}

/// The stretches in order.
#[derive(Default)]
pub(super) struct Segments(Vec<Segment>);

impl Segments {
    /// Two texts with every difference left to a person.
    pub(super) fn side_by_side(ours: &[Line], theirs: &[Line]) -> Self {
        let text = |lines: &[Line]| lines.iter().map(|line| line.key.as_str()).collect::<String>();
        let mut segments = Self::default();
        let mut at = 0;
        for hunk in hunks(ours, theirs) {
            let (before, after) = (range(&hunk.before), range(&hunk.after));
            segments.clean(&text(&ours[at..before.start]));
            at = before.end;
            let texts = Three { base: String::new(), ours: text(&ours[before]), theirs: text(&theirs[after]) };
            segments.clash(Clash { texts, about: vec![(None, Reason::Whole)] });
        }
        segments.clean(&text(&ours[at..]));
        segments
    }

    /// Adds what is decided.
    pub(super) fn clean(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Segment::Clean(standing)) => standing.push_str(text),
            _ => self.0.push(Segment::Clean(text.to_owned())),
        }
    }

    /// Adds what is not, to what stands right before it if that is not decided either. If the sides turn out alike,
    /// it is decided after all.
    pub(super) fn clash(&mut self, clash: Clash) {
        if clash.texts.ours == clash.texts.theirs {
            return self.clean(&clash.texts.ours);
        }
        match self.0.last_mut() {
            Some(Segment::Clash(standing)) => {
                standing.texts.base.push_str(&clash.texts.base);
                standing.texts.ours.push_str(&clash.texts.ours);
                standing.texts.theirs.push_str(&clash.texts.theirs);
                standing.about.extend(clash.about);
            }
            _ => self.0.push(Segment::Clash(clash)),
        }
    }

    /// Sees to it that what is decided so far ends with a sign, before its white space.
    pub(super) fn end_with(&mut self, sign: char) {
        if let Some(Segment::Clean(text)) = self.0.last_mut() {
            let end = text.trim_end().len();
            if !text[..end].ends_with(sign) {
                text.insert(end, sign);
            }
        }
    }

    /// The text as it would be with everything that is not decided resolved to one side.
    pub(super) fn resolved(&self, side: Side) -> String {
        let texts = self.0.iter().map(|segment| match segment {
            Segment::Clean(text) => text.as_str(),
            Segment::Clash(clash) => clash.texts.of(side).as_str(),
        });
        texts.collect()
    }

    /// The text with markers, and what is left to decide.
    pub(super) fn marked(&self, markers: &Markers<'_>, line_break: &str) -> (String, Vec<Conflict>) {
        let mut text = String::new();
        let mut conflicts = Vec::new();
        for segment in &self.0 {
            let clash = match segment {
                Segment::Clean(clean) => {
                    text.push_str(clean);
                    continue;
                }
                Segment::Clash(clash) => clash,
            };
            end_line(&mut text, line_break);
            let line = text.matches('\n').count() + 1;
            let told = clash.about.iter().cloned().map(|(path, reason)| Conflict { line, path, reason });
            conflicts.extend(told);
            let mut mark = |sign: &str, label: &str, part: &str| {
                let space = if label.is_empty() { "" } else { " " };
                text.push_str(&format!("{}{space}{label}{line_break}{part}", sign.repeat(markers.size)));
                end_line(&mut text, line_break);
            };
            mark("<", markers.ours, &clash.texts.ours);
            if let Some(label) = markers.base {
                mark("|", label, &clash.texts.base);
            }
            mark("=", "", &clash.texts.theirs);
            mark(">", markers.theirs, "");
        }
        (text, conflicts)
    }
}

fn end_line(text: &mut String, line_break: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(line_break);
    }
}
