//! Makes the native vectors. Random bytes come from SHA-256 over the vector's name, wraps from age; the identities are
//! fixed and protect nothing.

use age::secrecy::ExposeSecret as _;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::{Recipient, pq};
use sealwax_format::native::{self, Layout, Object, Place, Request, Scope};
use sealwax_format::{
    DataKey, OsRandom, Path, Pattern, Plaintext, Random, RandomError, SecretBytes, ValueType, base64,
};
use sha2::{Digest as _, Sha256};

use super::{Vector, folder, keyring, read};

/// SHA-256 in counter mode over a name, and a record of what was drawn.
struct Recorded {
    name: String,
    counter: u32,
    drawn: Vec<u8>,
}

impl Random for Recorded {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        let digest = Sha256::digest(format!("{} {}", self.name, self.counter));
        self.counter += 1;
        buffer.copy_from_slice(&digest[..buffer.len()]);
        self.drawn.extend_from_slice(buffer);
        Ok(())
    }
}

struct Keys {
    alice: String,
    cluster: String,
}

const SECRET: &str = "\
# two secrets and a comment
apiVersion: v1
kind: Secret
metadata: {namespace: prod, name: db}
type: Opaque
stringData:
  username: admin
  password: \"hunter2\"  # do not tell
  empty: ''
  tls.key: |
    -----BEGIN KEY-----
    MIIB

    -----END KEY-----
";

const ENCRYPTED_SECRET: &str = "\
apiVersion: sealwax.dev/v1alpha1
kind: EncryptedSecret
metadata:
  namespace: prod
  name: db
spec:
  data:
    password: hunter2
    blob: !!binary AP8A/w==
";

const VALUES: &str = "\
database:
  password: secret
  port: 5432
  ratio: -1.5e3
  tls: yes
  since: 2024-05-01
  hex: 0x1F
users:
  - {name: a, token: \"t\\u00e9\\n1\"}
  - name: b
    token: >-
      folded
      text
keep: |+
  kept

raw: 'it''s'
long: plain text
  continued
";

/// Writes every vector.
pub(crate) fn all() {
    let keys = Keys {
        alice: "AGE-SECRET-KEY-1G0Q5K9TV4REQ3ZSQRMTMG8NSWQGYT0T7TZ33RAZEE0GZYVZN0APSU24RK7".to_owned(),
        cluster: cluster_identity(),
    };
    for old in std::fs::read_dir(folder()).unwrap() {
        let path = old.unwrap().path();
        if path.extension().is_some_and(|e| e == "vector" || e == "plain") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let secret = positive(&keys, "secret", SECRET, Syntax::Yaml, "stringData.*", Scope::Strict);
    positive(&keys, "secret-namespace-scope", SECRET, Syntax::Yaml, "stringData.*", Scope::Namespace);
    let custom = positive(&keys, "encrypted-secret", ENCRYPTED_SECRET, Syntax::Yaml, "spec.data.*", Scope::Strict);
    let values = positive(&keys, "values", VALUES, Syntax::Yaml, "**", Scope::Strict);
    let two = format!("{SECRET}---\n{VALUES}");
    positive(&keys, "documents-crlf", &two.replace('\n', "\r\n"), Syntax::Yaml, "**", Scope::Strict);
    positive(&keys, "no-final-newline", "\u{feff}a: |\n  text\nb: >\n  last", Syntax::Yaml, "**", Scope::Strict);
    positive(&keys, "flow", "{a: secret, b: [1, {c: 'd'}], e: clear}\n", Syntax::Yaml, "**", Scope::Strict);
    positive(
        &keys,
        "long-value",
        &format!("a: {}\nb: {}\n", "x".repeat(300), "y".repeat(5000)),
        Syntax::Yaml,
        "**",
        Scope::Strict,
    );
    positive(
        &keys,
        "json",
        "{\n  \"a\": \"\\ud83d\\ude00\",\n  \"b\": [1, true, null, \"x\"]\n}\n",
        Syntax::Json,
        "**",
        Scope::Strict,
    );
    positive(&keys, "json-compact", "{\"a\":{\"b\":\"c\"}}", Syntax::Json, "**", Scope::Strict);
    own_keys(&keys, &custom);
    negatives(&keys, &secret, &values, &custom);
}

/// A fixed post-quantum identity: the first one that was made, kept in the vectors themselves.
fn cluster_identity() -> String {
    let kept = std::fs::read_to_string(folder().join("encrypted-secret.vector")).ok();
    let kept = kept.as_deref().map(Vector::parse).and_then(|vector| vector.get("identity").map(str::to_owned));
    kept.unwrap_or_else(|| pq::Identity::generate().to_secret_string().expose_secret().to_owned())
}

fn readers(keys: &Keys) -> Vec<Recipient> {
    let alice: age::x25519::Identity = keys.alice.parse().unwrap();
    let cluster: pq::Identity = keys.cluster.parse().unwrap();
    vec![
        Recipient::parse("alice", &alice.to_public().to_string()).unwrap(),
        Recipient::parse("prod", &cluster.to_public().to_string()).unwrap(),
    ]
}

fn place(layout: &Layout<'_>, scope: Scope) -> Place {
    let object = layout.object.as_ref();
    object.map_or(Place::Context("vectors".to_owned()), |object: &Object| object.place(scope, None, None).unwrap())
}

fn positive(keys: &Keys, name: &str, plain: &str, syntax: Syntax, select: &str, scope: Scope) -> String {
    let file = File::parse(plain, syntax).unwrap();
    let select = [Pattern::parse(select).unwrap()];
    let readers = readers(keys);
    let requests: Vec<_> = (0..file.documents.len())
        .map(|index| {
            let place = place(&Layout::read(&file, index).unwrap(), scope);
            Some(Request { select: &select, place, readers: readers.as_slice(), previous: None })
        })
        .collect();
    let mut random = Recorded { name: name.to_owned(), counter: 0, drawn: Vec::new() };
    let (sealed, _) = native::encrypt(&file, &requests, &mut random).unwrap();
    let identity = if name.starts_with("encrypted") { &keys.cluster } else { &keys.alice };
    let drawn = data_encoding::HEXLOWER.encode(&random.drawn);
    write_positive(name, plain, &sealed, syntax, identity, Some(drawn));
    sealed.to_string()
}

fn write_positive(name: &str, plain: &str, sealed: &str, syntax: Syntax, identity: &str, random: Option<String>) {
    let mut fields = vec![("expect".to_owned(), "success".to_owned())];
    fields.push(("syntax".to_owned(), if syntax == Syntax::Json { "json" } else { "yaml" }.to_owned()));
    fields.push(("identity".to_owned(), identity.to_owned()));
    fields.extend(random.map(|random| ("random".to_owned(), random)));
    let values = read(sealed, syntax, &keyring(identity)).unwrap();
    fields.extend(values.into_iter().map(|value| ("value".to_owned(), value)));
    write(name, &Vector { fields, file: sealed.to_owned() });
    save(&format!("{name}.plain"), plain);
}

fn own_keys(keys: &Keys, custom: &str) {
    let file = File::parse(custom, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let readers = readers(keys);
    let place = place(&layout, Scope::Strict);
    let request = Request { select: &[], place, readers: readers.as_slice(), previous: None };
    let value = Plaintext::canonical(ValueType::String, SecretBytes::from(b"later".to_vec()));
    let path = Path::of_keys(&["spec", "data", "later"]);
    let sealed = native::set_value(&file, &layout, &request, &path, &value, &mut OsRandom).unwrap();
    let plain = format!("{ENCRYPTED_SECRET}    later: later\n");
    write_positive("encrypted-secret-own-key", &plain, &sealed, Syntax::Yaml, &keys.cluster, None);
    let swapped = swap_last_two_readers(&sealed);
    negative("token-unsorted-labels", "token", &swapped, &keys.cluster);
    negative("token-two-spaces", "token", &sealed.replacen(",\n      prod@", ",\n\n      prod@", 1), &keys.cluster);
}

fn swap_last_two_readers(sealed: &str) -> String {
    let lines: Vec<&str> = sealed.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("      prod@") && line.ends_with(']')).unwrap();
    let (alice, prod) = (lines[at - 1].trim_end_matches(','), lines[at].trim_end_matches(']'));
    let (first, second) = (format!("{prod},"), format!("{alice}]"));
    let mut swapped = lines.clone();
    swapped[at - 1] = &first;
    swapped[at] = &second;
    swapped.join("\n") + "\n"
}

fn negatives(keys: &Keys, secret: &str, values: &str, custom: &str) {
    let alice = keys.alice.as_str();
    let bad = |name: &str, class: &str, text: &str| negative(name, class, text, alice);
    let key = secret.lines().find_map(|line| line.trim().strip_prefix("key: ")).unwrap().to_owned();
    let short = &key[..8];

    bad(
        "place-namespace",
        "place",
        &secret.replacen("namespace: prod, name: db}\ntype", "namespace: staging, name: db}\ntype", 1),
    );
    bad("place-name", "place", &secret.replacen("name: db}\ntype", "name: other}\ntype", 1));
    bad(
        "place-context-in-object",
        "place",
        &secret.replace("sealedFor: {namespace: prod, name: db}", "sealedFor: {context: prod}"),
    );
    bad(
        "place-object-in-file",
        "place",
        &values.replace("sealedFor: {context: vectors}", "sealedFor: {namespace: a, name: b}"),
    );
    bad(
        "altered-widened",
        "altered",
        &secret.replace("sealedFor: {namespace: prod, name: db}", "sealedFor: {namespace: \"*\", name: \"*\"}"),
    );
    bad("altered-kind", "altered", &secret.replace("kind: Secret", "kind: ConfigMap"));
    bad("altered-group", "altered", &secret.replace("apiVersion: v1", "apiVersion: example.com/v1"));
    bad("altered-key-renamed", "altered", &secret.replace("  password: >-", "  passwort: >-"));
    bad("altered-context", "altered", &values.replace("{context: vectors}", "{context: other}"));
    bad("altered-bit", "altered", &flip_in_token(secret));
    bad("document-duplicate-key", "document", &secret.replace("type: Opaque\n", "type: Opaque\ntype: Opaque\n"));
    bad("document-anchor", "document", &secret.replace("  password: >-", "  password: &a >-"));
    bad("block-version", "block", &secret.replace("version: 1", "version: 2"));
    bad("block-version-quoted", "block", &secret.replace("version: 1", "version: \"1\""));
    bad("block-unknown-field", "block", &secret.replace("  version: 1\n", "  version: 1\n  extra: 1\n"));
    bad("block-without-key", "block", &secret.replace(&format!("  key: {key}\n"), ""));
    bad("block-upper-case-key", "block", &secret.replace(&key, &key.to_uppercase()));
    bad("block-label", "block", &secret.replace("    alice@", "    Alice@"));
    bad("block-missing", "block", &secret[..secret.find("sealwax:").unwrap()]);
    bad("mixed-keys-token", "mixed-keys", &secret.replacen(&format!("ENC[wax1,{short}"), "ENC[wax1,aaaaaaaa", 1));
    bad("mixed-keys-wrap", "mixed-keys", &secret.replacen(&format!("{short}:"), "aaaaaaaa:", 1));
    bad("token-foreign", "token", &secret.replacen("ENC[wax1", "ENC[wax2", 1));
    bad("token-cut-off", "token", &secret.replacen("=]", "=", 1));
    let padded_inside = format!("ENC[wax1,{short},{}AA==AAAA]", "A".repeat(128));
    bad("token-padding-inside", "token", &replace_token(secret, &padded_inside));
    bad("token-white-space", "token", &secret.replacen(&format!("{short},"), &format!("{short}, "), 1));
    bad("token-short-ciphertext", "token", &replace_token(secret, &format!("ENC[wax1,{short},AAAA]")));
    negative("no-identity", "no-identity", secret, &fresh_identity());
    bad("wrap-bit", "wrap", &flip_in_wrap(secret, short));
    grease(keys, secret, short);
    crafted(keys, custom);
    other_key(keys, secret, &key);
}

fn fresh_identity() -> String {
    age::x25519::Identity::generate().to_string().expose_secret().to_owned()
}

/// Flips a bit in the middle of the first token's ciphertext.
fn flip_in_token(text: &str) -> String {
    let start = text.find("ENC[wax1,").unwrap() + 60;
    let old = &text[start..=start];
    let new = if old == "A" { "B" } else { "A" };
    format!("{}{new}{}", &text[..start], &text[start + 1..])
}

fn flip_in_wrap(text: &str, short: &str) -> String {
    let start = text.find(&format!("{short}:")).unwrap() + 200;
    let new = if &text[start..=start] == "A" { "B" } else { "A" };
    format!("{}{new}{}", &text[..start], &text[start + 1..])
}

fn replace_token(text: &str, token: &str) -> String {
    let start = text.find("ENC[wax1,").unwrap();
    let end = start + text[start..].find(']').unwrap() + 1;
    format!("{}{token}{}", &text[..start], &text[end..])
}

/// A wrap with a second stanza in it, otherwise good: what the age tools themselves may write.
fn grease(keys: &Keys, secret: &str, short: &str) {
    let alice: age::x25519::Identity = keys.alice.parse().unwrap();
    let file = File::parse(secret, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let key = layout.block.as_ref().unwrap().key.clone().unwrap();
    let data_key = keyring(&keys.alice).open(&key.id, &key.wraps).unwrap();
    let bob = age::x25519::Identity::generate().to_public();
    let both: [&dyn age::Recipient; 2] = [&alice.to_public(), &bob];
    let mut wrap = Vec::new();
    let mut writer = age::Encryptor::with_recipients(both.into_iter()).unwrap().wrap_output(&mut wrap).unwrap();
    std::io::Write::write_all(&mut writer, data_key.expose()).unwrap();
    writer.finish().unwrap();
    let start = secret.find(&format!("{short}:")).unwrap();
    let end = start + secret[start..].find('\n').unwrap();
    let text = format!("{}{short}:{}{}", &secret[..start], base64::encode(&wrap), &secret[end..]);
    negative("wrap-two-stanzas", "wrap", &text, &keys.alice);
}

/// Tokens that open under the right key and hold what no writer would have written.
fn crafted(keys: &Keys, custom: &str) {
    let mut random = Recorded { name: "crafted".to_owned(), counter: 0, drawn: Vec::new() };
    let key = DataKey::mint(&mut random).unwrap();
    let file = File::parse(custom, Syntax::Yaml).unwrap();
    let layout = Layout::read(&file, 0).unwrap();
    let path = Path::of_keys(&["spec", "data", "password"]);
    let aad = place(&layout, Scope::Strict).associated_data(&key.id(), &path);
    let good = Plaintext::canonical(ValueType::String, SecretBytes::from(b"v".to_vec())).encode().unwrap().to_vec();
    let edit = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    let longer = [good.clone(), vec![0; 32]].concat();
    let cases = [
        ("altered-padding-not-zero", edit(63, 1)),
        ("altered-padding-too-long", longer),
        ("altered-unknown-type", edit(0, 8)),
        ("altered-number-in-encrypted-secret", edit(0, 2)),
        ("altered-length-beyond-end", edit(2, 1)),
    ];
    let readers = readers(keys);
    for (name, plaintext) in cases {
        let sealed = seal_anything(&key, &mut random, &plaintext, &aad);
        let wraps = native::Readers::wraps(readers.as_slice(), &key).unwrap();
        let token = native::Token { key: native::TokenKey::Own { id: key.id(), wraps }, sealed };
        negative(name, "altered", &replace_token(custom, &token.to_string()), &keys.cluster);
    }
}

/// Encrypts what the library would not: it has no way to encrypt anything but a well-formed plaintext under a fresh key.
fn seal_anything(key: &DataKey, random: &mut Recorded, plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
    use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
    let mut value_key = [0; 32];
    hkdf::Hkdf::<Sha256>::new(None, key.expose()).expand(b"sealwax/1 value key", &mut value_key).unwrap();
    let mut nonce = [0; 12];
    random.fill(&mut nonce).unwrap();
    let cipher = aes_gcm::Aes256Gcm::new(&value_key.into());
    let sealed = cipher.encrypt(&nonce.into(), Payload { msg: plaintext, aad }).unwrap();
    [nonce.to_vec(), sealed].concat()
}

/// Wraps that open and hold another key than the one named.
fn other_key(keys: &Keys, secret: &str, key: &str) {
    let mut random = Recorded { name: "other key".to_owned(), counter: 0, drawn: Vec::new() };
    let other = DataKey::mint(&mut random).unwrap().id();
    let text = secret.replace(key, other.as_str()).replace(&key[..8], other.short());
    negative("key-not-the-named-one", "key", &text, &keys.alice);
}

fn negative(name: &str, class: &str, file: &str, identity: &str) {
    let fields = [("expect", class), ("syntax", "yaml"), ("identity", identity)];
    let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    write(name, &Vector { fields, file: file.to_owned() });
}

fn write(name: &str, vector: &Vector) {
    save(&format!("{name}.vector"), &vector.render());
}

#[expect(clippy::disallowed_methods, reason = "vectors are no secrets, and this runs by hand")]
fn save(name: &str, text: &str) {
    std::fs::write(folder().join(name), text).unwrap();
}
