//! A proxy on loopback in front of a registry or a ledger's engine. It injects network faults: it loses the answer,
//! cuts the connection, delays a request or sends it late, repeats it, or removes the condition of a conditional write.

mod http;
mod request;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

pub use self::request::Request;
pub use self::tls::{CLIENT_KEY_PEM, CLIENT_PEM, OWN_PEM, Tls};

use std::collections::HashMap;
use std::fmt;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::random::Random;

/// A fault of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    Pass,
    /// The server handles the request. The connection is closed in place of the answer.
    LoseAnswer,
    /// The connection is closed, and the server does not receive the request.
    Cut,
    /// The request is delayed by this time.
    Delay(Duration),
    /// The connection is closed, and the server receives the request after this time. For other protocols than HTTP.
    Late(Duration),
    /// The server receives the request twice, one after the other. The client gets this answer. HTTP only.
    Repeat(Answer),
    /// The `If-None-Match` header is removed. HTTP only.
    StripCondition,
}

/// The answer to a repeated request that the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The answer to the first request.
    First,
    /// The answer to the second request.
    Second,
}

/// The numbers of requests and of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Requests from clients. For other protocols than HTTP: reads from a client's connection.
    pub requests: u64,
    /// Answers that were lost after the server had handled the request.
    pub lost: u64,
    /// Requests that the server did not receive.
    pub cut: u64,
    /// Requests that were delayed.
    pub delayed: u64,
    /// Requests that the server received after their connection was closed.
    pub late: u64,
    /// Requests that the server received twice.
    pub repeated: u64,
    /// Requests whose condition was removed.
    pub stripped: u64,
}

/// The protocol of the proxied connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Http,
    Anything,
}

/// The TLS of a proxy's clients; none for plain connections.
type Secure = Option<Arc<rustls::ServerConfig>>;

/// True if a fault applies to these bytes: the request line and headers of HTTP, else the bytes from the client.
type When = Box<dyn Fn(&[u8]) -> bool + Send>;

/// The faults for the next requests.
struct Weather {
    script: Vec<(When, Fault)>,
    chance: Option<(Random, u64, Fault)>,
    strips: bool,
    done: Done,
}

struct Shared {
    upstream: String,
    weather: Mutex<Weather>,
    /// The requests since the recording began; none if nothing is recorded.
    recorded: Mutex<Option<Vec<Request>>>,
    stopping: AtomicBool,
    /// The open connections of all clients, so that a stop closes them.
    open: Mutex<HashMap<u64, TcpStream>>,
    next: AtomicU64,
}

/// A running proxy. It is stopped, and every connection through it is closed, when this value is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    speaks: Speaks,
    port: u16,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy for HTTP/1.1 requests to `upstream` (`host:port`).
    pub fn http(upstream: impl Into<String>) -> Proxy {
        Proxy::start(upstream.into(), Speaks::Http, None)
    }

    /// Starts a proxy for HTTP/1.1 requests over TLS to `upstream` (`host:port`), which gets them over plain HTTP.
    pub fn https(upstream: impl Into<String>, tls: Tls) -> Proxy {
        Proxy::start(upstream.into(), Speaks::Http, Some(tls.config()))
    }

    /// Starts a proxy for any protocol in which the server only answers, such as PostgreSQL's. The bytes are not
    /// parsed.
    pub fn tcp(upstream: impl Into<String>) -> Proxy {
        Proxy::start(upstream.into(), Speaks::Anything, None)
    }

    fn start(upstream: String, speaks: Speaks, secure: Secure) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its port").port();
        let weather = Weather { script: Vec::new(), chance: None, strips: false, done: Done::default() };
        let shared = Arc::new(Shared {
            upstream,
            weather: Mutex::new(weather),
            recorded: Mutex::default(),
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
            next: AtomicU64::new(0),
        });
        let server = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for client in listener.incoming() {
                if server.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                let number = server.next.fetch_add(1, Ordering::SeqCst);
                let held = client.try_clone().expect("a second handle");
                server.open.lock().unwrap().insert(number, held);
                let (shared, secure) = (Arc::clone(&server), secure.clone());
                std::thread::spawn(move || {
                    client.set_nodelay(true).ok();
                    match (speaks, secure) {
                        (Speaks::Http, Some(config)) => http::serve(&shared, tls::accept(config, client)),
                        (Speaks::Http, None) => http::serve(&shared, client),
                        (Speaks::Anything, _) => tcp::serve(&shared, client),
                    }
                    // The client's connection is closed only when the last handle is gone, so shut it down here.
                    if let Some(held) = shared.open.lock().unwrap().remove(&number) {
                        held.shutdown(Shutdown::Both).ok();
                    }
                });
            }
        });
        Proxy { shared, speaks, port, accepting: Some(accepting) }
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Adds faults, in order. Each applies to one request for which `when` is true, from any client.
    pub fn script(
        &self,
        when: impl Fn(&[u8]) -> bool + Send + Clone + 'static,
        faults: impl IntoIterator<Item = Fault>,
    ) {
        let mut weather = self.shared.weather.lock().unwrap();
        weather.script.extend(faults.into_iter().map(|fault| (Box::new(when.clone()) as When, self.can(fault))));
    }

    /// From now on `percent` of 100 requests meet `fault`, chosen at random from `seed`.
    pub fn chance(&self, seed: u64, percent: u64, fault: Fault) {
        self.shared.weather.lock().unwrap().chance = Some((Random::new(seed), percent, self.can(fault)));
    }

    /// From now on every request loses its condition, as with a server that ignores conditions.
    pub fn strip_conditions(&self) {
        self.can(Fault::StripCondition);
        self.shared.weather.lock().unwrap().strips = true;
    }

    /// From now on the requests are recorded for [`take_requests`](Proxy::take_requests). HTTP only.
    pub fn record(&self) {
        assert!(self.speaks == Speaks::Http, "a recording is not for this protocol");
        *self.shared.recorded.lock().unwrap() = Some(Vec::new());
    }

    /// The recorded requests since the last call, in order.
    pub fn take_requests(&self) -> Vec<Request> {
        self.shared.recorded.lock().unwrap().as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn can(&self, fault: Fault) -> Fault {
        let speaks = match fault {
            Fault::Repeat(_) | Fault::StripCondition => Speaks::Http,
            Fault::Late(_) => Speaks::Anything,
            _ => self.speaks,
        };
        assert!(self.speaks == speaks, "{fault:?} is not for this protocol");
        fault
    }

    /// Removes all faults.
    pub fn calm(&self) {
        let mut weather = self.shared.weather.lock().unwrap();
        (weather.script, weather.chance, weather.strips) = (Vec::new(), None, false);
    }

    /// The numbers so far.
    pub fn done(&self) -> Done {
        self.shared.weather.lock().unwrap().done
    }

    /// The number of scripted faults that no request has met yet.
    pub fn faults_left(&self) -> usize {
        self.shared.weather.lock().unwrap().script.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The listener's thread wakes up only for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().ok();
        }
        for client in self.shared.open.lock().unwrap().values() {
            client.shutdown(Shutdown::Both).ok();
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({} -> {}, {:?})", self.host(), self.shared.upstream, self.done())
    }
}

impl Shared {
    /// Chooses the fault of this request, and counts it.
    fn draw(&self, request: &[u8]) -> Fault {
        let mut weather = self.weather.lock().unwrap();
        weather.done.requests += 1;
        let scripted = weather.script.iter().position(|(when, _)| when(request));
        let drawn = weather.chance.as_mut().and_then(|(random, percent, fault)| {
            // Draw for every request, so that a script does not change the faults after it.
            (random.below(100) < *percent).then_some(*fault)
        });
        let fault = match scripted.map(|at| weather.script.remove(at).1).or(drawn) {
            Some(fault) => fault,
            None if weather.strips => Fault::StripCondition,
            None => Fault::Pass,
        };
        match fault {
            Fault::Pass | Fault::StripCondition => {}
            Fault::LoseAnswer => weather.done.lost += 1,
            Fault::Cut => weather.done.cut += 1,
            Fault::Delay(_) => weather.done.delayed += 1,
            Fault::Late(_) => weather.done.late += 1,
            Fault::Repeat(_) => weather.done.repeated += 1,
        }
        fault
    }
}
