//! `sealift serve` as a process of its own, and a client that can be as rude as it likes.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::desk::Desk;

/// How long a reply is waited for.
const WAIT: Duration = Duration::from_secs(40);

/// A service over the vault of a desk. It is ended with the value.
pub(crate) struct Server {
    child: Child,
    address: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The results of a request for values.
    #[track_caller]
    pub(crate) fn results(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["results"].as_array().unwrap().clone()
    }

    /// Holds that it is the one error envelope, with this status and code.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        let body = self.json();
        assert_eq!(body["error"]["code"], code, "{self:?}");
        let id = body["error"]["request_id"].as_str().unwrap();
        assert!(self.head.contains(&format!("x-request-id: {id}")), "{self:?}");
        assert_eq!(body.as_object().unwrap().len(), 1, "{self:?}");
        self
    }

    pub(crate) fn says(&self, header: &str) -> bool {
        self.head.to_lowercase().lines().any(|line| line == header)
    }
}

impl Server {
    /// Starts the service, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(desk: &Desk) -> Self {
        Self::start_with(desk, &[])
    }

    /// Starts the service with more arguments.
    #[track_caller]
    pub(crate) fn start_with(desk: &Desk, more: &[&str]) -> Self {
        let log = std::fs::File::create(desk.path("serve.log")).unwrap();
        Self::start_with_log(desk, more, log)
    }

    /// The same, with its log somewhere else.
    pub(crate) fn start_with_log(desk: &Desk, more: &[&str], log: std::fs::File) -> Self {
        let mut arguments = vec!["--format", "json", "serve", "--listen", "127.0.0.1:0"];
        arguments.extend(more);
        let mut command = desk.command(&arguments);
        let mut child = command
            .env("SEALIFT_LOG", "debug,sqlx=warn,hyper=warn,h2=warn,rustls=warn")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let log = std::fs::read_to_string(desk.path("serve.log")).unwrap_or_default();
            panic!("the service does not listen: {error}: {log}")
        });
        let url = said["listening"].as_str().unwrap();
        let address = url.split_once("://").unwrap().1.to_owned();
        Self { child, address }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends bytes as they are, and reads all that comes back.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Option<Reply> {
        let mut stream = self.connect();
        // A service that refuses may be gone before it has read everything.
        let _ = stream.write_all(bytes);
        reply_of(&mut stream)
    }

    /// Sends a request on a connection of its own.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Reply {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: sealift\r\nconnection: close\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("content-length: ");
        head.push_str(&body.len().to_string());
        head.push_str("\r\n\r\n");
        self.raw(&[head.as_bytes(), body].concat()).expect("there is a reply")
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    #[track_caller]
    pub(crate) fn get_as(&self, credential: &str, path: &str) -> Reply {
        self.send("GET", path, &[&format!("authorization: Bearer {credential}")], b"")
    }

    /// Sends JSON with a credential.
    #[track_caller]
    pub(crate) fn post(&self, credential: &str, path: &str, body: &Value) -> Reply {
        self.post_bytes(credential, path, body.to_string().as_bytes())
    }

    #[track_caller]
    pub(crate) fn post_bytes(&self, credential: &str, path: &str, body: &[u8]) -> Reply {
        let authorization = format!("authorization: Bearer {credential}");
        self.send("POST", path, &[&authorization, "content-type: application/json"], body)
    }

    /// Asks for the values of tokens.
    #[track_caller]
    pub(crate) fn detokenize(&self, credential: &str, purpose: &str, tokens: &[&str]) -> Reply {
        let body = json!({"purpose": purpose, "reason": "case 4711", "tokens": tokens});
        self.post(credential, "/v1/detokenize", &body)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Tells it to end, as a service manager does, and does not wait.
    pub(crate) fn tell_to_end(&self) {
        self.signal("TERM");
    }

    /// How much memory it has held at most, in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends it as a service manager does, and holds that it ends well.
    #[track_caller]
    pub(crate) fn end(mut self) {
        signal(&self.child, "TERM");
        assert!(self.child.wait().unwrap().success(), "it ends with 0");
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
}

/// Reads one reply; `None` where the connection ends without one.
pub(crate) fn reply_of(stream: &mut impl Read) -> Option<Reply> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
        if is_whole(&bytes) {
            break;
        }
    }
    parsed(&bytes)
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = end_of_head(bytes) else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return bytes.ends_with(b"0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| bytes.len() >= end + length.trim().parse::<usize>().unwrap())
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn parsed(bytes: &[u8]) -> Option<Reply> {
    let end = end_of_head(bytes)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut body = bytes[end..].to_vec();
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        body = unchunked(&body);
    }
    Some(Reply { status, head, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = String::from_utf8_lossy(&rest[..line]).into_owned();
        let Ok(length) = usize::from_str_radix(length.trim(), 16) else { break };
        let start = line + 2;
        if length == 0 || rest.len() < start + length {
            break;
        }
        whole.extend_from_slice(&rest[start..start + length]);
        rest = &rest[start + length + 2..];
    }
    whole
}
