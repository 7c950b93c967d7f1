//! Files that we write, through what Flux's kustomize-controller does: it looks for the bytes that mark a file of SOPS,
//! leaves others alone without a word, and opens it by SOPS's library.

use data_encoding::BASE64;
use sealwax_format::OsRandom;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{Layout, Metadata, Request, Stash, binary};
use serde_json::json;

use super::oracle::Oracle;
use super::ours;
use crate::common;

/// SOPS's own test identity, which protects nothing.
const IDENTITY: &str = "AGE-SECRET-KEY-1G0Q5K9TV4REQ3ZSQRMTMG8NSWQGYT0T7TZ33RAZEE0GZYVZN0APSU24RK7";
const RECIPIENT: &str = "age1lzd99uklcjnc0e7d860axevet2cz99ce9pq6tzuzd05l5nr28ams36nvun";

const FILES: [(&str, Syntax, &str); 6] = [
    ("yaml", Syntax::Yaml, "apiVersion: v1\nkind: Secret\nstringData:\n  a: b # why\n"),
    ("yaml", Syntax::Yaml, "{}\n"),
    ("json", Syntax::Json, "{\"a\": {\"b\": [1, true]}}"),
    ("json", Syntax::Json, "{\n    \"a\": \"x\"\n}\n"),
    ("dotenv", Syntax::Dotenv, "A=b\nC=d\n"),
    ("ini", Syntax::Ini, "[a]\nb = c\n"),
];

/// Metadata with the key of every file here, wrapped by SOPS for the identity.
fn metadata(oracle: &mut Oracle) -> Metadata {
    let asked = json!({ "key": BASE64.encode(&ours::KEY), "recipient": RECIPIENT });
    let wrapped = oracle.ask("encrypt", "yaml", b"a: b\n", &asked).unwrap();
    let text = String::from_utf8(wrapped.data).unwrap();
    let file = File::parse(&text, Syntax::Yaml).unwrap();
    Layout::read(&file).unwrap().metadata
}

#[test]
fn flux_finds_and_opens_what_we_write() {
    let mut oracle = Oracle::start(&common::sops_oracle());
    let metadata = metadata(&mut oracle);
    let asked = json!({ "identity": IDENTITY });
    for (format, syntax, text) in FILES {
        let sealed = ours::seal(text, syntax, &metadata, None).unwrap();
        oracle.ask("flux", format, sealed.as_bytes(), &asked).unwrap_or_else(|error| panic!("{error}: {sealed}"));
        // And what was edited since, its block in its place.
        let opened = ours::open(&sealed, syntax).unwrap();
        let later = opened.metadata.clone().modified(1_900_000_000, "3.13.3");
        let again = ours::seal(&opened.plain, syntax, &later, Some(&opened.stash)).unwrap();
        assert_ne!(again, sealed);
        oracle.ask("flux", format, again.as_bytes(), &asked).unwrap_or_else(|error| panic!("{error}: {again}"));
    }
    let cipher = ours::cipher();
    let stash: Option<&Stash> = None;
    let request = Request { metadata: &metadata, cipher: &cipher, stash, allow_nothing: false };
    let sealed = binary::encrypt(b"any bytes \xff", &request, &mut OsRandom).unwrap().text;
    let answer = oracle.ask("flux", "binary", sealed.as_bytes(), &asked).unwrap();
    assert_eq!(answer.data, b"any bytes \xff");
}
