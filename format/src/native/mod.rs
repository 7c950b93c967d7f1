//! The native format, version 1: tokens where the values were, and a key block.

mod change;
mod fold;
mod keyblock;
mod layout;
mod merge;
mod open;
mod place;
mod seal;
mod token;
mod value;

pub use change::{set_value, unset_value};
pub use fold::{Rewrap, fold, rewrap};
pub use keyblock::{DocumentKey, KeyBlock, KeyBlockError, SealedFor, parse_readers};
pub use layout::{API_GROUP, ENCRYPTED_SECRET, Layout, Object, OwnTokens};
pub use merge::{Conflict, Markers, Merged, Reason, Texts, is_sound, merge};
pub use open::{Decrypted, Opened, Opener, WrappedKey, decrypt, key_of, open_all, open_all_at, open_leaf};
pub use place::{LiveObject, Place, Scope};
pub use seal::{Previous, Report, Request, encrypt, is_selected, same_place};
pub use token::{Token, TokenError, TokenKey};
pub use value::{Readers, open_sealed, seal_alone};
