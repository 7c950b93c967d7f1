//! Passes requests on, writes down which, and answers those by itself that a test has prepared an answer for.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An answer that a test has prepared.
#[derive(Clone, Debug)]
pub(crate) struct Canned {
    /// Which calls it is for: `GetSecretValue`, or a call whose body holds a text: `GetSecretValue forbidden`.
    pub(crate) call: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: &'static str,
    pub(crate) body: String,
    /// For how many calls it is good.
    pub(crate) times: usize,
}

impl Canned {
    /// An error in the protocol of the JSON services. Its message must not be seen anywhere.
    pub(crate) fn error(call: &'static str, status: u16, code: &str) -> Self {
        let body = format!("{{\"__type\": \"{code}\", \"Message\": \"HUNTER2\", \"message\": \"HUNTER2\"}}");
        Self { call, status, headers: "", body, times: usize::MAX }
    }

    /// An error of STS.
    pub(crate) fn sts_error(call: &'static str, status: u16, code: &str) -> Self {
        let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>HUNTER2</Message></Error>");
        Self { call, status, headers: "", body: format!("<ErrorResponse>{error}</ErrorResponse>"), times: usize::MAX }
    }

    pub(crate) fn ok(call: &'static str, body: &str) -> Self {
        Self { call, status: 200, headers: "", body: body.to_owned(), times: usize::MAX }
    }
}

/// A call as the proxy saw it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) body: String,
    /// Whose key signed it.
    pub(crate) key: String,
}

#[derive(Default)]
struct Shared {
    calls: Vec<Call>,
    canned: Vec<Canned>,
}

/// A proxy of one test.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Mutex<Shared>>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let moto = tokio::task::spawn_blocking(super::port).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let held = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, moto, held.clone()));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn prepare(&self, canned: Canned) {
        self.shared.lock().unwrap().canned.push(canned);
    }

    /// What was called since this was last asked.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.shared.lock().unwrap().calls)
    }

    /// The names of it.
    pub(crate) fn names(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.name).collect()
    }
}

async fn serve(mut stream: TcpStream, moto: u16, shared: Arc<Mutex<Shared>>) {
    while let Some((head, body)) = request(&mut stream).await {
        let call = seen(&head, &body);
        let prepared = {
            let mut shared = shared.lock().unwrap();
            shared.calls.push(call.clone());
            let fits = |canned: &&mut Canned| {
                let (name, part) = canned.call.split_once(' ').unwrap_or((canned.call, ""));
                canned.times > 0 && name == call.name && call.body.contains(part)
            };
            shared.canned.iter_mut().find(fits).map(|canned| {
                canned.times -= 1;
                canned.clone()
            })
        };
        if let Some(canned) = prepared {
            let length = canned.body.len();
            let answer = format!(
                "HTTP/1.1 {} x\r\ncontent-type: application/x-amz-json-1.1\r\n{}content-length: {length}\r\n\r\n{}",
                canned.status, canned.headers, canned.body
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            continue;
        }
        let mut server = TcpStream::connect(("127.0.0.1", moto)).await.unwrap();
        let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
        server.write_all(head.as_bytes()).await.unwrap();
        server.write_all(&body).await.unwrap();
        let _ = tokio::io::copy(&mut server, &mut stream).await;
        // The answer says that the connection closes.
        return;
    }
}

/// The head of the next request, with the empty line, and its body.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn seen(head: &str, body: &[u8]) -> Call {
    let body = String::from_utf8_lossy(body).into_owned();
    let target = header(head, "x-amz-target").and_then(|target| target.rsplit('.').next());
    let action = body.split('&').find_map(|part| part.strip_prefix("Action="));
    let name = target.or(action).unwrap_or_default().to_owned();
    let signed = header(head, "authorization").and_then(|text| text.split("Credential=").nth(1));
    let key = signed.and_then(|text| text.split('/').next()).unwrap_or_default().to_owned();
    Call { name, body, key }
}
