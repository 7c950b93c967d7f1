//! The process that keeps servers and programs under test alive exactly as long as whoever started it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealwax_tests::supervisor::main()
}
