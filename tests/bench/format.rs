//! The steps inside the library on a large document: 10,000 values, one reader (X25519), one data key.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::format_collect,
    reason = "a benchmark"
)]

#[path = "common/mod.rs"]
mod common;

use common::Group;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Fingerprint, Keyring, Recipient, pq};
use sealwax_format::native::{self, Layout, Opener, Place, Request};
use sealwax_format::{DataKey, OsRandom, Pattern};

const VALUES: usize = 10_000;

fn main() {
    let mut group = Group::begin("format");
    let identity = pq::Identity::generate();
    let reader = Recipient::parse("bench", &identity.to_public().to_string()).unwrap();
    let key = DataKey::mint(&mut OsRandom).unwrap();
    group.time("wrap a data key for a post-quantum reader", 51, || drop(reader.wrap(&key).unwrap()));
    let wraps = [(reader.label().clone(), reader.wrap(&key).unwrap())];
    let mut keyring = Keyring::default();
    keyring.add(Fingerprint::of(reader.canonical()), Box::new(identity));
    group.time("open it", 51, || drop(keyring.open(&key.id(), &wraps).unwrap()));

    let readers = [reader];
    let source: String = (0..VALUES).map(|number| format!("key{number}: value{number}\n")).collect();
    let select = [Pattern::parse("**").unwrap()];
    let file = File::parse(&source, Syntax::Yaml).unwrap();
    let request = || {
        let place = Place::Context("bench".to_owned());
        [Some(Request { select: &select, place, readers: &readers[..], previous: None })]
    };
    group.time("encrypt 10,000 values", 11, || drop(native::encrypt(&file, &request(), &mut OsRandom).unwrap()));
    let (sealed, _) = native::encrypt(&file, &request(), &mut OsRandom).unwrap();
    group.time("parse the encrypted file", 11, || drop(File::parse(&sealed, Syntax::Yaml).unwrap()));
    let file = File::parse(&sealed, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    group.time("open 10,000 values", 11, || {
        drop(native::open_all(&file, &layout, &mut Opener::new(&keyring)).unwrap());
    });
    group.time("open them and restore the file", 11, || {
        drop(native::decrypt(&file, &mut Opener::new(&keyring)).unwrap());
    });
    group.end();
}
