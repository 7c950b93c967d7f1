//! The lines of a source, and what is asked of all lines between two of them without a walk over each: a file may hold a
//! hundred thousand comments.

/// Where the line starts that an offset is on.
pub(crate) fn line_start(source: &str, offset: usize) -> usize {
    source.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
}

/// Lines by their numbers, from 1.
pub(crate) struct Lines {
    starts: Vec<usize>,
    empty: Last,
    blank: Last,
    solid: Last,
    filled: Runs,
    inked: Runs,
}

impl Lines {
    pub(crate) fn of(source: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(source.match_indices('\n').map(|(at, _)| at + 1));
        let texts = || source.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let column = |line: &str| line.find(|c| c != ' ');
        Self {
            starts,
            empty: Last::of(texts().map(str::is_empty)),
            blank: Last::of(texts().map(|line| line.trim().is_empty())),
            solid: Last::of(texts().map(str::trim).map(|line| !line.is_empty() && !line.starts_with('#'))),
            filled: Runs::of(texts().map(|line| column(line).filter(|_| !line.trim().is_empty()))),
            inked: Runs::of(texts().map(column)),
        }
    }

    /// The line of an offset.
    pub(crate) fn number(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// Where the line of an offset starts.
    pub(crate) fn start(&self, offset: usize) -> usize {
        self.number(offset).checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or_default()
    }

    /// Whether a line between two, which do not count themselves, has no character.
    pub(crate) fn has_empty(&self, above: usize, below: usize) -> bool {
        self.empty.is_between(above, below)
    }

    /// Whether one has nothing but white space.
    pub(crate) fn has_blank(&self, above: usize, below: usize) -> bool {
        self.blank.is_between(above, below)
    }

    /// Whether one holds something, and no comment.
    pub(crate) fn has_solid(&self, above: usize, below: usize) -> bool {
        self.solid.is_between(above, below)
    }

    /// Whether all that are not blank start in this column.
    pub(crate) fn start_in(&self, above: usize, below: usize, column: usize) -> bool {
        self.filled.are_in(above, below, column)
    }

    /// The same, where only spaces count as nothing.
    pub(crate) fn start_in_after_spaces(&self, above: usize, below: usize, column: usize) -> bool {
        self.inked.are_in(above, below, column)
    }
}

/// For each line the last one up to it that has a property, or 0.
struct Last(Vec<usize>);

impl Last {
    fn of(has: impl Iterator<Item = bool>) -> Self {
        let mut last = vec![0];
        for (index, has) in has.enumerate() {
            let before = last.last().copied().unwrap_or_default();
            last.push(if has { index + 1 } else { before });
        }
        Self(last)
    }

    fn is_between(&self, above: usize, below: usize) -> bool {
        below.checked_sub(1).and_then(|line| self.0.get(line)).is_some_and(|last| *last > above)
    }
}

/// For each line the last one up to it that starts somewhere.
struct Runs(Vec<Run>);

#[derive(Clone, Copy, Default)]
struct Run {
    line: usize,
    column: usize,
    /// The last one before it that starts in another column.
    other: usize,
}

impl Runs {
    fn of(columns: impl Iterator<Item = Option<usize>>) -> Self {
        let mut runs = vec![Run::default()];
        for (index, column) in columns.enumerate() {
            let last = runs.last().copied().unwrap_or_default();
            runs.push(match column {
                Some(column) if column == last.column => Run { line: index + 1, ..last },
                Some(column) => Run { line: index + 1, column, other: last.line },
                None => last,
            });
        }
        Self(runs)
    }

    fn are_in(&self, above: usize, below: usize, column: usize) -> bool {
        let last = below.checked_sub(1).and_then(|line| self.0.get(line)).copied().unwrap_or_default();
        last.line <= above || (last.column == column && last.other <= above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_of_many_lines_what_a_walk_over_them_says() {
        let source = "a\n  b\n\n  # c\r\n\r\n\t\n   \n  d\n# e\n# f\n\n";
        let lines = Lines::of(source);
        let texts: Vec<_> = source.split('\n').map(|line| line.trim_end_matches('\r')).collect();
        for above in 0..=texts.len() {
            for below in above..=texts.len() + 1 {
                let between = || texts.iter().take(below.saturating_sub(1)).skip(above);
                let filled = || between().filter(|line| !line.trim().is_empty());
                let column = |line: &&str| line.find(|c| c != ' ');
                assert_eq!(lines.has_empty(above, below), between().any(|line| line.is_empty()));
                assert_eq!(lines.has_blank(above, below), between().any(|line| line.trim().is_empty()));
                assert_eq!(lines.has_solid(above, below), filled().any(|line| !line.trim().starts_with('#')));
                for wanted in 0..4 {
                    let same = filled().all(|line| column(line) == Some(wanted));
                    assert_eq!(lines.start_in(above, below, wanted), same, "{above} {below} {wanted}");
                    let same = between().filter_map(column).all(|column| column == wanted);
                    assert_eq!(lines.start_in_after_spaces(above, below, wanted), same, "{above} {below} {wanted}");
                }
            }
        }
    }

    #[test]
    fn finds_the_line_of_an_offset() {
        let source = "ab\n\ncd";
        let lines = Lines::of(source);
        let found: Vec<_> = (0..=source.len()).map(|offset| (lines.number(offset), lines.start(offset))).collect();
        assert_eq!(found, [(1, 0), (1, 0), (1, 0), (2, 3), (3, 4), (3, 4), (3, 4)]);
        assert!((0..=source.len()).all(|offset| lines.start(offset) == line_start(source, offset)));
    }
}
