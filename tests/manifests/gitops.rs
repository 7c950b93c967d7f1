//! Argo CD's scripts and Flux's expressions, run against every state that an `EncryptedSecret` can be in.

use std::collections::BTreeMap;

use cel::{Context, Program, Value as CelValue};
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib};
use serde_json::{Value, json};

use crate::common::{documents, find, names, text};

/// A state, and what each tool shall make of it.
struct Fixture {
    name: String,
    argo: Value,
    flux: Option<String>,
    object: Value,
}

fn fixtures() -> Vec<Fixture> {
    let read = |name: String| {
        let fixture: Value = serde_yaml::from_str(&text(&format!("tests/manifests/fixtures/{name}"))).unwrap();
        let flux = fixture["flux"].as_str().map(str::to_owned);
        Fixture { name, argo: fixture["argo"].clone(), flux, object: fixture["object"].clone() }
    };
    names("tests/manifests/fixtures").into_iter().map(read).collect()
}

/// Runs a script as Argo CD does: the object is the global `obj`, and there are few libraries.
fn run_lua(script: &str, libraries: StdLib, object: &Value) -> Value {
    let lua = Lua::new_with(libraries, LuaOptions::default()).unwrap();
    // Argo CD knows no null: what is absent is nil.
    lua.globals().set("obj", lua.to_value(object).unwrap()).unwrap();
    let answer: mlua::Value = lua.load(script).eval().unwrap();
    lua.from_value(answer).unwrap()
}

#[test]
fn argo_cd_sees_the_health_of_every_state() {
    let script = text("deploy/gitops/argocd/health.lua");
    let mut seen = BTreeMap::new();
    for fixture in fixtures() {
        let health = run_lua(&script, StdLib::NONE, &fixture.object);
        assert_eq!(health, fixture.argo, "{}", fixture.name);
        *seen.entry(health["status"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    let verdicts: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(verdicts, ["Degraded", "Healthy", "Progressing", "Suspended"], "a verdict has no fixture");
}

#[test]
fn the_refresh_action_asks_for_a_reconcile() {
    let discovery = text("deploy/gitops/argocd/actions/discovery.lua");
    let action = text("deploy/gitops/argocd/actions/refresh/action.lua");
    let libraries = StdLib::PACKAGE | StdLib::OS | StdLib::TABLE;
    let mut object = json!({"metadata": {"name": "db"}, "spec": {"data": {"a": "b"}}});
    assert_eq!(run_lua(&discovery, StdLib::NONE, &object), json!({"refresh": {"disabled": false}}));
    let changed = run_lua(&action, libraries, &object);
    let time = changed["metadata"]["annotations"]["sealwax.dev/reconcile-at"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z') && time.starts_with("20"), "{time}");
    assert_eq!(changed["spec"], object["spec"]);

    object["metadata"]["annotations"] = json!({"note": "kept"});
    assert_eq!(run_lua(&action, libraries, &object)["metadata"]["annotations"]["note"], "kept");
    object["spec"]["suspend"] = true.into();
    assert_eq!(run_lua(&discovery, StdLib::NONE, &object), json!({"refresh": {"disabled": true}}));
}

#[test]
fn the_config_map_holds_the_same_scripts() {
    let config = documents(&text("deploy/gitops/argocd/argocd-cm.yaml"));
    let data = &find(&config, "ConfigMap", "argocd-cm")["data"];
    let health = data["resource.customizations.health.sealwax.dev_EncryptedSecret"].as_str().unwrap();
    assert_eq!(health, text("deploy/gitops/argocd/health.lua"));
    let actions = data["resource.customizations.actions.sealwax.dev_EncryptedSecret"].as_str().unwrap();
    let actions: Value = serde_yaml::from_str(actions).unwrap();
    let expected = json!({
        "discovery.lua": text("deploy/gitops/argocd/actions/discovery.lua"),
        "definitions": [{"name": "refresh", "action.lua": text("deploy/gitops/argocd/actions/refresh/action.lua")}],
    });
    assert_eq!(actions, expected);
}

/// What Flux makes of an object: a generation that was not seen comes before the expressions.
fn flux_verdict(expressions: &Value, object: &Value) -> &'static str {
    if object["status"]["observedGeneration"] != object["metadata"]["generation"] {
        return "InProgress";
    }
    let holds = |name: &str| {
        let mut context = Context::default();
        for field in ["metadata", "spec", "status"] {
            context.add_variable(field, &object[field]).unwrap();
        }
        let program = Program::compile(expressions[name].as_str().unwrap()).unwrap();
        match program.execute(&context).unwrap() {
            CelValue::Bool(holds) => holds,
            other => panic!("`{name}` is no condition: {other:?}"),
        }
    };
    match (holds("failed"), holds("current")) {
        (true, false) => "Failed",
        (false, true) => "Current",
        (false, false) => "InProgress",
        (true, true) => panic!("failed and current at once"),
    }
}

#[test]
fn flux_sees_the_health_of_every_state() {
    let samples = documents(&text("deploy/gitops/flux/kustomizations.yaml"));
    let expressions = &find(&samples, "Kustomization", "secrets")["spec"]["healthCheckExprs"][0];
    assert_eq!(
        (&expressions["apiVersion"], &expressions["kind"]),
        (&json!("sealwax.dev/v1alpha1"), &json!("EncryptedSecret"))
    );
    let mut seen = BTreeMap::new();
    for fixture in fixtures() {
        let Some(expected) = fixture.flux else { continue };
        assert_eq!(flux_verdict(expressions, &fixture.object), expected, "{}", fixture.name);
        *seen.entry(expected).or_insert(0) += 1;
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["Current", "Failed", "InProgress"], "a verdict has no fixture");
}

#[test]
fn samples_put_the_controller_before_secrets_before_applications() {
    let samples = documents(&text("deploy/gitops/flux/kustomizations.yaml"));
    let before = |name: &str| find(&samples, "Kustomization", name)["spec"]["dependsOn"][0]["name"].clone();
    assert_eq!(before("apps"), "secrets");
    assert_eq!(before("secrets"), "sealwax");
    let samples = documents(&text("deploy/gitops/argocd/applications.yaml"));
    let wave = |name: &str| {
        let wave = &find(&samples, "Application", name)["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
        wave.as_str().unwrap().parse::<i32>().unwrap()
    };
    assert!(wave("sealwax") < wave("payments"));
}
