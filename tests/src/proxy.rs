//! A proxy on loopback that stands before a registry or a ledger's engine and does to it what networks do: loses the
//! answer, cuts the line, delays, repeats a request, and takes the condition off a conditional write.

mod http;
mod tcp;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::random::Random;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// The server acts on it, and the connection is closed instead of an answer.
    LoseAnswer,
    /// The connection is closed, and the server never sees it.
    Cut,
    /// It is held back this long.
    Delay(Duration),
    /// The server gets it twice, one after the other, and this answer is the client's. HTTP only.
    Repeat(Answer),
    /// `If-None-Match` is taken off. HTTP only.
    StripCondition,
}

/// Which answer to a repeated request the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To the first.
    First,
    /// To the second.
    Second,
}

/// How often what was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Requests that came from clients. Of opaque bytes: what was read at once.
    pub requests: u64,
    /// Answers that were lost after the server had acted.
    pub lost: u64,
    /// Requests that the server never saw.
    pub cut: u64,
    /// Requests that were held back.
    pub delayed: u64,
    /// Requests that the server got twice.
    pub repeated: u64,
    /// Requests that lost a condition which they had.
    pub stripped: u64,
}

/// What the proxy understands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Http,
    Anything,
}

/// Whether a fault is meant for these bytes: of HTTP the request line and headers, else what the client sent.
type When = Box<dyn Fn(&[u8]) -> bool + Send>;

/// What the next requests meet.
struct Weather {
    script: Vec<(When, Fault)>,
    chance: Option<(Random, u64, Fault)>,
    strips: bool,
    done: Done,
}

struct Shared {
    upstream: String,
    weather: Mutex<Weather>,
    stopping: AtomicBool,
    /// Every client's open connection, so that a stop closes it.
    open: Mutex<HashMap<u64, TcpStream>>,
    next: AtomicU64,
}

/// A running proxy; it stops, and every connection through it is closed, when this is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    speaks: Speaks,
    port: u16,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// One that understands HTTP/1.1 requests to `upstream` (`host:port`).
    pub fn http(upstream: impl Into<String>) -> Proxy {
        Proxy::start(upstream.into(), Speaks::Http)
    }

    /// One for any protocol in which the server speaks when it is spoken to, such as PostgreSQL's: it looks at nothing.
    pub fn tcp(upstream: impl Into<String>) -> Proxy {
        Proxy::start(upstream.into(), Speaks::Anything)
    }

    fn start(upstream: String, speaks: Speaks) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its port").port();
        let weather = Weather { script: Vec::new(), chance: None, strips: false, done: Done::default() };
        let shared = Arc::new(Shared {
            upstream,
            weather: Mutex::new(weather),
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
                let shared = Arc::clone(&server);
                std::thread::spawn(move || {
                    client.set_nodelay(true).ok();
                    match speaks {
                        Speaks::Http => http::serve(&shared, client),
                        Speaks::Anything => tcp::serve(&shared, client),
                    }
                    // Not before the last handle is gone does the client hear of it.
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

    /// Each of these faults meets one request for which `when` holds, in this order, from whichever client.
    pub fn script(
        &self,
        when: impl Fn(&[u8]) -> bool + Send + Clone + 'static,
        faults: impl IntoIterator<Item = Fault>,
    ) {
        let mut weather = self.shared.weather.lock().unwrap();
        weather.script.extend(faults.into_iter().map(|fault| (Box::new(when.clone()) as When, self.can(fault))));
    }

    /// From now on `percent` of a hundred requests meet `fault`, drawn by `seed`.
    pub fn chance(&self, seed: u64, percent: u64, fault: Fault) {
        self.shared.weather.lock().unwrap().chance = Some((Random::new(seed), percent, self.can(fault)));
    }

    /// From now on every request loses its condition: the server behaves like one that ignores them.
    pub fn strip_conditions(&self) {
        self.can(Fault::StripCondition);
        self.shared.weather.lock().unwrap().strips = true;
    }

    fn can(&self, fault: Fault) -> Fault {
        let needs_http = matches!(fault, Fault::Repeat(_) | Fault::StripCondition);
        assert!(self.speaks == Speaks::Http || !needs_http, "{fault:?} needs HTTP");
        fault
    }

    /// From now on nothing happens to requests.
    pub fn calm(&self) {
        let mut weather = self.shared.weather.lock().unwrap();
        (weather.script, weather.chance, weather.strips) = (Vec::new(), None, false);
    }

    /// What was done so far.
    pub fn done(&self) -> Done {
        self.shared.weather.lock().unwrap().done
    }

    /// How many scripted faults have met no request yet.
    pub fn faults_left(&self) -> usize {
        self.shared.weather.lock().unwrap().script.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The listener wakes up for a connection only.
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
    /// What happens to this request. It counts as done.
    fn draw(&self, request: &[u8]) -> Fault {
        let mut weather = self.weather.lock().unwrap();
        weather.done.requests += 1;
        let scripted = weather.script.iter().position(|(when, _)| when(request));
        let drawn = weather.chance.as_mut().and_then(|(random, percent, fault)| {
            // Drawn for every request, so that a script does not change what comes after it.
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
            Fault::Repeat(_) => weather.done.repeated += 1,
        }
        fault
    }
}
