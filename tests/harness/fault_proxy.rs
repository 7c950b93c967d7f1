//! Stands between a program and the API server, and makes the faults that a test asks for.
//!
//! The program speaks plain HTTP to it; it passes requests on with the identity's own credentials.

use std::future::pending;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures::{StreamExt, stream};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Identity;
use crate::supervisor::private_file;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is passed on.
    Pass,
    /// It is answered with this code and never reaches the API server.
    Answer(u16),
    /// It is never answered, nor does it reach the API server.
    Hang,
    /// It reaches the API server, and its answer is lost: the connection ends.
    LoseAnswer,
    /// It is passed on, and nothing more is heard after the first part of the answer: a half-closed watch.
    FallSilent,
    /// It is passed on after a while.
    Delay(Duration),
    /// The program is killed before the API server gets it.
    KillBefore,
    /// The program is killed when the API server has answered it.
    KillAfter,
}

/// A request as rules see it.
#[derive(Clone, Debug)]
pub struct Passing {
    /// `GET`, `POST`, `PATCH` and so on.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Empty if there is none.
    pub query: String,
}

impl Passing {
    /// Whether it is a watch.
    pub fn is_watch(&self) -> bool {
        self.query.contains("watch=true") || self.query.contains("watch=1")
    }

    /// Whether it is about the election.
    pub fn is_lease(&self) -> bool {
        self.path.contains("/leases")
    }
}

type Rule = Box<dyn FnMut(&Passing) -> Fault + Send>;

/// A running proxy; it ends when dropped.
pub struct FaultProxy {
    shared: Arc<Shared>,
    directory: TempDir,
    server: JoinHandle<()>,
}

struct Shared {
    client: Client,
    rule: Mutex<Rule>,
    victim: AtomicI32,
    /// Counts how often everything under way was cut off.
    cuts: watch::Sender<u64>,
}

impl FaultProxy {
    /// Starts one that passes everything on under this identity.
    pub async fn start(identity: &Identity) -> Self {
        let kubeconfig = Kubeconfig::read_from(identity.kubeconfig()).expect("the kubeconfig is readable");
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.expect("the kubeconfig is complete");
        config.default_retry = false;
        config.read_timeout = None;
        let shared = Arc::new(Shared {
            client: Client::try_from(config).expect("the kubeconfig makes a client"),
            rule: Mutex::new(Box::new(|_| Fault::Pass)),
            victim: AtomicI32::new(0),
            cuts: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port has an address");
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a proxy serves until it is dropped");
        });
        let directory = TempDir::new().expect("a temporary directory can be made");
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        private_file(&directory.path().join("kubeconfig"), &kubeconfig.to_string()).expect("a file can be written");
        Self { shared, directory, server }
    }

    /// The kubeconfig of whoever goes through the proxy.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// From now on, this decides what happens to each request.
    pub fn rule(&self, rule: impl FnMut(&Passing) -> Fault + Send + 'static) {
        *self.shared.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    /// From now on, everything is passed on.
    pub fn pass(&self) {
        self.rule(|_| Fault::Pass);
    }

    /// Breaks off every answer that is under way: the watches, as a rule.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Who is killed where a rule says so.
    pub fn victim(&self, process: i32) {
        self.shared.victim.store(process, Ordering::SeqCst);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn kill(&self) {
        if let Some(process) = Pid::from_raw(self.victim.swap(0, Ordering::SeqCst)) {
            // It may be gone already.
            let _ = kill_process(process, Signal::KILL);
        }
    }

    async fn forward(&self, request: Request) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        parts.headers.remove(header::HOST);
        let Ok(body) = to_bytes(body, usize::MAX).await else { return refused(StatusCode::BAD_REQUEST) };
        let request = http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
        match self.client.send(request).await {
            Ok(response) => {
                let mut cuts = self.cuts.subscribe();
                let cut = async move { drop(cuts.changed().await) };
                response.map(|body| Body::from_stream(Body::new(body).into_data_stream().take_until(Box::pin(cut))))
            }
            Err(_) => refused(StatusCode::BAD_GATEWAY),
        }
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let passing = Passing {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
    };
    let fault = shared.rule.lock().unwrap_or_else(PoisonError::into_inner)(&passing);
    match fault {
        Fault::Pass => shared.forward(request).await,
        Fault::Answer(code) => refused(StatusCode::from_u16(code).expect("a status code")),
        Fault::Hang => pending().await,
        Fault::LoseAnswer => {
            let _lost = shared.forward(request).await;
            cut()
        }
        Fault::FallSilent => shared.forward(request).await.map(silent),
        Fault::Delay(time) => {
            tokio::time::sleep(time).await;
            shared.forward(request).await
        }
        Fault::KillBefore => {
            shared.kill();
            pending().await
        }
        Fault::KillAfter => {
            let _lost = shared.forward(request).await;
            shared.kill();
            pending().await
        }
    }
}

/// What the API server itself answers when it has trouble: a status, with a hint when to come again.
fn refused(code: StatusCode) -> Response<Body> {
    let status = serde_json::json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code.as_u16(),
        "reason": if code == StatusCode::TOO_MANY_REQUESTS { "TooManyRequests" } else { "InternalError" },
        "message": "a fault that a test asked for",
    });
    let mut response = Response::new(Body::from(status.to_string()));
    *response.status_mut() = code;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    if code == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// An answer that breaks off before it says anything.
fn cut() -> Response<Body> {
    Response::new(Body::from_stream(stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("cut off"))])))
}

/// An answer of which only the first part comes, and no end.
fn silent(body: Body) -> Body {
    Body::from_stream(body.into_data_stream().take(1).chain(stream::pending()))
}
