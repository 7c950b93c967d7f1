//! `docs/reference/crds.md` is what the types say; `UPDATE_CRDS=1` writes it anew.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::path::Path;

use serde_json::{Map, Value};

const FILE: &str = "../docs/reference/crds.md";

const HEADER: &str = "\
# Custom resources

Generated from the types in `crds/src` by `UPDATE_CRDS=1 cargo test -p sealwax-crds`.

A field is required where its line says so. No field of a spec has a default that the API server fills in: what Git
holds is what the cluster holds.
";

/// The page about all resources.
fn page() -> String {
    let mut page = HEADER.to_owned();
    for (_, crd) in sealwax_crds::all() {
        let crd = serde_json::to_value(crd).unwrap();
        for version in crd["spec"]["versions"].as_array().unwrap() {
            page += &resource(&crd["spec"], version);
        }
    }
    page
}

/// The section about one version of a resource.
fn resource(spec: &Value, version: &Value) -> String {
    let names = &spec["names"];
    let schema = &version["schema"]["openAPIV3Schema"];
    let mut section = format!(
        "\n## {}\n\n`apiVersion: {}/{}`, {}. {}\n\n`kubectl get {}`, or `{}`, shows {}.\n",
        text(&names["kind"]),
        text(&spec["group"]),
        text(&version["name"]),
        text(&spec["scope"]).to_lowercase(),
        text(&schema["description"]),
        text(&names["plural"]),
        strings(&names["shortNames"]).join("`, `"),
        columns(version),
    );
    if let Some(fields) = version["selectableFields"].as_array() {
        let fields: Vec<String> = fields.iter().map(|field| format!("`{}`", text(&field["jsonPath"]))).collect();
        section += &format!("\nField selectors: {}.\n", fields.join(", "));
    }
    for part in ["spec", "status"] {
        let schema = &schema["properties"][part];
        section += &format!("\n### {part}\n\n{}\n\n| field | type | |\n|---|---|---|\n", text(&schema["description"]));
        walk(part, schema, &mut section);
        section += &rules(part, schema);
    }
    section
}

fn columns(version: &Value) -> String {
    let columns = version["additionalPrinterColumns"].as_array().unwrap();
    let names: Vec<String> =
        columns.iter().map(|column| format!("`{}`", text(&column["name"]).to_uppercase())).collect();
    names.join(", ")
}

/// A line for each field below `schema`, deepest after their parents.
fn walk(path: &str, schema: &Value, page: &mut String) {
    let required = strings(&schema["required"]);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let mut remarks: Vec<String> = Vec::new();
        if required.contains(&name.as_str()) {
            remarks.push("**Required.**".to_owned());
        }
        remarks.extend(field["description"].as_str().map(str::to_owned));
        remarks.extend(bounds(field));
        // A line of a table cannot hold a bar.
        let remarks = remarks.join(" ").replace('|', "\\|");
        *page += &format!("| `{path}` | {} | {remarks} |\n", kind(field));
        walk(&path, field, page);
        if field["items"].is_object() {
            walk(&format!("{path}[]"), &field["items"], page);
        }
    }
}

/// The type, in words.
fn kind(field: &Value) -> String {
    let of = |inner: &Value| format!(" of {}", plural(&kind(inner)));
    match field["type"].as_str() {
        Some("array") => format!("list{}", of(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => {
            format!("map{}", of(&field["additionalProperties"]))
        }
        Some("string") if field["format"] == "date-time" => "time".to_owned(),
        Some(other) => other.to_owned(),
        // The API server takes both, so that a rule can refuse a number without printing it.
        None if field["x-kubernetes-int-or-string"] == true => "string".to_owned(),
        None => "anything".to_owned(),
    }
}

fn plural(kind: &str) -> String {
    if kind == "anything" || kind.contains(' ') { kind.to_owned() } else { format!("{kind}s") }
}

/// What the values may be, in words.
fn bounds(field: &Value) -> Vec<String> {
    let mut bounds = Vec::new();
    if let Some(values) = field["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{}`", text(value))).collect();
        bounds.push(format!("One of {}.", values.join(", ")));
    }
    bounds.extend(range(field, "minLength", "maxLength", "characters"));
    bounds.extend(range(field, "minItems", "maxItems", "items"));
    bounds.extend(range(field, "minProperties", "maxProperties", "entries"));
    bounds.extend(range(field, "minimum", "maximum", ""));
    if let Some(value) = field.get("additionalProperties").or(field.get("items")) {
        bounds.extend(range(value, "minLength", "maxLength", "characters each"));
    }
    if let Some(default) = field.get("default") {
        bounds.push(format!("Default `{default}`."));
    }
    bounds
}

fn range(field: &Value, least: &str, most: &str, unit: &str) -> Option<String> {
    let number = |name: &str| field[name].as_f64().map(|number| format!("{number}"));
    let words = match (number(least), number(most)) {
        (Some(least), Some(most)) if least == most => format!("Exactly {least}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("At least {least}"),
        (None, Some(most)) => format!("At most {most}"),
        (None, None) => return None,
    };
    Some(format!("{words} {unit}").trim_end().to_owned() + ".")
}

/// The rules of the part and of everything below it.
fn rules(part: &str, schema: &Value) -> String {
    let mut found = Vec::new();
    collect_rules(part, schema, &mut found);
    if found.is_empty() {
        return String::new();
    }
    let mut list = "\nThe API server refuses an object, in these words:\n\n".to_owned();
    for (path, rule) in found {
        list += &format!("* `{path}`: {}\n\n  ```cel\n  {}\n  ```\n", text(&rule["message"]), text(&rule["rule"]));
    }
    list
}

fn collect_rules<'a>(path: &str, schema: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    let rules = schema["x-kubernetes-validations"].as_array();
    found.extend(rules.into_iter().flatten().map(|rule| (path.to_owned(), rule)));
    let properties: Option<&Map<String, Value>> = schema["properties"].as_object();
    for (name, field) in properties.into_iter().flatten() {
        collect_rules(&format!("{path}.{name}"), field, found);
    }
    for inner in ["items", "additionalProperties"].iter().filter_map(|name| schema.get(*name)) {
        collect_rules(&format!("{path}[]"), inner, found);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text in the definition")
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(text).collect()
}

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let expected = page();
    if std::env::var_os("UPDATE_CRDS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a generated file of the repository, not a secret")]
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reference/crds.md differs from the types: run UPDATE_CRDS=1 cargo test -p sealwax-crds"
    );
}

#[test]
fn every_field_of_a_spec_is_explained() {
    let page = page();
    let lines = page.lines().filter(|line| line.starts_with("| `spec."));
    let unexplained: Vec<&str> = lines.clone().filter(|line| line.ends_with("|  |")).collect();
    assert!(lines.count() > 5 && unexplained.is_empty(), "{unexplained:?}");
    for (_, crd) in sealwax_crds::all() {
        assert!(page.contains(&format!("## {}\n", crd.spec.names.kind)), "{} is missing", crd.spec.names.kind);
    }
}
