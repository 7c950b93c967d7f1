//! The sealwax encryption format, version 1, and the format of SOPS, on one model of documents.
//!
//! | room | holds |
//! |---|---|
//! | `document` | YAML, JSON, dotenv and INI with the place of every part, and edits that leave the rest alone |
//! | `native` | the format of sealwax: tokens, the key block, encrypting, opening, merging |
//! | `sops` | the format of SOPS, the same way |
//! | `keys` | recipients, identities and wraps |
//! | `path`, `select`, `padding` | where a value stands, which are selected, and what is encrypted of them |
//! | `primitives`, `base64`, `secret`, `secret_text` | ciphers and random bytes; bytes and texts that are wiped |
//!
//! Selected values of a YAML or JSON file become *tokens*; a *key block* in the same document says for which place
//! they are sealed and holds the document's data key, wrapped for every reader as an age file. Everything else in
//! the file stays byte for byte as it was. `docs/format.md` specifies the format; this crate is its first
//! implementation and is pure: no I/O, no clock, no Kubernetes. Random bytes and identities come in as arguments.
//!
//! ```
//! use sealwax_format::document::{File, Syntax};
//! use sealwax_format::keys::{Keyring, Recipient};
//! use sealwax_format::native::{self, Opener, Place, Request};
//! use sealwax_format::{OsRandom, Pattern};
//!
//! let identity = age::x25519::Identity::generate();
//! let alice = Recipient::parse("alice", &identity.to_public().to_string())?;
//! let mut keyring = Keyring::default();
//! keyring.add(alice.label().fingerprint().clone(), Box::new(identity));
//!
//! let plain = "user: admin  # not secret\npassword: hunter2\n";
//! let file = File::parse(plain, Syntax::Yaml)?;
//! let select = [Pattern::parse("password")?];
//! let readers = [alice];
//! let request = Request {
//!     select: &select, place: Place::Context("example".into()), readers: &readers[..], previous: None,
//! };
//! let (sealed, _) = native::encrypt(&file, &[Some(request)], &mut OsRandom)?;
//! assert!(sealed.contains("user: admin  # not secret"));
//! assert!(!sealed.contains("hunter2"));
//!
//! let file = File::parse(&sealed, Syntax::Yaml)?;
//! let opened = native::decrypt(&file, &mut Opener::new(&keyring))?;
//! assert_eq!(*opened.text, plain);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod base64;
pub mod document;
mod error;
pub mod keys;
pub mod native;
mod padding;
mod path;
mod primitives;
mod secret;
mod secret_text;
mod select;
pub mod sops;

pub use error::{Class, Error, Problem};
pub use padding::{MAX_VALUE, Plaintext, ValueType};
pub use path::{MAX_DEPTH, Path, PathError, Step};
pub use primitives::{DataKey, KeyId, OsRandom, Random, RandomError, ValueKey};
pub use secret::SecretBytes;
pub use select::Pattern;
