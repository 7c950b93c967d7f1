//! The only file of xtask that prints. Progress goes to standard error, results to standard output.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output passes through here alone")]

use std::error::Error;

/// Prints one line of result.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Says what begins now.
pub(crate) fn progress(text: &str) {
    eprintln!("xtask: {text}");
}

/// Prints an error and everything beneath it.
pub(crate) fn error(error: &dyn Error) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  caused by: {error}");
        cause = error.source();
    }
}
