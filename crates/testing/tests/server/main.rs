//! Tests of the server through a plain socket, so that every byte is known.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod access;
mod faults;
mod skopeo;
mod spec;
mod vendors;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tagwarden::registry::MANIFEST_TYPES;
use tagwarden_testing::TestImage;
use tagwarden_testing::*;

const IMAGE: &str = MANIFEST_TYPES[0];

/// An answer as the client received it.
#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// True if the connection ended before the announced length of the body.
    cut: bool,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends one request with these header lines on a new connection.
async fn send(address: SocketAddr, request: &str, headers: &[&str], body: impl Into<Vec<u8>>) -> Response {
    let (request, body) = (request.to_owned(), body.into());
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    tokio::task::spawn_blocking(move || exchange(address, &request, &headers, &body)).await.unwrap()
}

fn exchange(address: SocketAddr, request: &str, headers: &str, body: &[u8]) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    // An error here is a cut connection. Keep the bytes that came before it.
    let ended = stream.read_to_end(&mut answer).is_ok();
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let mut response = Response { status, head, body: answer[split..].to_vec(), cut: !ended };
    if let (false, Some(length)) = (request.starts_with("HEAD"), response.header("content-length")) {
        response.cut |= response.body.len() < length.parse::<usize>().unwrap();
    }
    response
}

async fn get(server: &RegistryServer, path: &str) -> Response {
    send(server.addr(), &format!("GET {path}"), &[&format!("Accept: {}", MANIFEST_TYPES.join(", "))], "").await
}

async fn put_manifest(server: &RegistryServer, path: &str, sample: &TestImage) -> Response {
    let content_type = format!("Content-Type: {}", sample.manifest.media_type());
    send(server.addr(), &format!("PUT {path}"), &[&content_type], sample.manifest.bytes().to_vec()).await
}

async fn server() -> RegistryServer {
    RegistryServer::start().await.unwrap()
}
