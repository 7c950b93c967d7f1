//! Templates of an ExternalSecret: those that stand elsewhere, those that make several items, and who wins.
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::needless_pass_by_value, reason = "JSON is written where it is passed")]

use std::collections::BTreeMap;

use sealwax_crds::ExternalTemplate;
use sealwax_format::SecretBytes;
use sealwax_render::external::{Origin, TemplateSource, content_from, template_sources};
use serde_json::json;

type Items = BTreeMap<String, SecretBytes>;

fn items(of: &[(&str, &str)]) -> Items {
    of.iter().map(|(name, value)| ((*name).to_owned(), SecretBytes::from((*value).to_owned()))).collect()
}

/// What a template makes of `user=app` and `password=hunter2`, or the error.
fn made(template: serde_json::Value) -> String {
    let template: ExternalTemplate = serde_json::from_value(template).unwrap();
    let config = items(&[
        ("plain", "{{ .user }}"),
        ("user", "{{ .user }}!"),
        ("many", "a: {{ .user }}\nb: \"{{ .password }}\"\n"),
        ("broken", "{{ .user"),
        ("unknown", "{{ hunter3 }}"),
        ("scalar", "{{ .password }}"),
    ]);
    let binary: Items = [("binary".to_owned(), SecretBytes::from(vec![0xff]))].into();
    let object = |source: TemplateSource<'_>| match (source.origin, source.name) {
        (_, "config") => Some(&config),
        (Origin::Secret, "binary") => Some(&binary),
        _ => None,
    };
    let content = content_from(items(&[("user", "app"), ("password", "hunter2")]), Some(&template), object);
    match content {
        Ok(items) => {
            let shown = items.iter().map(|(name, value)| format!("{name}={}", value.expose_str().unwrap()));
            shown.collect::<Vec<_>>().join(" ")
        }
        Err(error) => {
            assert!(!error.to_string().contains("hunter2"), "{error}");
            error.to_string()
        }
    }
}

fn from(parts: serde_json::Value) -> serde_json::Value {
    json!({ "templateFrom": [parts] })
}

fn held(kind: &str, key: &str, template_as: &str) -> serde_json::Value {
    from(json!({ kind: {"name": "config", "items": [{"key": key, "templateAs": template_as}]} }))
}

#[test]
fn templates_make_what_the_operator_makes() {
    let literal = |text: &str| from(json!({ "literal": text }));
    let cases = [
        // Neither data nor templateFrom: what was read.
        (json!({"type": "Opaque"}), "password=hunter2 user=app"),
        (json!({"data": {"x": "{{ .user }}"}}), "x=app"),
        (json!({"data": {"x": "{{ .user }}"}, "mergePolicy": "Merge"}), "password=hunter2 user=app x=app"),
        (held("configMap", "plain", "Values"), "plain=app"),
        (held("secret", "plain", "Values"), "plain=app"),
        (held("configMap", "many", "KeysAndValues"), "a=app b=hunter2"),
        (literal("{{ .user }}: {{ .password }}"), "app=hunter2"),
        (
            literal("a: 1\nb: 1.0\nc: true\nd: null\ne: [1, x]\nf: {z: 1, y: <}"),
            "a=1 b=1 c=true d= e=[1,\"x\"] f={\"y\":\"\\u003c\",\"z\":1}",
        ),
        (literal("{\"a\": \"b\"}"), "a=b"),
        (literal("{{ if false }}a: b{{ end }}"), ""),
        // template.data over templateFrom over what was read; later over earlier.
        (
            json!({"mergePolicy": "Merge", "data": {"a": "data"}, "templateFrom": [
                {"literal": "a: one\nb: one"}, {"literal": "b: two\nuser: two"}]}),
            "a=data b=two password=hunter2 user=two",
        ),
    ];
    for (template, expected) in cases {
        assert_eq!(made(template.clone()), expected, "{template}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let place = "spec.target.template.templateFrom[0]";
    let cases = [
        (from(json!({})), format!("{place}: it has exactly one of")),
        (from(json!({"literal": "a: b", "target": "Labels"})), format!("{place}: it makes labels or annotations")),
        (
            from(json!({"configMap": {"name": "x", "items": [{"key": "a"}]}})),
            format!("{place}: the object is not there"),
        ),
        (held("configMap", "absent", "Values"), format!("{place}, item \"absent\": the object has no such item")),
        (
            from(json!({"secret": {"name": "binary", "items": [{"key": "binary"}]}})),
            format!("{place}, item \"binary\": the item is not text"),
        ),
        (held("configMap", "broken", "Values"), format!("{place}, item \"broken\": line 1, column")),
        (held("configMap", "unknown", "Values"), format!("{place}, item \"unknown\": there is no function hunter3")),
        (held("secret", "unknown", "Values"), format!("{place}, item \"unknown\": there is no function by that name")),
        (
            held("configMap", "scalar", "KeysAndValues"),
            format!("{place}, item \"scalar\": what it makes is not a YAML"),
        ),
        (from(json!({"literal": "a: {{ .password }}: b"})), format!("{place}: what it makes is not a YAML")),
        (from(json!({"literal": "\"{{ .password }} x\": b"})), format!("{place}: it makes an item whose name")),
        (json!({"data": {"x": "{{ .absent }}"}}), "spec.target.template.data: item x: it asks for".to_owned()),
    ];
    for (template, expected) in cases {
        let error = made(template.clone());
        assert!(error.starts_with(&expected), "{template}: {error}");
    }
}

#[test]
fn all_templates_share_one_limit() {
    let half = "{{ .v }}";
    let large = [("v".to_owned(), SecretBytes::from(vec![b'x'; 600_000]))].into();
    let template = json!({"data": {"a": half}, "templateFrom": [{"literal": format!("b: {half}")}]});
    let template: ExternalTemplate = serde_json::from_value(template).unwrap();
    let error = content_from(large, Some(&template), |_| None).unwrap_err();
    assert!(error.to_string().contains("produces too much"), "{error}");
}

#[test]
fn says_which_objects_hold_templates() {
    let template: ExternalTemplate = serde_json::from_value(json!({"templateFrom": [
        {"secret": {"name": "s", "items": [{"key": "a"}]}}, {"configMap": {"name": "c", "items": [{"key": "a"}]}},
        {"configMap": {"name": "c", "items": [{"key": "b"}]}}, {"literal": "x: y"},
    ]}))
    .unwrap();
    let expected =
        [TemplateSource { origin: Origin::ConfigMap, name: "c" }, TemplateSource { origin: Origin::Secret, name: "s" }];
    assert_eq!(template_sources(Some(&template)), expected);
    assert_eq!(template_sources(None), []);
}
