//! Recipients as people name them on the command line.

use std::path::Path;

use sealwax_format::keys::Recipient;

use crate::error::CommandError;
use crate::{plugins, policy};

/// `RECIPIENT`, `NAME=RECIPIENT` or a file that holds one.
pub(crate) fn parse(flag: &str, text: &str) -> Result<Recipient, CommandError> {
    let (name, rest) = match text.split_once('=') {
        // A base64 key of SSH may end in `=`, and then has a space before it.
        Some((name, rest)) if !name.contains(' ') && !rest.is_empty() && !name.starts_with("age1") => {
            (Some(name.to_owned()), rest.to_owned())
        }
        _ => (None, text.to_owned()),
    };
    let stem = || Path::new(&rest).file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let name = name.or_else(|| if is_file(&rest) { stem() } else { None });
    let key = self::text(&rest)?;
    let parse = |name: &str| {
        let error = |error| CommandError::usage(format!("{flag}: {}", crate::error::chain(&error)));
        plugins::recipient(name, &key).map_err(error)
    };
    match name {
        Some(name) => parse(&name),
        // Named after its key: two people without a name must not pass for one with a newer key.
        None => parse(&format!("key-{}", &parse("key")?.label().fingerprint().as_str()[..8])),
    }
}

/// The public key in a file, or the text itself.
pub(crate) fn text(given: &str) -> Result<String, CommandError> {
    if is_file(given) { policy::first_recipient(Path::new(given)) } else { Ok(given.to_owned()) }
}

/// Whether it names a file. What looks like a key is one, also where a repository holds a file of that name.
pub(crate) fn is_file(given: &str) -> bool {
    let known = ["age1", "ssh-", "AGE-", "age-"].iter().any(|prefix| given.starts_with(prefix));
    !known && Path::new(given).is_file()
}
