//! The only file that prints.
//!
//! Data goes to standard output; everything else to standard error. Errors start with `error:`, hints with `hint:`,
//! in lower case and without a full stop in the former, full sentences in the latter. Colour only on a terminal and
//! without `NO_COLOR`. A reader that closes the pipe early is no error.
#![expect(clippy::unused_self, reason = "holding a `Ui` is the right to print")]

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sealwax_format::SecretBytes;
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};

/// Standard output and standard error of this run.
pub(crate) struct Ui {
    colour: bool,
}

/// What a command says about its work besides its data.
#[derive(Debug)]
pub(crate) enum Note {
    /// Something was done.
    Done(String),
    /// Something to look at.
    Warning(String),
    /// Something to do.
    Hint(String),
}

impl Ui {
    pub(crate) fn new() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stderr().is_terminal() && !no_colour }
    }

    /// Data: exactly as it is for programs, with control characters escaped on a terminal.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), CommandError> {
        let escaped = io::stdout().is_terminal().then(|| escape(bytes));
        let bytes = escaped.as_ref().map_or(bytes, |text| text.as_bytes());
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CommandError::refused(format!("standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// A value: on a terminal it ends with a line break.
    pub(crate) fn value(&self, value: &SecretBytes) -> Result<(), CommandError> {
        self.data(value.expose())?;
        if io::stdout().is_terminal() && !value.expose().ends_with(b"\n") {
            self.data(b"\n")?;
        }
        Ok(())
    }

    /// What was done, warned of and suggested.
    pub(crate) fn notes(&self, notes: &[Note]) {
        for note in notes {
            match note {
                Note::Done(text) => tell("", text),
                Note::Warning(text) => tell(&self.paint("33", "warning: "), text),
                Note::Hint(text) => tell(&self.paint("36", "hint: "), text),
            }
        }
    }

    /// A line for the runner of a CI job, which reads standard error too: data must stay data.
    pub(crate) fn workflow_command(&self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// A failure.
    pub(crate) fn error(&self, error: &CommandError) {
        tell(&self.paint("31", "error: "), error.message());
        for hint in error.hints() {
            tell(&self.paint("36", "hint: "), hint);
        }
    }

    /// The outcomes of several files, in the order of the command line; the worst decides the exit code.
    pub(crate) fn outcomes(&self, outcomes: Vec<Result<Vec<Note>, CommandError>>) -> Code {
        let mut code = Code::Done;
        for outcome in outcomes {
            match outcome {
                Ok(notes) => self.notes(&notes),
                Err(error) => {
                    self.error(&error);
                    code = code.max(error.code());
                }
            }
        }
        code
    }

    /// One of many things failed; the others go on.
    pub(crate) fn failed(&self, error: &CommandError) -> Code {
        self.error(error);
        error.code()
    }

    /// How far a long operation is: shown on a terminal once it lasts, and gone when it ends.
    pub(crate) fn progress(&self, doing: &'static str, total: usize) -> Progress {
        let bar = ProgressBar::new(total as u64);
        // Short work would only flicker.
        let shown = total > 100 && io::stderr().is_terminal();
        bar.set_draw_target(if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} files, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(doing);
        if let Ok(mut current) = BAR.lock() {
            *current = Some(bar.clone());
        }
        Progress { bar }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The bar that may be on the terminal: it must not be drawn over a question, however many threads move it.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Held while somebody is asked: files are worked on at the same time, and questions come one after the other.
static ASKING: Mutex<()> = Mutex::new(());

/// Asks while the bar is away and waits.
fn asking<T>(ask: impl FnOnce() -> T) -> T {
    let _alone = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    let bar = BAR.lock().ok().and_then(|current| current.clone());
    match bar.filter(|bar| !bar.is_finished()) {
        Some(bar) => bar.suspend(ask),
        None => ask(),
    }
}

/// How a command shows what it found.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// "1 file", "2 files".
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A bar on a terminal; nothing elsewhere.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// One more is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    /// Takes the bar away while something else is printed.
    pub(crate) fn hidden<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes it away.
    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}

/// Says a line. Names of files, rules and keys come from a repository, and may hold anything; and who reads messages may be
/// gone, which is no reason to stop in the middle of the work.
fn tell(kind: &str, text: &str) {
    let _ = writeln!(io::stderr().lock(), "{kind}{}", *escape(text.as_bytes()));
}

/// Puts a question and reads the line behind it; empty at the end of the input.
fn answer(question: &str) -> Option<String> {
    let _ = write!(io::stderr().lock(), "{}", *escape(question.as_bytes()));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).ok()?;
    Some(answer)
}

/// Text for a terminal, on which control characters could move the cursor, hide text, turn it around, or worse.
fn escape(bytes: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
    let mut shown = Zeroizing::new(String::with_capacity(text.len()));
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if turns || (c.is_control() && !matches!(c, '\n' | '\t')) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Asks for a secret without showing it; `None` without a terminal.
pub(crate) fn hidden_prompt(question: &str) -> Option<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let question = escape(format!("{question}: ").as_bytes());
    asking(|| rpassword::prompt_password(&*question)).ok().map(Zeroizing::new)
}

/// Asks a yes-or-no question; `false` without a terminal.
pub(crate) fn confirm(question: &str) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    let answer = asking(|| answer(&format!("{question} [Y/n] ")));
    answer.is_some_and(|answer| !answer.is_empty() && !answer.trim().eq_ignore_ascii_case("n"))
}

/// Asks for agreement to something that is not to happen by a mere key stroke; `false` without a terminal.
pub(crate) fn agree(question: &str) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    let answer = asking(|| answer(&format!("{question} [y/N] ")));
    answer.is_some_and(|answer| matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Whether someone can answer.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// A message from a plugin.
pub(crate) fn message(text: &str) {
    tell("", text);
}

/// Asks for a line of text; `None` without a terminal.
pub(crate) fn ask(question: &str) -> Option<String> {
    if !is_interactive() {
        return None;
    }
    let answer = asking(|| answer(&format!("{question}: ")))?;
    Some(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// Puts a question to whoever or whatever writes to standard input; `None` at its end.
pub(crate) fn line(question: &str) -> Option<String> {
    let answer = asking(|| answer(question)).filter(|answer| !answer.is_empty())?;
    Some(answer.trim().to_owned())
}

/// Something to look at, outside a command's own notes.
pub(crate) fn warn(text: &str) {
    tell("warning: ", text);
}
