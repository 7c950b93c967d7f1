//! The YAML beside this package is what the types say; `UPDATE_CRDS=1` writes it anew.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

const HEADER: &str = "# Generated from the types in crds/src by: UPDATE_CRDS=1 cargo test -p sealwax-crds\n";

fn rendered(crd: &CustomResourceDefinition) -> String {
    // Through a JSON value: kube's types skip what is empty, and the order is stable.
    let value = serde_json::to_value(crd).unwrap();
    format!("{HEADER}{}", serde_saphyr::to_string(&value).unwrap())
}

#[test]
fn manifests_are_up_to_date() {
    for (file, crd) in sealwax_crds::all() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let expected = rendered(&crd);
        if std::env::var_os("UPDATE_CRDS").is_some() {
            #[expect(clippy::disallowed_methods, reason = "a generated file of the repository, not a secret")]
            std::fs::write(&path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "{file} differs from the types: run UPDATE_CRDS=1 cargo test -p sealwax-crds");
    }
}

#[test]
fn manifests_read_back_as_they_were() {
    for (_, crd) in sealwax_crds::all() {
        let value = serde_json::to_value(&crd).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(&rendered(&crd)).unwrap();
        assert_eq!(read, value);
    }
}

#[test]
fn specs_have_no_defaults_and_no_patterns() {
    for (file, crd) in sealwax_crds::all() {
        for version in crd.spec.versions {
            let schema = version.schema.unwrap().open_api_v3_schema.unwrap();
            let spec = serde_json::to_string(&schema.properties.unwrap()["spec"]).unwrap();
            assert!(!spec.contains("\"default\":"), "{file}: GitOps tools show a default as drift");
            assert!(!spec.contains("\"pattern\":"), "{file}: a pattern prints the value that it refuses");
        }
    }
}

#[test]
fn manifests_can_be_applied_by_any_client() {
    for (file, crd) in sealwax_crds::all() {
        let length = rendered(&crd).len();
        assert!(length < 64 << 10, "{file}: {length} bytes, and an annotation has to hold it");
    }
}

/// The status of an ExternalSecret takes its common fields from another type: they have to arrive.
#[test]
fn statuses_hold_what_they_have_in_common() {
    for (file, crd) in sealwax_crds::all() {
        let schema = crd.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
        let status = &schema.properties.unwrap()["status"];
        assert_eq!(status.default, Some(serde_json::from_str("{\"observedGeneration\": -1}").unwrap()), "{file}");
        assert!(status.all_of.is_none() && status.properties.as_ref().unwrap().contains_key("conditions"), "{file}");
    }
}
