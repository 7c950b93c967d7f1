//! `sealwax keygen`.

use std::path::PathBuf;

use crate::error::{Code, CommandError};
use crate::keyring;
use crate::ui::{Note, Ui};

/// Make a private key and print its public half, the recipient
///
/// The key goes to ~/.config/sealwax/identity.txt, where every command finds it, or to the file that -o names,
/// readable by you only. An existing file is never overwritten. It is an ordinary age identity file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Make a post-quantum key (ML-KEM-768 with X25519); its recipient has 2,000 characters
    #[arg(long)]
    pq: bool,
    /// Where to write the private key
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => keyring::configured_or_error()?,
    };
    let recipient = keyring::create(&path, args.pq)?;
    ui.data(format!("{recipient}\n").as_bytes())?;
    ui.notes(&[Note::Done(format!("private key written to {}", path.display()))]);
    Ok(Code::Done)
}
