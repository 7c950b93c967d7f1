//! The three-way merge of lines: which stretch of the result comes from which side.
//!
//! The usual algorithm, with one freedom that text alone would not allow: changes that touch without overlapping, and
//! entries inserted at the same place, do not clash if they consist of encrypted entries. Whoever calls this proves
//! afterwards that no value was lost.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput};

use super::lines::Line;
use super::version::Three;

/// Where a stretch of the result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From our side; also where nothing changed.
    Ours,
    /// From their side.
    Theirs,
    /// Both, ours first.
    Both,
    /// Both changed it.
    Clash,
}

/// A stretch, and the lines of each text that it stands for.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) origin: Origin,
    pub(super) base: Range<usize>,
    pub(super) ours: Range<usize>,
    pub(super) theirs: Range<usize>,
}

/// Weaves three texts. With `split`, stretches that clash are cut down to the lines that differ between the sides; not
/// possible where the base is to be shown beside them.
pub(super) fn weave(lines: &Three<Vec<Line>>, split: bool) -> Vec<Chunk> {
    let changes = Changes { lines, ours: hunks(&lines.base, &lines.ours), theirs: hunks(&lines.base, &lines.theirs) };
    let mut weaver = Weaver { lines, split, chunks: Vec::new(), at: Three::default() };
    let mut seen = (0, 0);
    while let Some((first, is_ours)) = changes.next(seen) {
        let from = seen;
        let mut region = Region::of(&changes, first, is_ours);
        advance(&mut seen, is_ours);
        while let Some((hunk, is_ours)) = changes.next(seen)
            && region.takes(&changes, hunk, is_ours)
        {
            advance(&mut seen, is_ours);
        }
        weaver.region(&region, &changes.ours[from.0..seen.0], &changes.theirs[from.1..seen.1]);
    }
    weaver.same(lines.base.len());
    weaver.chunks
}

fn advance(seen: &mut (usize, usize), is_ours: bool) {
    if is_ours {
        seen.0 += 1;
    } else {
        seen.1 += 1;
    }
}

/// The changed stretches between two texts.
pub(super) fn hunks(before: &[Line], after: &[Line]) -> Vec<Hunk> {
    let mut input = InternedInput::default();
    input.update_before(before.iter().map(|line| line.key.as_str()));
    input.update_after(after.iter().map(|line| line.key.as_str()));
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    diff.hunks().collect()
}

/// What both sides changed.
struct Changes<'l> {
    lines: &'l Three<Vec<Line>>,
    ours: Vec<Hunk>,
    theirs: Vec<Hunk>,
}

impl Changes<'_> {
    /// The next change in order of the base, and whether it is ours. Insertions come before changes at the same line.
    fn next(&self, seen: (usize, usize)) -> Option<(&Hunk, bool)> {
        let place = |hunk: &Hunk| (hunk.before.start, hunk.before.end);
        match (self.ours.get(seen.0), self.theirs.get(seen.1)) {
            (Some(ours), Some(theirs)) if place(theirs) < place(ours) => Some((theirs, false)),
            (Some(ours), _) => Some((ours, true)),
            (None, theirs) => Some((theirs?, false)),
        }
    }

    /// Whether a change takes away and brings nothing but encrypted entries.
    fn is_of_entries(&self, hunk: &Hunk, is_ours: bool) -> bool {
        let changed = if is_ours { &self.lines.ours } else { &self.lines.theirs };
        let mut lines = self.lines.base[range(&hunk.before)].iter().chain(&changed[range(&hunk.after)]);
        lines.all(|line| line.entry)
    }
}

/// Changes that belong together because they overlap or touch.
struct Region {
    base: Range<usize>,
    /// Whose it is, as long as all of it is of one side and of entries.
    entries_of: Option<bool>,
}

impl Region {
    fn of(changes: &Changes<'_>, hunk: &Hunk, is_ours: bool) -> Self {
        let entries_of = changes.is_of_entries(hunk, is_ours).then_some(is_ours);
        Self { base: range(&hunk.before), entries_of }
    }

    /// Adds a change if it belongs here.
    fn takes(&mut self, changes: &Changes<'_>, hunk: &Hunk, is_ours: bool) -> bool {
        let before = range(&hunk.before);
        // Two insertions at one point have no order.
        let ordered = !(self.base.is_empty() && before.is_empty());
        let apart = ordered && self.entries_of == Some(!is_ours) && changes.is_of_entries(hunk, is_ours);
        if before.start > self.base.end || (before.start == self.base.end && apart) {
            return false;
        }
        self.base.end = self.base.end.max(before.end);
        self.entries_of = None;
        true
    }
}

struct Weaver<'l> {
    lines: &'l Three<Vec<Line>>,
    split: bool,
    chunks: Vec<Chunk>,
    /// How far the chunks reach in each text.
    at: Three<usize>,
}

impl Weaver<'_> {
    /// Nothing changed up to a line of the base.
    fn same(&mut self, end: usize) {
        let length = end - self.at.base;
        self.push(Origin::Ours, length, length, length);
    }

    /// Adds a stretch of so many lines of each text.
    fn push(&mut self, origin: Origin, base: usize, ours: usize, theirs: usize) {
        if (base, ours, theirs) != (0, 0, 0) {
            let at = &mut self.at;
            let end = Three { base: at.base + base, ours: at.ours + ours, theirs: at.theirs + theirs };
            let chunk =
                Chunk { origin, base: at.base..end.base, ours: at.ours..end.ours, theirs: at.theirs..end.theirs };
            self.chunks.push(chunk);
            *at = end;
        }
    }

    fn region(&mut self, region: &Region, ours: &[Hunk], theirs: &[Hunk]) {
        self.same(region.base.start);
        let base = region.base.len();
        let length = |hunks: &[Hunk]| {
            let gone: usize = hunks.iter().map(|hunk| hunk.before.len()).sum();
            let come: usize = hunks.iter().map(|hunk| hunk.after.len()).sum();
            base + come - gone
        };
        match (ours, theirs) {
            (_, []) => self.push(Origin::Ours, base, length(ours), base),
            ([], _) => self.push(Origin::Theirs, base, base, length(theirs)),
            _ => self.clash(base, length(ours), length(theirs)),
        }
    }

    /// A stretch that both changed: cut into what they agree on and what not.
    fn clash(&mut self, base: usize, ours: usize, theirs: usize) {
        let (from_ours, from_theirs) = (self.at.ours, self.at.theirs);
        let a = &self.lines.ours[from_ours..from_ours + ours];
        let b = &self.lines.theirs[from_theirs..from_theirs + theirs];
        let hunks = hunks(a, b);
        let differ: usize = hunks.iter().map(|hunk| hunk.before.len()).sum();
        // Only what both brought is left to decide if what they agree on accounts for all of the base.
        let nothing_lost = base <= ours - differ;
        if !self.split && !hunks.is_empty() {
            let origin = if nothing_lost && base == 0 { decide(a, b) } else { Origin::Clash };
            self.push(origin, base, ours, theirs);
            return;
        }
        let mut base = base;
        let mut agreed = 0;
        for hunk in &hunks {
            let (before, after) = (range(&hunk.before), range(&hunk.after));
            let same = before.start - agreed;
            self.push(Origin::Ours, if nothing_lost { same.min(base) } else { 0 }, same, same);
            base -= if nothing_lost { same.min(base) } else { 0 };
            agreed = before.end;
            if nothing_lost {
                let origin = decide(&a[before.clone()], &b[after.clone()]);
                self.push(origin, 0, before.len(), after.len());
            } else {
                self.push(Origin::Clash, base, before.len(), after.len());
                base = 0;
            }
        }
        let same = ours - agreed;
        self.push(Origin::Ours, base, same, same);
    }
}

/// What becomes of lines that both sides brought to the same place.
fn decide(ours: &[Line], theirs: &[Line]) -> Origin {
    let entries =
        |lines: &[Line]| lines.iter().all(|line| line.entry || line.trivial) && lines.iter().any(|line| line.entry);
    match (ours, theirs) {
        ([], theirs) if entries(theirs) => Origin::Theirs,
        (ours, []) if entries(ours) => Origin::Ours,
        (ours, theirs) if entries(ours) && entries(theirs) => Origin::Both,
        _ => Origin::Clash,
    }
}

/// Positions as Rust counts them.
pub(super) fn range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}
