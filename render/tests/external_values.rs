//! What an ExternalSecret takes of a value, to the byte, for each kind of source.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use sealwax_crds::ExternalSecretSpec;
use sealwax_format::SecretBytes;
use sealwax_render::external::{Assembled, ExternalError, Fetched, Value, assemble};
use serde_json::json;

type Form = fn(&SecretBytes) -> Value<'_>;

const FIELDS: Form = |bytes| Value::Fields(bytes);
const TEXT: Form = |bytes| Value::Text(bytes);

fn spec(spec: serde_json::Value) -> ExternalSecretSpec {
    serde_json::from_value(spec).unwrap()
}

/// What the entry's item becomes: its text, `-` if it is missing, or the error.
fn property(value: &str, path: &str, form: Form) -> String {
    let spec = spec(json!({"data": [{"secretKey": "it", "remoteRef": {"key": "k", "property": path}}]}));
    let bytes = SecretBytes::from(value.to_owned());
    match assemble(&spec, &[Fetched::One(form(&bytes))]) {
        Ok(Assembled { items, .. }) => {
            items.get("it").map_or("-".to_owned(), |value| value.expose_str().unwrap().to_owned())
        }
        Err(error) => format!("error: {error}"),
    }
}

/// The items of the whole value or of the part at the path, as `name=value` in order.
fn extract(value: &str, path: &str, form: Form) -> Result<String, ExternalError> {
    let spec = spec(json!({"dataFrom": [{"extract": {"key": "k", "property": path}}]}));
    let bytes = SecretBytes::from(value.to_owned());
    let assembled = assemble(&spec, &[Fetched::One(form(&bytes))])?;
    let items = assembled.items.iter().map(|(name, value)| format!("{name}={}", value.expose_str().unwrap()));
    Ok(items.collect::<Vec<_>>().join(" "))
}

const DOCUMENT: &str = r#"{
    "user": "app", "empty": "", "nothing": null, "yes": true, "a.b": "literal", "a": {"b": "nested", "d.e": 1},
    "port": 5432, "ratio": 1.0, "million": 1e6, "big": 9007199254740993, "bigger": -123456789012345678901234567890,
    "quoted": "say \"hi\" \u00e4\n<&>", "html": {"z": "<a & b>", "y": "\u2028"}, "hosts": ["x", "y"],
    "list": [{"name": "one", "v": 1.50}, {"name": "two", "v": 2}], "ключ": "значение", "*": "star"
}"#;

#[test]
fn fields_are_written_anew() {
    let cases = [
        // A field of that name.
        ("user", "app"),
        ("empty", ""),
        ("nothing", ""),
        ("yes", "true"),
        ("a.b", "literal"),
        ("port", "5432"),
        ("ratio", "1.0"),
        ("big", "9007199254740993"),
        ("quoted", "say \"hi\" ä\n<&>"),
        ("ключ", "значение"),
        ("*", "star"),
        ("html", r#"{"y":"\u2028","z":"\u003ca \u0026 b\u003e"}"#),
        ("list", r#"[{"name":"one","v":1.50},{"name":"two","v":2}]"#),
        // A path.
        (r"a\.b", "literal"),
        (r"a.d\.e", "1"),
        ("html.z", "<a & b>"),
        ("hosts.0", "x"),
        ("hosts.#", "2"),
        ("list.#.name", r#"["one","two"]"#),
        (r#"list.#(name=="two").v"#, "2"),
        ("list.0.v", "1.5"),
        ("list.0", r#"{"name":"one","v":1.50}"#),
        ("us?r", "app"),
        ("html.@this", r#"{"y":"\u2028","z":"\u003ca \u0026 b\u003e"}"#),
        // Nothing.
        ("absent", "-"),
        ("a.absent", "-"),
        ("hosts.7", "-"),
        ("user.x", "-"),
        ("nothing.x", "-"),
    ];
    for (path, expected) in cases {
        assert_eq!(property(DOCUMENT, path, FIELDS), expected, "{path}");
    }
}

#[test]
fn a_part_of_a_text_is_taken_as_it_is() {
    let cases = [
        ("user", "app"),
        ("nothing", ""),
        ("a.b", "literal"),
        (r"a.d\.e", "1"),
        ("a.@this", r#"{"b": "nested", "d.e": 1}"#),
        ("html", r#"{"z": "<a & b>", "y": "\u2028"}"#),
        ("hosts.1", "y"),
        ("ratio", "1"),
        ("million", "1000000"),
        ("port", "5432"),
        ("big", "9007199254740993"),
        ("bigger", "-123456789012345678901234567890"),
        ("list.0.v", "1.5"),
        ("absent", "-"),
        ("", DOCUMENT),
    ];
    for (path, expected) in cases {
        assert_eq!(property(DOCUMENT, path, TEXT), expected, "{path}");
    }
}

#[test]
fn a_whole_object_is_sorted_and_escaped_as_go_does_it() {
    let cases = [
        (r#"{"b": 1, "a": [true, null], "B": {}}"#, r#"{"B":{},"a":[true,null],"b":1}"#),
        ("{\"x\": \"<&>\\u2029\\u0007\\b\\f\\u007f\"}", "{\"x\":\"\\u003c\\u0026\\u003e\\u2029\\u0007\\b\\f\u{7f}\"}"),
        (r#"{"n": 1.0, "m": 1e3, "big": 9007199254740993}"#, r#"{"big":9007199254740993,"m":1e3,"n":1.0}"#),
        (r#"{"twice": 1, "twice": 2}"#, r#"{"twice":2}"#),
        (r#"{"é": "/\/"}"#, r#"{"é":"//"}"#),
    ];
    for (value, expected) in cases {
        assert_eq!(property(value, "", FIELDS), expected);
    }
    // AWS keeps what it was given, JSON or not.
    assert_eq!(property("no { json", "", TEXT), "no { json");
}

#[test]
fn every_field_becomes_an_item() {
    let value = r#"{"s": "a\nb", "n": 1.0, "big": 9007199254740993, "o": {"z": "<", "a": 1}, "null": null}"#;
    let fields = extract(value, "", FIELDS).unwrap();
    assert_eq!(fields, "big=9007199254740993 n=1.0 null= o={\"a\":1,\"z\":\"\\u003c\"} s=a\nb");
    let text = extract(value, "", TEXT).unwrap();
    assert_eq!(text, "big=9007199254740993 n=1.0 null= o={\"z\": \"<\", \"a\": 1} s=a\nb");
    assert_eq!(extract(value, "o", FIELDS).unwrap(), "a=1 z=<");
    assert_eq!(extract(r#"{"in": "{\"a\": \"b\"}"}"#, "in", TEXT).unwrap(), "a=b");
    assert_eq!(extract("{}", "", TEXT).unwrap(), "");
    // What is not there is missing, and no error.
    assert_eq!(extract(value, "absent", FIELDS).unwrap(), "");
}

#[test]
fn items_of_a_secret_are_taken_as_they_are() {
    let bytes = |value: &[u8]| SecretBytes::from(value.to_vec());
    let items: BTreeMap<String, SecretBytes> = [
        ("tls.crt".to_owned(), bytes(b"PEM")),
        ("config".to_owned(), bytes(br#"{"a": {"b": "<c>"}}"#)),
        ("raw".to_owned(), bytes(&[0, 0xff])),
    ]
    .into();
    let one = |path: &str| {
        let spec = spec(json!({"data": [{"secretKey": "it", "remoteRef": {"key": "k", "property": path}}]}));
        let mut items = assemble(&spec, &[Fetched::One(Value::Items(&items))]).unwrap().items;
        items.remove("it").map(|value| value.expose().to_vec())
    };
    let text = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(one("tls.crt"), text("PEM"));
    assert_eq!(one("raw"), Some(vec![0, 0xff]));
    assert_eq!(one("config.a.b"), text("<c>"));
    assert_eq!(one("absent"), None);
    assert_eq!(one("absent.x"), None);
    let whole = r#"{"config":"{\"a\": {\"b\": \"\u003cc\u003e\"}}","raw":"\u0000�","tls.crt":"PEM"}"#;
    assert_eq!(one(""), text(whole));
    let spec = spec(json!({"dataFrom": [{"extract": {"key": "k"}}]}));
    let assembled = assemble(&spec, &[Fetched::One(Value::Items(&items))]).unwrap();
    assert_eq!(assembled.items, items);
}

#[test]
fn what_does_not_fit_is_an_error_without_a_value() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let pairs = format!("{{\"{}\": 1}}", "k".repeat(40_000));
    let many = format!("a{}", "|@this".repeat(70));
    let cases = [
        ("hunter2", "x", TEXT, "not JSON"),
        ("hunter2", "x", FIELDS, "not JSON"),
        ("{\"hunter2\": ", "x", FIELDS, "not JSON"),
        ("{\"a\": \"hunter2\"} tail", "x", TEXT, "not JSON"),
        (&deep, "x", TEXT, "nested too deeply"),
        (&pairs, "*a*b*c", TEXT, "path uses too much"),
        (DOCUMENT, &many, TEXT, "path uses too much"),
        (DOCUMENT, "[a,a,a,a,a,a,a,a]", FIELDS, "path uses too much"),
        (DOCUMENT, "@pretty:{\"indent\":\"          \"}", FIELDS, "path uses too much"),
        ("[\"hunter2\"]", "x", FIELDS, "not a JSON object"),
    ];
    for (value, path, form, expected) in cases {
        let error = property(value, path, form);
        assert!(error.starts_with("error: it: ") && error.contains(expected), "{path}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = extract("[1]", "", TEXT).unwrap_err();
    assert!(error.to_string().contains("dataFrom[0]: the value is not a JSON object"), "{error}");
}

proptest! {
    /// Whoever writes a path may write anything.
    #[test]
    fn no_path_makes_the_search_fail(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("a"), Just("list"), Just("hosts"), Just("."), Just("|"), Just("#"), Just("(name==\"two\")"), Just("#("), Just(")"),
                Just("*"), Just("?"), Just("@this"), Just("@reverse"), Just("@flatten"), Just("@join"), Just("@ugly"), Just("@pretty"),
                Just("@valid"), Just("@flatten:{\"deep\":true}"), Just("["), Just("]"), Just("{"), Just("}"), Just(","), Just("\\"),
                Just("\""), Just("%"), Just("ключ"), Just("\\u00"), Just("1"), Just("!"), Just("~"), Just(":"), Just(".."),
            ],
            0..10,
        ),
    ) {
        let path = parts.concat();
        for form in [TEXT, FIELDS] {
            let found = property(DOCUMENT, &path, form);
            prop_assert!(found.len() < 1 << 20);
        }
    }
}
