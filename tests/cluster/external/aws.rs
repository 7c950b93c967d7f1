//! AWS, tried on moto, which keeps data as AWS does, with a proxy before it that counts: both services, every way to be
//! somebody, and how many calls it takes.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Api;
use kube::api::PostParams;
use sealwax_crds::EntryState;
use sealwax_test_servers::{Call, Moto, Proxy};
use serde_json::{Value, json};

use super::world::{External, message, reads, with};

const REGION: &str = "eu-central-1";

/// A world behind a proxy of its own, where names begin with the test's: the server is shared.
struct Aws {
    world: External,
    proxy: Proxy,
    moto: &'static Moto,
}

impl Aws {
    async fn start(test: &str) -> Self {
        let moto = Moto::shared();
        let proxy = Proxy::before(moto.url());
        let url = proxy.url();
        let environment = [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIACONTROLLER"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let world = External::start_classed(test, &environment).await;
        world.secret("keys", &[("id", "AKIASTATIC"), ("key", "hunter2")]);
        Self { world, proxy, moto }
    }

    /// Writes a secret with these fields; its ARN and version.
    fn create(&self, name: &str, fields: &Value) -> Value {
        let made = with(json!({"Name": name}), fields);
        self.moto.secrets_manager(REGION, "CreateSecret", made)
    }

    fn parameter(&self, name: &str, value: &str) {
        let body = json!({"Name": name, "Value": value, "Type": "SecureString", "Overwrite": true});
        self.moto.parameter_store(REGION, "PutParameter", body);
    }

    /// What was called since this was last asked, without what stores ask for themselves.
    fn reads(&self) -> Vec<String> {
        self.proxy.names().into_iter().filter(|name| name != "GetCallerIdentity").collect()
    }
}

/// A store of this service with the keys of the Secret `keys`.
fn store(service: &str, more: &Value) -> Value {
    let of = |key: &str| json!({"name": "keys", "key": key});
    let auth = json!({"secretRef": {"accessKeyIDSecretRef": of("id"), "secretAccessKeySecretRef": of("key")}});
    json!({"aws": with(json!({"service": service, "region": REGION, "auth": auth}), more)})
}

fn entry(item: &str, remote: &Value) -> Value {
    json!({"secretKey": item, "remoteRef": remote})
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_manager_is_read_in_batches() {
    let aws = Aws::start("aws-manager").await;
    let world = &aws.world;
    aws.create("aws-manager/db", &json!({"SecretString": r#"{"user": "app", "port": 5432.0}"#}));
    aws.create("aws-manager/text", &json!({"SecretString": "one"}));
    aws.create("aws-manager/binary", &json!({"SecretBinary": "aHVudGVyMg=="}));
    let old = aws.create("aws-manager/version", &json!({"SecretString": "old"}));
    let put = json!({"SecretId": "aws-manager/version", "SecretString": "new"});
    aws.moto.secrets_manager(REGION, "PutSecretValue", put);
    let id = format!("uuid/{}", old["VersionId"].as_str().unwrap());
    world.store("manager", &store("SecretsManager", &json!({"prefix": "aws-manager/"})));
    let spec = json!({"secretStoreRef": {"name": "manager"}, "data": [
        entry("user", &json!({"key": "db", "property": "user"})),
        entry("port", &json!({"key": "db", "property": "port"})),
        entry("whole", &json!({"key": "aws-manager/db"})),
        entry("text", &json!({"key": "text"})),
        entry("binary", &json!({"key": "binary"})),
        entry("current", &json!({"key": "version"})),
    ]});
    world.external("batch", &spec);
    let whole = r#"{"user": "app", "port": 5432.0}"#;
    let items = [
        ("binary", "hunter2"),
        ("current", "new"),
        ("port", "5432"),
        ("text", "one"),
        ("user", "app"),
        ("whole", whole),
    ];
    world.served.holds("batch", &items).await;
    assert_eq!(aws.reads(), ["BatchGetSecretValue"]);

    let versions = json!({"secretStoreRef": {"name": "manager"}, "data": [
        entry("stage", &json!({"key": "version", "version": "AWSPREVIOUS"})),
        entry("id", &json!({"key": "version", "version": id})),
    ]});
    world.external("versions", &versions);
    world.served.holds("versions", &[("id", "old"), ("stage", "old")]).await;

    // What is scheduled for deletion is gone already; the Secret keeps what it has.
    let delete = json!({"SecretId": "aws-manager/text", "RecoveryWindowInDays": 7});
    aws.moto.secrets_manager(REGION, "DeleteSecret", delete);
    world.force("batch", "1").await;
    let told = world.stale("batch", "SourceMissing").await;
    assert!(told.contains("text"), "{told}");
    world.served.holds("batch", &items).await;
    // In another region there is none of it, and the status says which are missing.
    world.store("manager", &store("SecretsManager", &json!({"prefix": "aws-manager/", "region": "us-east-1"})));
    let told = world.stale("versions", "SourceMissing").await;
    assert!(told.contains("stage, id"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameter_store_is_read_in_batches() {
    let aws = Aws::start("aws-parameters").await;
    let world = &aws.world;
    for (name, value) in [("a", "one"), ("b", "old"), ("b", "new"), ("find/x", "1"), ("find/y", "2")] {
        aws.parameter(&format!("/parameters/{name}"), value);
    }
    world.store("store", &store("ParameterStore", &json!({})));
    world.external("batch", &reads("store", &["a <- /parameters/a", "b <- /parameters/b"]));
    world.served.holds("batch", &[("a", "one"), ("b", "new")]).await;
    assert_eq!(aws.reads(), ["GetParameters"]);
    let version = entry("b", &json!({"key": "/parameters/b", "version": "1"}));
    world.external("version", &json!({"secretStoreRef": {"name": "store"}, "data": [version]}));
    world.served.holds("version", &[("b", "old")]).await;
    let find = json!([{"find": {"path": "/parameters/find"},
        "rewrite": [{"regexp": {"source": ".*/", "target": ""}}]}]);
    world.external("find", &json!({"secretStoreRef": {"name": "store"}, "dataFrom": find}));
    world.served.holds("find", &[("x", "1"), ("y", "2")]).await;
    // An entry that is optional is left out, and says so.
    let missing = with(entry("none", &json!({"key": "/parameters/none"})), &json!({"optional": true}));
    let there = entry("a", &json!({"key": "/parameters/a"}));
    world.external("optional", &json!({"secretStoreRef": {"name": "store"}, "data": [missing, there]}));
    world.served.holds("optional", &[("a", "one")]).await;
    let object = world.ready("optional", "True", "Synced").await;
    assert_eq!(object.status.unwrap().entries[0].state, EntryState::Skipped);
}

/// The first call of this name.
fn named<'a>(calls: &'a [Call], name: &str, holding: &str) -> &'a Call {
    let fits = |call: &&Call| call.name == name && call.body.contains(holding);
    let found = calls.iter().find(fits);
    assert!(found.is_some(), "no {name} of {holding} among {calls:?}");
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_be_somebody_signs_as_that() {
    let aws = Aws::start("aws-logins").await;
    let (world, namespace) = (&aws.world, aws.world.namespace());
    aws.parameter("/logins", "hunter3");
    world.account("app", &[("eks.amazonaws.com/role-arn", "arn:aws:iam::123456789012:role/web")]);
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    let chain = json!({
        "additionalRoles": [role("first")], "role": role("last"), "externalID": "4711", "sessionTagsPolicy": "Simple",
        "sessionTags": [{"key": "team", "value": "payments"}],
    });
    let web = json!({"service": "ParameterStore", "region": REGION,
        "auth": {"jwt": {"serviceAccountRef": {"name": "app"}}}});
    let ambient = json!({"aws": {"service": "ParameterStore", "region": REGION}});
    world.store("static", &store("ParameterStore", &json!({})));
    world.store("chain", &store("ParameterStore", &chain));
    world.store("web", &json!({ "aws": web }));
    world.store("refused", &ambient);
    let own = world.cluster_store("own", &ambient, &json!([{"namespaces": [namespace]}]));
    let spec = |store: &str, kind: &str| {
        with(reads(store, &["x <- /logins"]), &json!({"secretStoreRef": {"name": store, "kind": kind}}))
    };
    for name in ["static", "chain", "web", "refused"] {
        world.external(name, &spec(name, "SecretStore"));
    }
    world.external("own", &spec(&own, "ClusterSecretStore"));
    for name in ["static", "chain", "web", "own"] {
        world.served.holds(name, &[("x", "hunter3")]).await;
    }
    // The controller's own identity is not for whoever may write a store of one namespace.
    let refused = world.ready("refused", "False", "CredentialsRefused").await;
    assert!(message(&refused).contains("may not use the controller's own identity"), "{refused:?}");

    let calls = aws.proxy.calls();
    let keys: Vec<_> = calls.iter().filter(|call| call.name == "GetParameter").map(|call| call.key.as_str()).collect();
    assert!(keys.contains(&"AKIASTATIC") && keys.contains(&"AKIACONTROLLER"), "{keys:?}");
    let (first, last) = (named(&calls, "AssumeRole", "role%2Ffirst"), named(&calls, "AssumeRole", "role%2Flast"));
    assert_eq!(first.key, "AKIASTATIC");
    assert!(last.key != first.key && !first.body.contains("Tags."));
    let tag = |key: &str, value: &str| format!("Key={key}&Tags.member.{{}}.Value={value}");
    for (key, value) in
        [("team", "payments"), ("esoNamespace", namespace), ("esoStoreName", "chain"), ("esoStoreKind", "SecretStore")]
    {
        let stated = (1..=4).any(|index| last.body.contains(&tag(key, value).replace("{}", &index.to_string())));
        assert!(stated, "{key}={value}: {}", last.body);
    }
    assert!(last.body.contains("ExternalId=4711"), "{}", last.body);
    assert_eq!(
        calls.iter().filter(|call| call.name == "AssumeRole").count(),
        2,
        "one login for the store and its users"
    );

    // What AWS was shown is a token of that service account, for AWS alone.
    let web = named(&calls, "AssumeRoleWithWebIdentity", "role%2Fweb");
    let token = web.body.split('&').find_map(|part| part.strip_prefix("WebIdentityToken=")).unwrap();
    let reviews: Api<TokenReview> = Api::all(world.client.clone());
    let review = |audience: &str| TokenReview {
        spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![audience.to_owned()]) },
        ..TokenReview::default()
    };
    let reviewed = reviews.create(&PostParams::default(), &review("sts.amazonaws.com")).await.unwrap().status.unwrap();
    assert_eq!(reviewed.user.unwrap().username.unwrap(), format!("system:serviceaccount:{namespace}:app"));
    let other = reviews.create(&PostParams::default(), &review("vault")).await.unwrap().status.unwrap();
    assert_ne!(other.authenticated, Some(true));
}
