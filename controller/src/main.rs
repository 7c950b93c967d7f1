//! The in-cluster program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealwax_controller::main()
}
