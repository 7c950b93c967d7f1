//! Any text as a file of SOPS, encrypted and not: reading never panics; what encrypts, opens with its checksum, and comes
//! back the same when nothing was edited.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{
    DEFAULT_SUFFIX, Expression, FileKey, Group, Layout, Metadata, Request, Selector, Service, Stash, Wrap, encrypt,
};

const SYNTAXES: [Syntax; 4] = [Syntax::Yaml, Syntax::Json, Syntax::Dotenv, Syntax::Ini];

fn selector(choice: u8) -> Selector {
    let expression = || Expression::parse("encrypted_regex", "^[a-m]").unwrap();
    match choice % 4 {
        0 => Selector::UnencryptedSuffix(DEFAULT_SUFFIX.to_owned()),
        1 => Selector::EncryptedRegex(expression()),
        2 => Selector::UnencryptedRegex(expression()),
        _ => Selector::EncryptedComment(expression()),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, flags], rest)) = data.split_first_chunk::<2>() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let syntax = SYNTAXES[usize::from(choice) % SYNTAXES.len()];
    let Ok(file) = File::parse(text, syntax) else { return };
    let key = FileKey::from_bytes(&[7; 32]).unwrap();
    let cipher = key.cipher();
    if let Ok(layout) = Layout::read(&file) {
        let _ = layout.open(&file, &cipher, flags & 1 == 0);
        return;
    }
    let wrap =
        Wrap { service: Service::Age, key: "age1".into(), enc: "x".into(), fields: Vec::new(), context: Vec::new() };
    let groups = vec![Group { wraps: vec![wrap] }];
    let metadata = Metadata::new(groups, None, selector(choice >> 4), flags & 2 == 2, 1_700_000_000, "3.13.3");
    let request = Request { metadata: &metadata, cipher: &cipher, stash: None, allow_nothing: true };
    let Ok(report) = encrypt(&file, &request, &mut OsRandom) else { return };
    let sealed = File::parse(&report.text, syntax).unwrap();
    let layout = Layout::read(&sealed).unwrap();
    let opened = layout.open(&sealed, &cipher, true).unwrap();
    let Ok(plain) = layout.decrypt(&sealed, &cipher, &opened) else { return };
    let stash = Stash::of(&layout, &sealed, &cipher, &opened, &mut OsRandom).unwrap();
    let again = File::parse(&plain, syntax).unwrap();
    let metadata = &layout.metadata;
    let request = Request { metadata, cipher: &cipher, stash: Some(&stash), allow_nothing: true };
    if let Ok(report) = encrypt(&again, &request, &mut OsRandom) {
        assert_eq!(report.sealed, 0, "every value keeps its token");
    }
});
