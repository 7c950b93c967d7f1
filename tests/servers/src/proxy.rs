//! Passes requests on, writes down which, and does to them what a test has asked for.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::http::authority;

/// What happens to calls of one kind.
#[derive(Clone, Debug)]
pub struct Rule {
    call: String,
    part: String,
    times: usize,
    fault: Fault,
}

#[derive(Clone, Debug)]
enum Fault {
    Answer { status: u16, headers: String, body: String },
    Delay(Duration),
    BreakOff,
    HangUp,
}

impl Rule {
    fn new(call: &str, fault: Fault) -> Self {
        Self { call: call.to_owned(), part: String::new(), times: usize::MAX, fault }
    }

    /// Answers a call of this name (see [`Call::name`]; `*` at the end is whatever follows) without asking the server.
    pub fn answer(call: &str, status: u16, body: &str) -> Self {
        Self::new(call, Fault::Answer { status, headers: String::new(), body: body.to_owned() })
    }

    /// An error of the JSON services of AWS. Its message must not be seen anywhere.
    pub fn aws_error(call: &str, status: u16, code: &str) -> Self {
        let body = format!("{{\"__type\": \"{code}\", \"Message\": \"HUNTER2\", \"message\": \"HUNTER2\"}}");
        Self::answer(call, status, &body)
    }

    /// An error of STS, with such a message.
    pub fn sts_error(call: &str, status: u16, code: &str) -> Self {
        let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>HUNTER2</Message></Error>");
        Self::answer(call, status, &format!("<ErrorResponse>{error}</ErrorResponse>"))
    }

    /// Passes the call on after a while.
    pub fn delay(call: &str, time: Duration) -> Self {
        Self::new(call, Fault::Delay(time))
    }

    /// Passes the call on, and ends the connection in the middle of the answer's body.
    pub fn break_off(call: &str) -> Self {
        Self::new(call, Fault::BreakOff)
    }

    /// Ends the connection without an answer; the server does not hear of the call.
    pub fn hang_up(call: &str) -> Self {
        Self::new(call, Fault::HangUp)
    }

    /// Only where the body holds this.
    #[must_use]
    pub fn holding(mut self, part: &str) -> Self {
        part.clone_into(&mut self.part);
        self
    }

    /// With this header in the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Fault::Answer { headers, .. } = &mut self.fault {
            *headers += &format!("{name}: {value}\r\n");
        }
        self
    }

    /// For so many calls only.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn fits(&self, call: &Call) -> bool {
        let name = match self.call.strip_suffix('*') {
            Some(start) => call.name.starts_with(start),
            None => call.name == self.call,
        };
        self.times > 0 && name && call.body.contains(&self.part)
    }
}

/// A call as the proxy saw it.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GetSecretValue` for AWS, otherwise method and path: `GET /v1/secret/data/db`.
    pub name: String,
    /// All of its body.
    pub body: String,
    /// Whose key signed it, for AWS.
    pub key: String,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    rules: Mutex<Vec<Rule>>,
    closed: AtomicBool,
}

/// A proxy of one test; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts one before the server of this URL, in plain HTTP.
    pub fn before(url: &str) -> Self {
        let server = authority(url).expect("a URL in plain HTTP with its port").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port has an address");
        let shared = Arc::new(Shared::default());
        let held = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if held.closed.load(Ordering::Relaxed) {
                    return;
                }
                let (server, shared) = (server.clone(), Arc::clone(&held));
                // Who hung up, or was hung up on, is no failure of the proxy's.
                thread::spawn(move || drop(serve(stream, &server, &shared)));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on; of several rules that fit, the one prepared last counts.
    pub fn prepare(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// From now on, everything is passed on.
    pub fn pass(&self) {
        lock(&self.shared.rules).clear();
    }

    /// What was called since this was last asked.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.shared.calls))
    }

    /// The names of it.
    pub fn names(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.name).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // Wakes who waits for a connection; nobody there is just as well.
        drop(TcpStream::connect(self.address));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: TcpStream, server: &str, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let (head, body) = request(&mut stream)?;
        let call = seen(&head, &body);
        let fault = lock(&shared.rules).iter_mut().rev().find(|rule| rule.fits(&call)).map(|rule| {
            rule.times -= 1;
            rule.fault.clone()
        });
        lock(&shared.calls).push(call);
        match &fault {
            Some(Fault::Answer { status, headers, body }) => {
                let length = body.len();
                let kind = "application/x-amz-json-1.1";
                let head = format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\n{headers}content-length: {length}");
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes())?;
                continue;
            }
            Some(Fault::HangUp) => return stream.shutdown(Shutdown::Both),
            Some(Fault::Delay(time)) => thread::sleep(*time),
            Some(Fault::BreakOff) | None => {}
        }
        let mut answer = forwarded(&head, &body, server)?;
        if matches!(fault, Some(Fault::BreakOff)) {
            let head = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
            answer.truncate(head + (answer.len() - head) / 2);
        }
        stream.write_all(&answer)?;
        // The answer says that the connection closes.
        return stream.shutdown(Shutdown::Both);
    }
}

fn forwarded(head: &str, body: &[u8], server: &str) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(server)?;
    server.write_all(head.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes())?;
    server.write_all(body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}

/// The head of the next request, with the empty line, and its body.
fn request(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn seen(head: &str, body: &[u8]) -> Call {
    let body = String::from_utf8_lossy(body).into_owned();
    let target = header(head, "x-amz-target").and_then(|target| target.rsplit('.').next());
    let action = body.split('&').find_map(|part| part.strip_prefix("Action="));
    let line = head.lines().next().and_then(|line| line.rsplit_once(' ')).map_or("", |(line, _)| line);
    let name = target.or(action).unwrap_or(line).to_owned();
    let signed = header(head, "authorization").and_then(|text| text.split("Credential=").nth(1));
    let key = signed.and_then(|text| text.split('/').next()).unwrap_or_default().to_owned();
    Call { name, body, key }
}
