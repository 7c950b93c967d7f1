//! Any text: what can be encrypted comes back byte for byte, and nothing panics.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Fingerprint, Keyring, Label};
use sealwax_format::native::{self, Layout, Opener, Place, Readers, Request, Scope};
use sealwax_format::{DataKey, OsRandom, Pattern, Problem};

/// One reader whose wrap is made once: asymmetric cryptography would only slow the search for bugs in the documents.
struct Fixed {
    identity: age::x25519::Identity,
    label: Label,
}

static FIXED: LazyLock<Fixed> = LazyLock::new(|| {
    let identity = age::x25519::Identity::generate();
    let fingerprint = Fingerprint::of(&identity.to_public().to_string());
    Fixed { label: Label::new("fuzz", fingerprint).unwrap(), identity }
});

impl Readers for Fixed {
    fn wraps(&self, key: &DataKey) -> Result<Vec<(Label, Vec<u8>)>, Problem> {
        let wrap = sealwax_format::keys::wrap(key, &self.identity.to_public()).unwrap();
        Ok(vec![(self.label.clone(), wrap)])
    }
}

fuzz_target!(|source: &str| {
    for syntax in [Syntax::Yaml, Syntax::Json] {
        round_trip(source, syntax);
    }
});

fn round_trip(source: &str, syntax: Syntax) {
    let Ok(file) = File::parse(source, syntax) else { return };
    let select = [Pattern::parse("**").unwrap()];
    let mut requests = Vec::new();
    for index in 0..file.documents.len() {
        let Ok(layout) = Layout::read(&file, index) else { return };
        let place = match &layout.object {
            Some(object) => object.place(Scope::Cluster, None, None).unwrap(),
            None => Place::Context(String::new()),
        };
        requests.push(Some(Request { select: &select, place, readers: &*FIXED, previous: None }));
    }
    let Ok((sealed, reports)) = native::encrypt(&file, &requests, &mut OsRandom) else { return };
    if reports.iter().all(|report| report.sealed.is_empty()) {
        return;
    }
    // A source that held a key block already has wraps that are not ours.
    if source.contains("sealwax") || source.contains("sealedFor") || source.contains("ENC[") {
        return;
    }
    let file = File::parse(&sealed, syntax).unwrap();
    let mut keyring = Keyring::default();
    keyring.add(FIXED.label.fingerprint().clone(), Box::new(FIXED.identity.clone()));
    let opened = native::decrypt(&file, &mut Opener::new(&keyring)).unwrap();
    assert_eq!(*opened.text, source);
}
