//! As much of an API server as is asked for.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) struct Api {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, (u16, Value)>,
    requests: Vec<Seen>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) query: String,
    pub(crate) authorization: String,
    pub(crate) accept: String,
}

/// An authority, with a server for `localhost` and a client: certificate and key each, in PEM.
pub(crate) struct Certificates {
    pub(crate) ca: String,
    server: (String, String),
    pub(crate) client: (String, String),
}

impl Api {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(listener, url)
    }

    /// One that wants certificates of its clients.
    pub(crate) async fn start_tls(certificates: &Certificates) -> Self {
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", plain.local_addr().unwrap().port());
        Self::serve(Tls { plain, acceptor: certificates.acceptor() }, url)
    }

    fn serve<L: Listener<Addr = SocketAddr>>(listener: L, url: String) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        let routes = Router::new().fallback(move |request: Request| {
            let answer = shared.lock().unwrap().answer(&request);
            async move { (answer.0, [(header::CONTENT_TYPE, "application/json")], answer.1) }
        });
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, state }
    }

    /// From now on this path is answered like this; the next page of a list has `?TOKEN` behind its path.
    pub(crate) fn answer(&self, path: &str, status: u16, body: Value) {
        self.state.lock().unwrap().answers.insert(path.to_owned(), (status, body));
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.state.lock().unwrap().requests.clone()
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> (StatusCode, String) {
        let of =
            |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let next = query.split('&').find_map(|pair| pair.strip_prefix("continue="));
        let page = next.map(|next| format!("?{next}")).unwrap_or_default();
        let path = format!("{}{page}", request.uri().path());
        let (authorization, accept) = (of(header::AUTHORIZATION), of(header::ACCEPT));
        self.requests.push(Seen { query, authorization, accept });
        let (status, body) = self.answers.get(&path).cloned().unwrap_or((404, Value::Null));
        (StatusCode::from_u16(status).unwrap(), body.to_string())
    }
}

impl Certificates {
    pub(crate) fn make() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &authority).unwrap().pem(), key.serialize_pem())
        };
        Self { ca: authority.pem(), server: issue("localhost"), client: issue("client") }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca.as_bytes()).unwrap()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
        let certificate = CertificateDer::from_pem_slice(self.server.0.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.server.1.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(clients).with_single_cert(vec![certificate], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

struct Tls {
    plain: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.plain.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.plain.local_addr()
    }
}
