//! Where objects open, for whom, and what templates make of them.

use k8s_openapi::api::core::v1::{Namespace as KubeNamespace, Secret};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use sealwax_crds::{EncryptedSecret, EncryptedSecretSpec, MergePolicy, SealedFor, Target, Template, TemplateMetadata};
use sealwax_format::keys::{Recipient, pq};
use sealwax_format::native::{self, Place};
use sealwax_format::{OsRandom, Path, Plaintext, SecretBytes, ValueType};
use sealwax_tests::{ControlPlane, Namespace, wait_for};
use serde_json::json;

use crate::served::{SOON, Served, install, seal_for};

/// An object with one item, sealed for these readers and this place.
fn sealed(readers: &[Recipient], place: (&str, &str), name: &str) -> EncryptedSecret {
    let (namespace_pattern, name_pattern) = place;
    let place = Place::Object {
        group: "sealwax.dev".into(),
        kind: "EncryptedSecret".into(),
        namespace: namespace_pattern.into(),
        name: name_pattern.into(),
    };
    let value = Plaintext::canonical(ValueType::String, SecretBytes::from(b"opened".to_vec()));
    let path = Path::of_keys(&["spec", "data", "password"]);
    let token = native::seal_alone(&mut OsRandom, readers, &place, &path, &value).unwrap().to_string();
    let sealed_for = SealedFor { namespace: namespace_pattern.into(), name: name_pattern.into() };
    let data = [("password".to_owned(), token)].into();
    EncryptedSecret::new(name, EncryptedSecretSpec { data, sealed_for, ..EncryptedSecretSpec::default() })
}

#[tokio::test]
async fn every_form_of_place_opens_where_it_says_and_nowhere_else() {
    let served = Served::start("places").await;
    let readers = [served.recipient().await];
    let namespace = served.namespace.name().to_owned();
    let (start, _) = namespace.split_at(4);
    let prefix = format!("{start}*");
    let opens = [(namespace.as_str(), "strict"), (&namespace, "*"), ("*", "*"), (&prefix, "pre*"), ("*", "exact")];
    for (number, place) in opens.iter().enumerate() {
        let name = ["strict", "anything", "whatever", "preview", "exact"][number];
        served.apply(&sealed(&readers, *place, name)).await;
        served.ready(name, "True", "Synced").await;
        served.holds(name, &[("password", "opened")]).await;
    }
    let refused = [("elsewhere", "one"), (&namespace, "other"), ("else*", "*"), ("*", "pre*")];
    for (number, place) in refused.iter().enumerate() {
        let name = format!("refused-{number}");
        served.apply(&sealed(&readers, *place, &name)).await;
        served.stalled(&name, "WrongPlace").await;
    }
}

#[tokio::test]
async fn an_object_may_be_sealed_for_several_clusters() {
    let served = Served::start("clusters").await;
    let other = Recipient::parse("staging", &pq::Identity::generate().to_public().to_string()).unwrap();
    let namespace = served.namespace.name().to_owned();
    let mut readers = vec![other.clone(), served.recipient().await];
    readers.sort_by_key(|reader| reader.label().to_string());
    served.apply(&sealed(&readers, (&namespace, "db"), "db")).await;
    served.ready("db", "True", "Synced").await;
    served.holds("db", &[("password", "opened")]).await;
    served.apply(&sealed(&[other], (&namespace, "theirs"), "theirs")).await;
    assert!(served.stalled("theirs", "NoIdentity").await.contains("staging@"));
}

#[tokio::test]
async fn templates_shape_the_secret() {
    let served = Served::start("templates").await;
    let mut object = served.seal(served.recipient().await, "db", &[("user", "app"), ("password", "hunter2")]);
    let metadata = TemplateMetadata {
        labels: [("app".to_owned(), "{{ .user }}".replace(['{', '}', '.', ' '], ""))].into(),
        annotations: [("example.com/literal".to_owned(), "{{ .password }}".to_owned())].into(),
    };
    let template = Template {
        type_: Some("example.com/login".into()),
        metadata: Some(metadata),
        data: [("url".to_owned(), "db://{{ .user }}:{{ .password | b64enc }}@db".to_owned())].into(),
        ..Template::default()
    };
    object.metadata.labels = Some([("argocd.argoproj.io/instance".to_owned(), "apps".to_owned())].into());
    object.metadata.annotations = Some(
        [("argocd.argoproj.io/tracking-id".to_owned(), "apps:sealwax.dev/EncryptedSecret:x/db".to_owned())].into(),
    );
    object.spec.target = Some(Target { template: Some(template), ..Target::default() });
    served.apply(&object).await;
    served.ready("db", "True", "Synced").await;
    served.holds("db", &[("url", "db://app:aHVudGVyMg==@db")]).await;
    let secret = served.secrets.get("db").await.unwrap();
    assert_eq!(secret.type_.as_deref(), Some("example.com/login"));
    let (labels, annotations) = (secret.metadata.labels.unwrap(), secret.metadata.annotations.unwrap());
    assert_eq!(annotations["example.com/literal"], "{{ .password }}", "metadata is no template");
    let tracked = labels.keys().chain(annotations.keys()).filter(|key| key.contains("argoproj")).count();
    assert_eq!(tracked, 0, "what GitOps tools put on the object is theirs");

    let target = object.spec.target.as_mut().unwrap();
    target.template.as_mut().unwrap().merge_policy = Some(MergePolicy::Merge);
    served.apply(&object).await;
    served.holds("db", &[("user", "app"), ("password", "hunter2"), ("url", "db://app:aHVudGVyMg==@db")]).await;

    let target = object.spec.target.as_mut().unwrap();
    target.template.as_mut().unwrap().data = [("url".to_owned(), "{{ env .password }}".to_owned())].into();
    served.apply(&object).await;
    let message = served.stalled("db", "Template").await;
    assert!(message.contains("item url") && message.contains("no function env"), "{message}");
    served.holds("db", &[("user", "app"), ("password", "hunter2"), ("url", "db://app:aHVudGVyMg==@db")]).await;
    assert!(!served.controller.log().contains("hunter2"));
}

#[tokio::test]
async fn namespaces_are_served_while_their_labels_match() {
    let plane = ControlPlane::shared().await;
    install(plane);
    let keys = Namespace::create(plane, "matching-keys").await;
    let (one, two) = (Namespace::create(plane, "matching").await, Namespace::create(plane, "matching").await);
    let tag = keys.name().to_owned();
    let selector = format!("example.com/serve={tag}");
    let served = Served::start_selecting(plane, one, keys, &selector).await;
    // Rights where it serves, as the chart gives them with perNamespaceRoles.
    plane.kubectl().apply(&crate::served::rights(&two, &served.keys));
    let client = plane.client().await;
    let namespaces: Api<KubeNamespace> = Api::all(client.clone());
    let label = async |namespace: &str, value: Option<&str>| {
        let patch = json!({"metadata": {"labels": {"example.com/serve": value}}});
        namespaces.patch(namespace, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    };
    label(served.namespace.name(), Some(&tag)).await;
    let reader = served.recipient().await;
    served.apply(&served.seal(reader.clone(), "db", &[("password", "x")])).await;
    served.ready("db", "True", "Synced").await;

    let (objects, secrets): (Api<EncryptedSecret>, Api<Secret>) = (two.api(&client), two.api(&client));
    let object = seal_for(reader.clone(), two.name(), "late", &[("password", "y")]);
    objects.create(&PostParams::default(), &object).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(secrets.get_opt("late").await.unwrap().is_none(), "its labels do not match yet");
    label(two.name(), Some(&tag)).await;
    wait_for(SOON, "the Secret of a namespace that matches now", async || secrets.get_opt("late").await.ok()?).await;

    label(served.namespace.name(), None).await;
    served.controller.wait_for_log(SOON, "not serving any more").await;
    served.apply(&served.seal(reader, "ignored", &[("password", "z")])).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(served.secrets.get_opt("ignored").await.unwrap().is_none());
    assert!(served.secrets.get_opt("db").await.unwrap().is_some(), "what is there stays");
}
