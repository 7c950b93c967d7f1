//! The reports: for people, for programs, for code scanning and for GitHub's workflows.

use insta::assert_snapshot;
use serde_json::Value;

use super::{assert_silent, check};
use crate::common::{SECRET, Sandbox};

fn leak() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git(&["init", "--quiet"]);
    sandbox.write("a,b: c%.yaml", SECRET);
    sandbox.write("placeholder.yaml", "apiVersion: v1\nkind: Secret\nstringData:\n  token: changeme\n");
    sandbox.write("comment.yaml", "a: b # sealwax:allow WAX101 nothing any more\n");
    sandbox
}

#[test]
fn for_people() {
    let outcome = leak().sealwax(["check"]).run();
    assert_silent(&outcome);
    assert_snapshot!(outcome, @"
    exit 1
    out: a,b: c%.yaml:8: error WAX101: stringData.username: the item of a Secret stands in the clear
    out: a,b: c%.yaml:9: error WAX101: stringData.password: the item of a Secret stands in the clear
    out: comment.yaml:1: notice WAX902: WAX101: nothing that the comment allows is found there
    out: placeholder.yaml:4: warning WAX105: stringData.token: the item of a Secret looks like a placeholder
    out: 
    out: WAX101: Run `sealwax seal FILE` for an EncryptedSecret, or `sealwax encrypt FILE`; if it was ever pushed, change the value at its origin.
    out: WAX105: Leave the item out of the manifest, or write an expression that the tool that fills it in knows.
    out: WAX902: Remove the comment.
    err: 3 files checked: 2 errors, 1 warning, 1 notice
    ");
}

#[test]
fn for_programs() {
    let outcome = leak().sealwax(["check", "--format", "json"]).run();
    assert_silent(&outcome);
    assert_eq!(outcome.code, Some(1));
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_snapshot!(serde_json::to_string_pretty(&report["findings"][0]).unwrap(), @r#"
    {
      "fingerprint": "7892aee64a8494211ad3f08c945f296d",
      "fix": "Run `sealwax seal FILE` for an EncryptedSecret, or `sealwax encrypt FILE`; if it was ever pushed, change the value at its origin.",
      "key": "stringData.username",
      "line": 8,
      "message": "the item of a Secret stands in the clear",
      "path": "a,b: c%.yaml",
      "rule": "WAX101",
      "severity": "error"
    }
    "#);
    assert_snapshot!(report["summary"], @r#"{"allowed":0,"baseline":0,"binary":0,"errors":2,"files":3,"large":[],"notices":1,"warnings":1}"#);
}

#[test]
fn for_workflows_of_github() {
    let sandbox = leak();
    let summary = sandbox.root().join("summary.md");
    std::fs::File::create(&summary).unwrap();
    let outcome = sandbox.sealwax(["check", "--format", "github"]).env("GITHUB_STEP_SUMMARY", &summary).run();
    assert_silent(&outcome);
    assert_snapshot!(outcome, @"
    exit 1
    out: ::error file=a%2Cb%3A c%25.yaml,line=8,title=WAX101 a Secret holds a value in the clear::stringData.username: the item of a Secret stands in the clear (Run `sealwax seal FILE` for an EncryptedSecret, or `sealwax encrypt FILE`; if it was ever pushed, change the value at its origin.)
    out: ::error file=a%2Cb%3A c%25.yaml,line=9,title=WAX101 a Secret holds a value in the clear::stringData.password: the item of a Secret stands in the clear (Run `sealwax seal FILE` for an EncryptedSecret, or `sealwax encrypt FILE`; if it was ever pushed, change the value at its origin.)
    out: ::warning file=placeholder.yaml,line=4,title=WAX105 a Secret holds a placeholder::stringData.token: the item of a Secret looks like a placeholder (Leave the item out of the manifest, or write an expression that the tool that fills it in knows.)
    out: ::notice file=comment.yaml,line=1,title=WAX902 an allow comment that allows nothing::WAX101: nothing that the comment allows is found there (Remove the comment.)
    err: 3 files checked: 2 errors, 1 warning, 1 notice
    ");
    assert_snapshot!(std::fs::read_to_string(&summary).unwrap(), @"
    ### sealwax check

    3 files checked: 2 errors, 1 warning, 1 notice

    | | rule | where | what |
    |---|---|---|---|
    | error | WAX101 | a,b: c%.yaml:8 | stringData.username: the item of a Secret stands in the clear |
    | error | WAX101 | a,b: c%.yaml:9 | stringData.password: the item of a Secret stands in the clear |
    | notice | WAX902 | comment.yaml:1 | WAX101: nothing that the comment allows is found there |
    | warning | WAX105 | placeholder.yaml:4 | stringData.token: the item of a Secret looks like a placeholder |
    ");
}

#[test]
fn the_limits_of_annotations_are_told() {
    let sandbox = leak();
    for index in 0..12 {
        sandbox.write(&format!("leak{index}.yaml"), SECRET);
    }
    let outcome = sandbox.sealwax(["check", "--format", "github"]).run();
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("16 more of kind error"), "{outcome}");
}

#[test]
fn sarif_is_valid_against_its_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("sarif/sarif-schema-2.1.0.json")).unwrap();
    let schema = jsonschema::JSONSchema::compile(&schema).unwrap();
    for sandbox in [leak(), empty()] {
        let outcome = sandbox.sealwax(["check", "--format", "sarif"]).run();
        assert_silent(&outcome);
        let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
        let errors: Vec<_> =
            schema.validate(&report).err().into_iter().flatten().map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(!has_empty_text(&report), "code scanning refuses empty texts");
    }
    let broken = serde_json::json!({ "version": "2.1.0", "runs": [{ "tool": {} }] });
    assert!(schema.validate(&broken).is_err(), "the schema is a schema");
}

fn empty() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git(&["init", "--quiet"]);
    sandbox
}

fn has_empty_text(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().any(has_empty_text),
        Value::Object(fields) => fields.values().any(has_empty_text),
        _ => false,
    }
}

#[test]
fn sarif_says_where_and_never_what() {
    let outcome = leak().sealwax(["check", "--format", "sarif"]).run();
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_snapshot!(serde_json::to_string_pretty(&report["runs"][0]["results"][0]).unwrap(), @r#"
    {
      "level": "error",
      "locations": [
        {
          "physicalLocation": {
            "artifactLocation": {
              "uri": "a%2Cb%3A%20c%25.yaml"
            },
            "region": {
              "startLine": 8
            }
          }
        }
      ],
      "message": {
        "text": "stringData.username: the item of a Secret stands in the clear"
      },
      "partialFingerprints": {
        "primaryLocationLineHash": "7892aee64a8494211ad3f08c945f296d"
      },
      "ruleId": "WAX101",
      "ruleIndex": 0
    }
    "#);
    assert!(!String::from_utf8_lossy(&outcome.stdout).contains("snippet"));
}

#[test]
fn the_exit_code_is_that_of_the_worst() {
    let sandbox = Sandbox::new();
    sandbox.write("fine.yaml", "a: b\n");
    sandbox.write("placeholder.yaml", "apiVersion: v1\nkind: Secret\nstringData:\n  token: changeme\n");
    sandbox.write("leak.yaml", SECRET);
    sandbox.write("broken.yaml", "kind: Secret\ndata: [\n");
    let code = |arguments: &[&str]| sandbox.sealwax(["check"]).args(arguments).run().code;
    assert_eq!(code(&["fine.yaml"]), Some(0));
    assert_eq!(code(&["placeholder.yaml"]), Some(0));
    assert_eq!(code(&["placeholder.yaml", "--fail-on", "warning"]), Some(1));
    assert_eq!(code(&["leak.yaml"]), Some(1));
    assert_eq!(code(&["leak.yaml", "broken.yaml"]), Some(3));
    assert_eq!(code(&["leak.yaml", "--staged"]), Some(2));
}

#[test]
fn a_name_cannot_write_into_the_report() {
    let sandbox = Sandbox::new();
    sandbox.git(&["init", "--quiet"]);
    sandbox.write("a\n::error::x\x1b[31m.yaml", SECRET.replace("username", "\"user\\e[31m\\nname\""));
    for format in ["text", "github", "json", "sarif"] {
        let outcome = sandbox.sealwax(["check", "--format", format]).run();
        let shown = String::from_utf8_lossy(&outcome.stdout);
        assert!(!shown.contains('\x1b') && !shown.contains("\n::error::x"), "{format}: {shown}");
        assert!(check(&sandbox, &[]).iter().all(|found| found.line > 0));
    }
}
