//! A proxy on loopback for `CONNECT`, which brings real host names to servers on loopback.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A running proxy. It stops to accept connections when this value is dropped.
#[derive(Debug)]
pub struct ConnectProxy {
    shared: Arc<Shared>,
    port: u16,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// The servers by the `host:port` that clients name.
    servers: HashMap<String, String>,
    /// The `Proxy-Authorization` that a client must send; none if it needs none.
    login: Option<String>,
    asked: Mutex<Vec<String>>,
    stopping: AtomicBool,
}

impl ConnectProxy {
    /// Starts a proxy that connects clients that ask for a `host:port` to this server. It answers 502 for other names.
    pub fn start<'a>(servers: impl IntoIterator<Item = (&'a str, String)>) -> ConnectProxy {
        ConnectProxy::start_with(servers, None)
    }

    /// Like [`start`](ConnectProxy::start), for clients that send this `Proxy-Authorization`. It answers 407 to others.
    pub fn for_login<'a>(login: &str, servers: impl IntoIterator<Item = (&'a str, String)>) -> ConnectProxy {
        ConnectProxy::start_with(servers, Some(login.to_owned()))
    }

    fn start_with<'a>(servers: impl IntoIterator<Item = (&'a str, String)>, login: Option<String>) -> ConnectProxy {
        let servers = servers.into_iter().map(|(name, server)| (name.to_owned(), server)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its port").port();
        let shared = Arc::new(Shared { servers, login, asked: Mutex::default(), stopping: AtomicBool::new(false) });
        let server = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for client in listener.incoming() {
                if server.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), shared) = (client, Arc::clone(&server)) else { continue };
                std::thread::spawn(move || drop(serve(&shared, client)));
            }
        });
        ConnectProxy { shared, port, accepting: Some(accepting) }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every `host:port` that was asked for so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Forgets what was asked for.
    pub fn forget(&self) {
        self.shared.asked.lock().unwrap().clear();
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The listener's thread wakes up only for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().ok();
        }
    }
}

fn serve(shared: &Shared, mut client: TcpStream) -> io::Result<()> {
    // A client sends nothing after the head until it is answered, so the reader holds back no byte of the tunnel.
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let name = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    shared.asked.lock().unwrap().push(name.to_owned());
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let sent = headers.find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization")).map(|(_, value)| value);
    if shared.login.is_some() && shared.login.as_deref() != sent {
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\n\
                      Content-Length: 0\r\n\r\n";
        return client.write_all(answer.as_bytes());
    }
    let Some(server) = shared.servers.get(name) else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    };
    let server = TcpStream::connect(server)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    std::thread::scope(|scope| {
        scope.spawn(|| carry(&server, &client));
        carry(&client, &server);
    });
    Ok(())
}

/// Copies bytes until one side closes.
fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    io::copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Both).ok();
}
