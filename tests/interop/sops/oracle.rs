//! SOPS itself, as one process that is asked line by line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use data_encoding::BASE64;
use serde_json::{Value, json};

/// The process; it ends with this.
pub(crate) struct Oracle {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// How many questions it answered.
    pub(crate) asked: usize,
    /// Comments that it found encrypted and left so.
    pub(crate) comments_left: usize,
}

/// What it says of a file.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) data: Vec<u8>,
    pub(crate) mac_ok: bool,
    pub(crate) leaves: Vec<Leaf>,
}

/// A value or comment as SOPS sees it: its names, its type, its bytes.
pub(crate) type Leaf = (Vec<String>, String, Vec<u8>);

impl Answer {
    /// The values without the comments.
    pub(crate) fn values(&self) -> Vec<Leaf> {
        self.leaves.iter().filter(|(_, kind, _)| kind != "comment").cloned().collect()
    }

    /// The comments.
    pub(crate) fn comments(&self) -> Vec<String> {
        let comments = self.leaves.iter().filter(|(_, kind, _)| kind == "comment");
        comments.map(|(_, _, text)| String::from_utf8_lossy(text).into_owned()).collect()
    }
}

impl Oracle {
    pub(crate) fn start(program: &Path) -> Self {
        let mut process = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, requests, answers, asked: 0, comments_left: 0 }
    }

    /// Asks for an operation on a file; what SOPS refuses comes back with its reason.
    pub(crate) fn ask(&mut self, op: &str, format: &str, data: &[u8], more: &Value) -> Result<Answer, String> {
        let mut request = json!({ "op": op, "format": format, "data": BASE64.encode(data) });
        let fields = more.as_object().into_iter().flatten();
        request.as_object_mut().unwrap().extend(fields.map(|(name, value)| (name.clone(), value.clone())));
        let requests = self.requests.as_mut().unwrap();
        writeln!(requests, "{request}").unwrap();
        requests.flush().unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        self.asked += 1;
        let answer: Value = serde_json::from_str(&line).unwrap();
        if answer["ok"] != true {
            return Err(answer["error"].as_str().unwrap_or("no reason").to_owned());
        }
        let bytes = |value: &Value| BASE64.decode(value.as_str().unwrap_or_default().as_bytes()).unwrap();
        let leaf = |leaf: &Value| {
            let names = leaf["path"].as_array().into_iter().flatten();
            let names = names.map(|name| name.as_str().unwrap().to_owned()).collect();
            (names, leaf["type"].as_str().unwrap().to_owned(), bytes(&leaf["data"]))
        };
        let leaves = answer["leaves"].as_array().into_iter().flatten().map(leaf).collect();
        Ok(Answer { data: bytes(&answer["data"]), mac_ok: answer["mac_ok"] == true, leaves })
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends when there is nothing more to read.
        self.requests = None;
        let _ = self.process.wait();
    }
}
