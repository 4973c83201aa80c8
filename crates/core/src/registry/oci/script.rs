//! A registry on loopback that sends raw bytes, for tests: it can send answers that no HTTP library allows.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// `GET /v2/… HTTP/1.1`.
    pub(super) line: String,
    /// The headers, with names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is(&self, start: &str) -> bool {
        self.line.starts_with(start)
    }
}

/// The reply to a request. The connection is closed after it, except for `Silence`.
pub(super) enum Reply {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, one at a time with a pause between them.
    Trickle(Vec<u8>, Duration),
    /// No reply, and the connection stays open.
    Silence,
    /// No reply; the connection is closed.
    Hangup,
}

/// A complete answer with its length.
pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    Reply::Bytes(bytes(status, headers, body.as_ref().len(), body))
}

/// An answer with a `content-length` of `length`, which may be false.
pub(super) fn bytes(status: u16, headers: &[(&str, &str)], length: usize, body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut all = head.into_bytes();
    all.extend_from_slice(body.as_ref());
    all
}

/// An error in the registry's JSON.
pub(super) fn refusal(status: u16, code: &str) -> Reply {
    reply(
        status,
        &[("content-type", "application/json")],
        format!(r#"{{"errors":[{{"code":"{code}","message":"m"}}]}}"#),
    )
}

/// A server that answers each request with a function of the request and its number, from 0.
pub(super) struct Script {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Script {
    pub(super) async fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(listener, requests.clone(), Arc::new(answer)));
        Script { address, requests, task }
    }

    /// `127.0.0.1:port`.
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Every request so far.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The request line of every request so far, without the HTTP version.
    pub(super) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.line.replace(" HTTP/1.1", "")).collect()
    }
}

async fn serve(
    listener: TcpListener,
    requests: Arc<Mutex<Vec<Request>>>,
    answer: Arc<impl Fn(&Request, usize) -> Reply + Send + Sync + 'static>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (requests, answer) = (requests.clone(), answer.clone());
        tokio::spawn(async move {
            let mut stream = stream;
            let Some(request) = read(&mut stream).await else { return };
            let reply = {
                let mut requests = requests.lock().unwrap();
                requests.push(request.clone());
                answer(&request, requests.len() - 1)
            };
            match reply {
                Reply::Bytes(bytes) => drop(stream.write_all(&bytes).await),
                Reply::Trickle(bytes, pause) => {
                    for byte in bytes {
                        if stream.write_all(&[byte]).await.is_err() {
                            return;
                        }
                        tokio::time::sleep(pause).await;
                    }
                }
                Reply::Silence => std::future::pending().await,
                Reply::Hangup => {}
            }
            let _ = stream.shutdown().await;
        });
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => body.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
    Some(Request { line, headers, body })
}
