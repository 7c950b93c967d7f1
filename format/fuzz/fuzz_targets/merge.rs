//! Three texts put together from lines of encrypted files: merging never panics, and what it calls merged has a key for
//! each of its tokens.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sealwax_format::document::rewrite::Rewrite;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Keyring, Recipient};
use sealwax_format::native::{self, Layout, Markers, Opener, Place, Request, Texts};
use sealwax_format::{OsRandom, Path, Pattern, Plaintext, SecretBytes, ValueType};

const PLAIN: &str = "a: one\nb:\n  c: two # x\n  d: 'three'\nl:\n- e: four\n- e: five\n# end\n";

/// Lines of one file before and after an edit and a fold, and some that no file of ours has.
static LINES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let identity = age::x25519::Identity::generate();
    let reader = Recipient::parse("fuzz", &identity.to_public().to_string()).unwrap();
    let mut keyring = Keyring::default();
    keyring.add(reader.label().fingerprint().clone(), Box::new(identity));
    let select = [Pattern::parse("**").unwrap()];
    let readers = [reader];
    let request =
        || Request { select: &select, place: Place::Context("fuzz".into()), readers: &readers[..], previous: None };
    let sealed = {
        let file = File::parse(PLAIN, Syntax::Yaml).unwrap();
        native::encrypt(&file, &[Some(request())], &mut OsRandom).unwrap().0
    };
    let file = File::parse(&sealed, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let value = Plaintext::canonical(ValueType::String, SecretBytes::from(b"six".to_vec()));
    let path = Path::parse("b.c").unwrap();
    let edited = native::set_value(&file, &layout, &request(), &path, &value, &mut OsRandom).unwrap();
    let opened = native::open_all(&file, &layout, &mut Opener::new(&keyring)).unwrap();
    let mut rewrite = Rewrite::new(&file);
    native::fold(&file, &layout, &opened, &request().place, &readers[..], &mut OsRandom, &mut rewrite).unwrap();
    let folded = rewrite.finish().unwrap();
    let other = "---\n\nb: {c: 1}\n  f: >-\n    g\n]\n\"h\": \"i\r\n";
    [&*sealed, &*edited, &*folded, other]
        .iter()
        .flat_map(|text| text.split_inclusive('\n'))
        .map(str::to_owned)
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let lines =
        |bytes: &[u8]| bytes.iter().filter_map(|byte| LINES.get(usize::from(*byte))).cloned().collect::<String>();
    let mut parts = data.splitn(3, |byte| *byte == 0xff).map(lines);
    let mut next = || parts.next().unwrap_or_default();
    let (base, ours, theirs) = (next(), next(), next());
    for base_label in [None, Some("base")] {
        let markers = Markers { size: 7, ours: "ours", theirs: "theirs", base: base_label };
        let texts = Texts { base: &base, ours: &ours, theirs: &theirs };
        let Some(merged) = native::merge(&texts, Syntax::Yaml, &markers) else { return };
        if merged.conflicts.is_empty() {
            assert!(native::is_sound(&merged.text, Syntax::Yaml), "{}", *merged.text);
        }
    }
});
