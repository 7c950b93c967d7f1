//! The outcomes of a command over several files, of which some wait for their replacement to be in place.

use crate::error::CommandError;
use crate::files::{Batch, Staged};
use crate::ui::Note;

/// The outcomes of a command over several files, some of them waiting for their file to be replaced.
#[derive(Default)]
pub(crate) struct Outcomes {
    files: Vec<Result<Vec<Note>, CommandError>>,
    batch: Batch,
    /// The outcome that each replacement of the batch belongs to.
    waiting: Vec<usize>,
}

impl Outcomes {
    /// Adds a file: what to say of it, once its replacement, if it has one, is in place.
    pub(crate) fn add(&mut self, outcome: Result<(Option<Staged>, Vec<Note>), CommandError>) {
        self.files.push(outcome.map(|(staged, notes)| {
            if let Some(staged) = staged {
                self.batch.add(staged);
                self.waiting.push(self.files.len());
            }
            notes
        }));
    }

    /// Replaces the files, all or each with its own failure.
    pub(crate) fn commit(mut self) -> Vec<Result<Vec<Note>, CommandError>> {
        for (position, written) in self.waiting.into_iter().zip(self.batch.commit()) {
            if let Err(error) = written {
                self.files[position] = Err(error);
            }
        }
        self.files
    }
}
