//! Encrypted files as a team makes them: a start, and edits of it through the format's own operations.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use proptest::prelude::*;
use sealwax_format::document::rewrite::Rewrite;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Keyring, Recipient};
use sealwax_format::native::{self, Layout, Opener, Place, Request, Rewrap, TokenKey};
use sealwax_format::{OsRandom, Path, Pattern, Plaintext, SecretBytes, ValueType};

use crate::Tokens;

/// Readers of the tests' files, and a key that opens everything.
struct Team {
    people: Vec<Recipient>,
    keyring: Keyring,
}

static TEAM: LazyLock<Team> = LazyLock::new(|| {
    let mut keyring = Keyring::default();
    let people = ["alice", "bob", "carol"].map(|name| {
        let identity = age::x25519::Identity::generate();
        let person = Recipient::parse(name, &identity.to_public().to_string()).unwrap();
        keyring.add(person.label().fingerprint().clone(), Box::new(identity));
        person
    });
    Team { people: people.into(), keyring }
});

/// Every token of a text by document and path, without its wraps.
pub(crate) fn tokens(text: &str, syntax: Syntax) -> Tokens {
    let mut tokens = Tokens::new();
    let file = File::parse(text, syntax).unwrap();
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).unwrap();
        for leaf in &layout.leaves {
            let Some(value) = leaf.scalar.filter(|scalar| scalar.value.starts_with("ENC[")) else { continue };
            let token = native::Token::parse(&value.value).unwrap();
            let id = match &token.key {
                TokenKey::Document(short) => short.clone(),
                TokenKey::Own { id, .. } => id.to_string(),
            };
            tokens.insert(leaf.path.to_string(), (id, token.sealed));
        }
    }
    tokens
}

/// A file sealed anew for another place, as `rebind` does: some text outside the values is replaced.
pub(crate) fn moved(text: &str, from: &str, to: &str) -> String {
    let plain = open(text, Syntax::Yaml).unwrap().replace(from, to);
    with(&plain, Syntax::Yaml, 2, |file, request| {
        native::encrypt(file, &[Some(request)], &mut OsRandom).unwrap().0.to_string()
    })
}

/// A file that is no Kubernetes object, with every `k` and `v.*` sealed that is not yet.
pub(crate) fn seal(text: &str) -> String {
    with(text, Syntax::Yaml, 2, |file, request| {
        native::encrypt(file, &[Some(request)], &mut OsRandom).unwrap().0.to_string()
    })
}

/// A value replaced, by its path.
pub(crate) fn replaced(text: &str, path: &str, value: &str) -> String {
    with(text, Syntax::Yaml, 2, |file, request| {
        let layout = Layout::read(file, 0).unwrap();
        let plaintext = Plaintext::canonical(ValueType::String, SecretBytes::from(value.as_bytes().to_vec()));
        let path = Path::parse(path).unwrap();
        native::set_value(file, &layout, &request, &path, &plaintext, &mut OsRandom).unwrap().to_string()
    })
}

/// Opens everything.
pub(crate) fn open(text: &str, syntax: Syntax) -> Result<String, sealwax_format::Error> {
    let file = File::parse(text, syntax)?;
    native::decrypt(&file, &mut Opener::new(&TEAM.keyring)).map(|opened| opened.text.to_string())
}

/// How a file begins.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) syntax: Syntax,
    shape: usize,
    cut: bool,
}

/// Plain files of six values `k0` to `k5` below one mapping, with something between them.
const SHAPES: [(Syntax, &str); 6] = [
    (
        Syntax::Yaml,
        "host: plain-0 # c\nv:\n  k0: a\n  # note\n  k1: b # why\n  k2: |\n    two\n    lines\n\n  k3: c\n  k4: 'd'\n  k5: e\n",
    ),
    (Syntax::Yaml, "v: {k0: a, k1: b, k2: \"c\", k3: 1, k4: d, k5: e}\nhost: plain-0\n"),
    (
        Syntax::Json,
        "{\n  \"host\": \"plain-0\",\n  \"v\": {\n    \"k0\": \"a\",\n    \"k1\": \"b\",\n    \"k2\": \"c\",\n    \"k3\": 1,\n    \"k4\": \"d\",\n    \"k5\": \"e\"\n  }\n}\n",
    ),
    (
        Syntax::Yaml,
        "apiVersion: v1\nkind: Secret\nmetadata: {namespace: prod, name: db} # plain-0\nstringData:\n  k0: a\n  k1: b\n  k2: c\n  k3: \"1\"\n  k4: d\n  k5: e\n",
    ),
    (
        Syntax::Yaml,
        "apiVersion: sealwax.dev/v1alpha1\nkind: EncryptedSecret\nmetadata:\n  name: db\n  namespace: prod\n  labels: {a: plain-0}\nspec:\n  data:\n    k0: a\n    k1: b\n    k2: c\n    k3: d\n    k4: e\n    k5: f\n",
    ),
    (Syntax::Yaml, "host: plain-0\r\nv:\r\n  k0: a\r\n  k1: b\r\n  k2: c\r\n  k3: d\r\n\r\n  k4: e\r\n  k5: f\r\n"),
];

/// Any start.
pub(crate) fn start() -> impl Strategy<Value = Start> {
    (0..SHAPES.len(), any::<bool>()).prop_map(|(shape, cut)| Start { syntax: SHAPES[shape].0, shape, cut })
}

/// Sealed once for each shape: what is drawn at random in it does not matter.
static STARTS: LazyLock<Mutex<HashMap<(usize, bool), String>>> = LazyLock::new(Mutex::default);

impl Start {
    /// A shape by its number.
    pub(crate) const fn of(shape: usize) -> Self {
        Self { syntax: SHAPES[shape].0, shape, cut: false }
    }

    /// The file, encrypted.
    pub(crate) fn text(&self) -> String {
        let mut known = STARTS.lock().unwrap();
        let plain = SHAPES[self.shape].1;
        let seal = |plain: &str| {
            with(plain, self.syntax, 2, |file, request| native::encrypt(file, &[Some(request)], &mut OsRandom))
                .ok()
                .map(|(text, _)| text.to_string())
        };
        // Some shapes need their last line break.
        let sealed = || self.cut.then(|| seal(plain.trim_end())).flatten().or_else(|| seal(plain)).unwrap();
        known.entry((self.shape, self.cut)).or_insert_with(sealed).clone()
    }
}

/// Something that a branch does to a file.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// Replaces or adds a value.
    Set { key: usize, value: u8 },
    /// Takes one out.
    Unset { key: usize },
    /// Encrypts everything under a new key, for this many people.
    Fold { people: usize },
    /// Wraps everything for this many people.
    Rewrap { people: usize },
    /// Changes text that is not encrypted.
    Plain { value: u8 },
    /// Adds a comment after a line.
    Comment { line: usize },
}

/// A few edits, most of them of values; keys beyond `k5` are new.
pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let one = prop_oneof![
        5 => (0..9_usize, any::<u8>()).prop_map(|(key, value)| Edit::Set { key, value }),
        2 => (0..8_usize).prop_map(|key| Edit::Unset { key }),
        1 => (1..4_usize).prop_map(|people| Edit::Fold { people }),
        1 => (2..4_usize).prop_map(|people| Edit::Rewrap { people }),
        1 => (0..3_u8).prop_map(|value| Edit::Plain { value }),
        1 => (0..12_usize).prop_map(|line| Edit::Comment { line }),
    ];
    prop::collection::vec(one, 0..5)
}

/// Makes an edit; one that is not possible changes nothing.
pub(crate) fn edit(text: &str, syntax: Syntax, edit: &Edit) -> String {
    let changed = match edit {
        Edit::Set { key, value } => with(text, syntax, 2, |file, request| {
            let layout = Layout::read(file, 0).unwrap();
            let plaintext = Plaintext::canonical(ValueType::String, SecretBytes::from(vec![b'a' + value % 26; 9]));
            native::set_value(file, &layout, &request, &path(&layout, *key), &plaintext, &mut OsRandom)
                .ok()
                .map(|text| text.to_string())
        }),
        Edit::Unset { key } => with(text, syntax, 2, |file, _| {
            let layout = Layout::read(file, 0).unwrap();
            native::unset_value(file, &layout, &path(&layout, *key)).ok().map(|text| text.to_string())
        }),
        Edit::Fold { people } => with(text, syntax, *people, |file, request| {
            let layout = Layout::read(file, 0).unwrap();
            let opened = native::open_all(file, &layout, &mut Opener::new(&TEAM.keyring)).unwrap();
            let mut rewrite = Rewrite::new(file);
            native::fold(file, &layout, &opened, &request.place, request.readers, &mut OsRandom, &mut rewrite).unwrap();
            rewrite.finish().ok().map(|text| text.to_string())
        }),
        Edit::Rewrap { people } => with(text, syntax, *people, |file, request| {
            let layout = Layout::read(file, 0).unwrap();
            let mut rewrite = Rewrite::new(file);
            native::rewrap(
                file,
                &layout,
                &mut Opener::new(&TEAM.keyring),
                request.readers,
                Rewrap::Match,
                &mut rewrite,
            )
            .unwrap();
            rewrite.finish().ok().map(|text| text.to_string())
        }),
        Edit::Plain { value } => Some(text.replacen("plain-0", &format!("plain-{value}"), 1)),
        Edit::Comment { line } => {
            let lines: Vec<_> = text.split_inclusive('\n').collect();
            let at = line % lines.len();
            let (before, after) = (lines[..at].concat(), lines[at..].concat());
            let commented = format!("{before}# a comment\n{after}");
            // Within a block scalar it would be part of the value.
            (syntax == Syntax::Yaml && open(&commented, syntax).is_ok()).then_some(commented)
        }
    };
    changed.unwrap_or_else(|| text.to_owned())
}

fn path(layout: &Layout<'_>, key: usize) -> Path {
    let key = format!("k{key}");
    match &layout.object {
        Some(object) if object.is_encrypted_secret() => Path::of_keys(&["spec", "data", &key]),
        Some(_) => Path::of_keys(&["stringData", &key]),
        None => Path::of_keys(&["v", &key]),
    }
}

/// Calls with a parsed file and what a write needs, for so many people.
fn with<T>(
    text: &str,
    syntax: Syntax,
    people: usize,
    work: impl FnOnce(&File<'_>, Request<'_, [Recipient]>) -> T,
) -> T {
    let file = File::parse(text, syntax).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let place = match &layout.object {
        Some(object) => object.place(native::Scope::Strict, None, None).unwrap(),
        None => Place::Context("tests".into()),
    };
    let select = ["v.*", "**.k", "stringData.*"].map(|pattern| Pattern::parse(pattern).unwrap());
    work(&file, Request { select: &select, place, readers: &TEAM.people[..people], previous: None })
}
