//! What is each kind's own: where its values come from, and the plan, which is pure. `feeding` observes, asks for the plan
//! and applies it.

pub mod encrypted_secret;
pub mod external_secret;
