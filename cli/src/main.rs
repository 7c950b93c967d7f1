//! The `sealwax` command. Everything is in the library; this is the process around it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealwax::run()
}
