//! The API server's audit log: who asked for what. Tests count requests with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;

/// The log, a line of JSON per request.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
}

/// A place in the log.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// One request. A watch is there from its beginning; everything else when it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The user's name, such as `system:serviceaccount:sealwax:controller`.
    pub user: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The plural, with the subresource behind a slash: `encryptedsecrets/status`. Empty for paths like `/readyz`.
    pub resource: String,
    /// Empty for what is not in a namespace.
    pub namespace: String,
    /// Empty for lists, watches and most creations.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
}

impl Request {
    /// Whether it changes something, if allowed.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }
}

impl AuditLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The end of the log now. The API server writes before it answers, so requests answered so far lie before it.
    pub fn mark(&self) -> Mark {
        Mark(std::fs::metadata(&self.path).expect("the audit log exists").len())
    }

    /// The requests since then, in the order of their answers.
    pub fn since(&self, mark: Mark) -> Vec<Request> {
        let mut text = Vec::new();
        let mut file = File::open(&self.path).expect("the audit log is readable");
        file.seek(SeekFrom::Start(mark.0)).expect("the audit log can be searched");
        file.read_to_end(&mut text).expect("the audit log is readable");
        // The last line may be half written.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).filter_map(parse).collect()
    }

    /// How many requests since then satisfy the condition.
    pub fn count(&self, mark: Mark, condition: impl Fn(&Request) -> bool) -> usize {
        self.since(mark).iter().filter(|request| condition(request)).count()
    }

    /// How often each (user, verb, resource, namespace) occurred since then: for comparing, and for error messages.
    pub fn tally(&self, mark: Mark) -> BTreeMap<(String, String, String, String), usize> {
        let mut tally = BTreeMap::new();
        for request in self.since(mark) {
            let key = (request.user, request.verb, request.resource, request.namespace);
            *tally.entry(key).or_default() += 1;
        }
        tally
    }
}

/// The parts of an audit event that we use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

fn parse(line: &[u8]) -> Option<Request> {
    let event: Event = serde_json::from_slice(line).expect("an audit event is JSON");
    // Long requests have two events, ResponseStarted and ResponseComplete: count a watch once, by its beginning.
    let counts = if event.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    if event.stage != counts {
        return None;
    }
    let object = event.object_ref.unwrap_or_default();
    let resource = match object.subresource.as_str() {
        "" => object.resource,
        subresource => format!("{}/{subresource}", object.resource),
    };
    Some(Request {
        user: event.user.username,
        user_agent: event.user_agent,
        verb: event.verb,
        resource,
        namespace: object.namespace,
        name: object.name,
        code: event.response_status.map_or(0, |status| status.code),
    })
}
