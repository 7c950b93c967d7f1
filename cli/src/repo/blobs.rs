//! The contents of many objects by one process.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};

use sealwax_format::SecretBytes;

use super::Repository;
use crate::error::CommandError;

/// A process that gives contents of objects, one after the other.
pub(crate) struct Blobs {
    child: Child,
    asks: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

/// What Git says of an object.
pub(crate) enum Answer {
    Contents(SecretBytes),
    /// Larger than was asked for.
    Large,
    /// Not in this clone, which must not pass for nothing.
    Missing,
}

impl Answer {
    /// The contents, if they were read.
    pub(crate) fn contents(self) -> Option<SecretBytes> {
        if let Self::Contents(contents) = self { Some(contents) } else { None }
    }
}

impl Repository {
    /// Starts reading objects.
    pub(crate) fn blobs(&self) -> Result<Blobs, CommandError> {
        let mut child = self.git(["cat-file", "--batch"]).start()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (asks, answers) = pipes.ok_or_else(|| CommandError::refused("git cat-file: has no pipes"))?;
        Ok(Blobs { child, asks: Some(BufWriter::new(asks)), answers: BufReader::with_capacity(64 * 1024, answers) })
    }
}

impl Blobs {
    /// The contents of an object of at most `largest` bytes; `None` for one that is larger or missing.
    pub(crate) fn read(&mut self, object: &str, largest: usize) -> Result<Option<SecretBytes>, CommandError> {
        let answer = self.ask(object).and_then(|()| self.answer(largest)).map_err(|error| failed(object, &error))?;
        Ok(answer.contents())
    }

    /// The contents of many objects that a commit or the index names, in their order. They are asked for ahead,
    /// so that Git does not wait for us.
    pub(crate) fn read_all(&mut self, objects: &[&str], largest: usize) -> Result<Vec<Answer>, CommandError> {
        // A few at a time: both pipes full, each would wait for the other.
        let mut contents = Vec::with_capacity(objects.len());
        for some in objects.chunks(500) {
            let mut asked = || some.iter().try_for_each(|object| self.queue(object)).and_then(|()| self.flush());
            asked().map_err(|error| failed(some[0], &error))?;
            for object in some {
                contents.push(self.answer(largest).map_err(|error| failed(object, &error))?);
            }
        }
        Ok(contents)
    }

    fn ask(&mut self, object: &str) -> io::Result<()> {
        self.queue(object)?;
        self.flush()
    }

    fn queue(&mut self, object: &str) -> io::Result<()> {
        if object.contains(['\n', '\0']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of an object"));
        }
        let asks = self.asks.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(asks, "{object}")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.asks.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.flush()
    }

    /// `<object> <type> <size>`, the contents and a line break; or a line without a size.
    fn answer(&mut self, largest: usize) -> io::Result<Answer> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(size) = line.trim_end().rsplit(' ').next().and_then(|size| size.parse::<usize>().ok()) else {
            return Ok(Answer::Missing);
        };
        let size = size + 1;
        if size > largest {
            io::copy(&mut self.answers.by_ref().take(size as u64), &mut io::sink())?;
            return Ok(Answer::Large);
        }
        let mut contents = zeroize::Zeroizing::new(vec![0; size]);
        self.answers.read_exact(&mut contents)?;
        contents.pop();
        Ok(Answer::Contents(SecretBytes::from(contents)))
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        self.asks = None;
        // After an error it may still have much to say, and would wait for ever until somebody listens.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failed(object: &str, error: &io::Error) -> CommandError {
    CommandError::refused(format!("git cat-file: {object} cannot be read: {error}"))
}
