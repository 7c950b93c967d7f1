//! What becomes of the entries of an ExternalSecret: names, encodings, what is missing, and who wins.
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::needless_pass_by_value, reason = "JSON is written where it is passed")]

use std::fmt::Write as _;

use proptest::prelude::*;
use sealwax_crds::{EntryState, ExternalSecretSpec};
use sealwax_format::SecretBytes;
use sealwax_render::external::{Assembled, Fetched, SpecProblem, Value, What, assemble, wanted};
use serde_json::json;

fn spec(spec: serde_json::Value) -> ExternalSecretSpec {
    serde_json::from_value(spec).unwrap()
}

fn shown(assembled: &Assembled) -> String {
    let items = assembled.items.iter().map(|(name, value)| format!("{name}={}", value.expose_str().unwrap()));
    items.collect::<Vec<_>>().join(" ")
}

/// What one entry of `dataFrom` makes of an object, or the error.
fn from(entry: serde_json::Value, object: &str) -> String {
    let spec = spec(json!({ "dataFrom": [entry] }));
    let bytes = SecretBytes::from(object.to_owned());
    match assemble(&spec, &[Fetched::One(Value::Text(&bytes))]) {
        Ok(assembled) => shown(&assembled),
        Err(error) => error.to_string(),
    }
}

#[test]
fn says_what_to_read_in_order() {
    let spec = spec(json!({
        "secretStoreRef": {"name": "main"},
        "data": [
            {"secretKey": "a", "remoteRef": {"key": "one", "version": ""}},
            {"secretKey": "b", "remoteRef": {"key": "two", "version": "3", "metadataPolicy": "Fetch"}, "optional": true,
             "sourceRef": {"storeRef": {"name": "other", "kind": "ClusterSecretStore"}}},
        ],
        "dataFrom": [{"extract": {"key": "all"}}, {"find": {"path": "", "name": {"regexp": "^x"}, "tags": {"t": "v"}}}],
    }));
    let shown: Vec<String> = wanted(&spec)
        .unwrap()
        .into_iter()
        .map(|wanted| {
            let what = match wanted.what {
                What::Get { key, version, metadata } => format!("{key} {version:?} {metadata}"),
                What::Find { path, name, tags } => format!("{path:?} {name:?} {tags:?}"),
            };
            format!("{} {} {} {what}", wanted.entry, wanted.store.name, wanted.optional)
        })
        .collect();
    let expected = [
        "dataFrom[0] main false all None false",
        "dataFrom[1] main false None Some(\"^x\") {\"t\": \"v\"}",
        "a main false one None false",
        "b other true two Some(\"3\") true",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_spec_that_says_nothing_is_refused() {
    let entry = |name: &str| name.to_owned();
    let cases = [
        (json!({}), SpecProblem::Nothing),
        (json!({"data": [{"secretKey": "a", "remoteRef": {"key": "k"}}]}), SpecProblem::NoStore { entry: entry("a") }),
        (
            json!({"secretStoreRef": {"name": "s"}, "dataFrom": [{}]}),
            SpecProblem::NotOneWay { entry: entry("dataFrom[0]") },
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(wanted(&spec(given)).unwrap_err(), expected);
    }
}

#[test]
fn names_are_converted_unless_they_are_rewritten() {
    let rewrite = |source: &str, target: &str| json!({"regexp": {"source": source, "target": target}});
    let with = |rewrites: serde_json::Value| json!({"extract": {"key": "k"}, "rewrite": rewrites});
    let unicode = json!({"extract": {"key": "k", "conversionStrategy": "Unicode"}});
    let cases = [
        (json!({"extract": {"key": "k"}}), r#"{"a/b c": 1, "ä": 2}"#, "_=2 a_b_c=1"),
        (unicode, r#"{"a/b": 1, "ä": 2}"#, "_U00e4_=2 a_U002f_b=1"),
        (with(json!([rewrite("^(.*)$", "db_$1")])), r#"{"user": 1}"#, "db_user=1"),
        // `$1x` is the group named `1x`, which there is not.
        (with(json!([rewrite("^(.*)$", "a$1x")])), r#"{"user": 1}"#, "a=1"),
        (with(json!([rewrite("(?P<all>.+)", "${all}x")])), r#"{"user": 1}"#, "userx=1"),
        (with(json!([rewrite("/", "_"), rewrite("_+", "-")])), r#"{"a//b/c": 1}"#, "a-b-c=1"),
        // Digits are those of ASCII, as in Go.
        (with(json!([rewrite(r"\d", "n")])), r#"{"a1": 1}"#, "an=1"),
    ];
    for (entry, object, expected) in cases {
        assert_eq!(from(entry, object), expected);
    }
}

#[test]
fn names_that_cannot_be_are_errors() {
    let rewrite = |source: &str, target: &str| json!({"extract": {"key": "k"}, "rewrite": [{"regexp": {"source": source, "target": target}}]});
    let plain = || json!({"extract": {"key": "k"}});
    let long = format!("{{\"{}\": 1}}", "x".repeat(5000));
    let cases = [
        (
            plain(),
            r#"{"a/b": 1, "a_b": 2, "a b": 3}"#,
            r#""a b", "a/b", "a_b" become the same name by conversionStrategy"#,
        ),
        (rewrite("[0-9]", ""), r#"{"a2": 1, "a1": 2, "b": 3}"#, r#""a1", "a2" become the same name by rewrite[0]"#),
        (rewrite("x", "/"), r#"{"x": 1}"#, r#""/" is no name of an item"#),
        (plain(), r#"{"": 1}"#, r#""" is no name of an item"#),
        (plain(), r#"{"..a": 1}"#, r#""..a" is no name of an item"#),
        (plain(), &format!("{{\"{}\": 1}}", "x".repeat(254)), "is no name of an item"),
        (rewrite("(", ""), r#"{"x": 1}"#, "rewrite[0].regexp.source is no regular expression"),
        (rewrite("(?:.{1000}){1000}", ""), r#"{"x": 1}"#, "rewrite[0].regexp.source is no regular expression"),
        (rewrite("x", "y"), &long, "rewrite[0] makes a name that is too long"),
    ];
    for (entry, object, expected) in cases {
        let error = from(entry, object);
        assert!(error.starts_with("dataFrom[0]: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn values_are_decoded_as_go_does_it() {
    let cases = [
        ("None", "aGk=", "a=aGk="),
        ("Base64", "aGk=", "a=hi"),
        ("Base64", r"aG\nk=\r\n", "a=hi"),
        // Bits that the last character has too many.
        ("Base64", "aGl=", "a=hi"),
        ("Base64", "", "a="),
        ("Base64", "aGk", "dataFrom[0]: \"a\" is not base64, which decodingStrategy says"),
        ("Base64", "aGk=aGk=", "dataFrom[0]: \"a\" is not base64, which decodingStrategy says"),
        ("Base64", "Pz8_", "dataFrom[0]: \"a\" is not base64, which decodingStrategy says"),
        ("Base64URL", "Pz8_", "a=???"),
        ("Base64URL", "Pz8/", "dataFrom[0]: \"a\" is not base64url, which decodingStrategy says"),
        ("Auto", "Pz8/", "a=???"),
        ("Auto", "Pz8_", "a=???"),
        ("Auto", "hunter2!", "a=hunter2!"),
    ];
    for (strategy, value, expected) in cases {
        let entry = json!({"extract": {"key": "k", "decodingStrategy": strategy}});
        assert_eq!(from(entry, &format!("{{\"a\": \"{value}\"}}")), expected, "{strategy} {value}");
    }
    let entry = json!({"extract": {"key": "k", "nullBytePolicy": "Fail"}});
    assert!(from(entry, r#"{"a": "x\u0000y"}"#).contains("\"a\" holds a null byte"));
}

#[test]
fn what_is_missing_follows_the_policy() {
    use EntryState::{Missing, Skipped, Synced};
    let bytes = SecretBytes::from(r#"{"x": 1}"#.to_owned());
    // Of an entry: its policy, whether it is optional, its property and whether the secret is there.
    let cases = [
        ("Retain", false, "x", true, Synced, true),
        ("Retain", false, "x", false, Missing, false),
        ("Retain", false, "y", true, Missing, false),
        ("Retain", true, "y", true, Skipped, true),
        ("Retain", true, "x", false, Skipped, true),
        ("Delete", false, "x", false, Missing, true),
        ("Delete", false, "y", true, Missing, true),
        ("Merge", false, "y", true, Missing, true),
        ("Merge", true, "y", true, Skipped, true),
    ];
    for (policy, optional, property, there, state, written) in cases {
        let spec = spec(json!({
            "target": {"deletionPolicy": policy},
            "data": [
                {"secretKey": "first", "remoteRef": {"key": "k"}},
                {"secretKey": "it", "remoteRef": {"key": "k", "property": property}, "optional": optional},
            ],
        }));
        let found = if there { Fetched::One(Value::Text(&bytes)) } else { Fetched::Missing };
        let assembled = assemble(&spec, &[Fetched::One(Value::Text(&bytes)), found]).unwrap();
        let case = format!("{policy} {optional} {property} {there}");
        assert_eq!(assembled.entries, [("first".into(), Synced), ("it".into(), state)], "{case}");
        assert_eq!(assembled.missing.is_empty(), written, "{case}");
        assert_eq!(assembled.items.contains_key("it"), state == Synced, "{case}");
    }
}

#[test]
fn searches_give_whole_values_and_finding_none_is_missing() {
    let spec = spec(json!({"dataFrom": [
        {"find": {"name": {"regexp": "."}}},
        {"find": {"name": {"regexp": "."}}, "rewrite": [{"regexp": {"source": "^dev/", "target": ""}}]},
        {"find": {"path": "none"}},
    ]}));
    let fields = SecretBytes::from(r#"{"b": 1, "a": 2}"#.to_owned());
    let values = || Fetched::Many(vec![("dev/config".into(), Value::Fields(&fields))]);
    let assembled = assemble(&spec, &[values(), values(), Fetched::Many(Vec::new())]).unwrap();
    assert_eq!(shown(&assembled), r#"config={"a":2,"b":1} dev_config={"a":2,"b":1}"#);
    assert_eq!(assembled.missing, ["dataFrom[2]"]);
}

#[test]
fn later_entries_win_and_single_ones_over_all() {
    let bytes: Vec<SecretBytes> =
        [r#"{"a": 1, "b": 1}"#, r#"{"b": 2, "c": 2}"#, "3"].map(|text| SecretBytes::from(text.to_owned())).into();
    let spec = spec(json!({
        "data": [{"secretKey": "c", "remoteRef": {"key": "k"}}],
        "dataFrom": [{"extract": {"key": "k"}}, {"extract": {"key": "l"}}],
    }));
    let fetched: Vec<Fetched<'_>> = bytes.iter().map(|bytes| Fetched::One(Value::Text(bytes))).collect();
    assert_eq!(shown(&assemble(&spec, &fetched).unwrap()), "a=1 b=2 c=3");
    let error = assemble(&spec, &fetched[..2]).unwrap_err();
    assert_eq!(error.to_string(), "c: what was read is not what the entry asks for");
}

proptest! {
    /// Whatever goes wrong, the message does not tell the value.
    #[test]
    fn no_error_tells_a_value(
        before in r#"[{}\["a:, ]{0,6}"#, after in r#"[{}\]"a:, \\]{0,6}"#,
        path in r"[a-z.*?#@|()\[\]{}=!%0-9,\\]{0,12}", source in r"[a-z()\[\]*+?$^\\]{0,8}", strategy in 0..4_usize,
    ) {
        let value = SecretBytes::from(format!("{before}HUNTER2{after}"));
        let decoding = ["None", "Auto", "Base64", "Base64URL"][strategy];
        let spec = spec(json!({
            "data": [{"secretKey": "a", "remoteRef": {"key": "k", "property": path, "decodingStrategy": decoding}}],
            "dataFrom": [{"extract": {"key": "k", "property": path, "decodingStrategy": decoding, "nullBytePolicy": "Fail"},
                          "rewrite": [{"regexp": {"source": source, "target": "x"}}]}],
        }));
        for form in [Value::Text(&value), Value::Fields(&value)] {
            let result = assemble(&spec, &[Fetched::One(form), Fetched::One(form)]);
            let mut told = String::new();
            write!(told, "{result:?}").unwrap();
            if let Err(error) = &result {
                write!(told, "{error}").unwrap();
                // Names of fields are public; a text that is one in quotes was made up by this test.
                prop_assume!(!matches!(error.problem, sealwax_render::external::EntryProblem::Name(_)));
                prop_assert!(!told.contains("HUNTER2"), "{}", told);
            }
        }
    }
}
