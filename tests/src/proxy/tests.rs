//! Tests of each fault: the answer for the client, and the requests that reach the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Answer, Done, Fault, Proxy};

/// A server that stores names: `PUT /name` answers 201, or 412 if the name exists and the request has `If-None-Match:
/// *`; `GET` answers the number of puts, as a chunked body. Also returns the requests that it received.
fn names() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&seen);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = BufReader::new(client.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && client.read_line(&mut head).unwrap_or(0) > 0 {}
            let length = super::http::value(head.as_bytes(), "content-length").map_or(0, |l| l.parse().unwrap());
            let mut body = vec![0; length];
            client.read_exact(&mut body).unwrap();
            let Some(line) = head.lines().next() else { continue };
            let line = format!("{line} {}", String::from_utf8_lossy(&body));
            let mut seen = seen.lock().unwrap();
            let is_there = seen.contains(&line);
            let answer = match (line.starts_with("PUT "), head.contains("If-None-Match: *") && is_there) {
                (true, true) => "HTTP/1.1 412 no\r\nContent-Length: 0\r\n\r\n".to_owned(),
                (true, false) => "HTTP/1.1 201 yes\r\nContent-Length: 3\r\n\r\nnew".to_owned(),
                _ => format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", seen.len()),
            };
            if line.starts_with("PUT ") {
                seen.push(line);
            }
            client.get_mut().write_all(answer.as_bytes()).ok();
        }
    });
    (host, told)
}

/// Sends one request on an open connection; none if the connection is closed without an answer.
fn ask(client: &mut TcpStream, request: &str, body: &str) -> Option<String> {
    client.write_all(format!("{request}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let message = super::http::read(&mut reader, super::http::Body::OfAnswer).ok()??;
    let status = String::from_utf8(message.head[9..12].to_vec()).unwrap();
    Some(format!("{status} {}", String::from_utf8(message.body).unwrap().replace("\r\n", " ")))
}

fn put(proxy: &Proxy, name: &str) -> Option<String> {
    let mut client = TcpStream::connect(proxy.host()).unwrap();
    ask(&mut client, &format!("PUT /{name} HTTP/1.1\r\nIf-None-Match: *"), "v")
}

#[test]
fn without_a_fault_it_carries_requests_and_answers() {
    let (host, _) = names();
    let proxy = Proxy::http(host);
    assert_eq!(put(&proxy, "a").unwrap(), "201 new");
    assert_eq!(put(&proxy, "a").unwrap(), "412 ");
    let mut client = TcpStream::connect(proxy.host()).unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "GET / HTTP/1.1", "").unwrap(), "200 1 2 0  ", "one connection, many requests");
    }
    assert_eq!(proxy.done(), Done { requests: 5, ..Done::default() });
}

#[test]
fn recorded_request_has_its_credential_as_clear_text() {
    let (host, _) = names();
    let proxy = Proxy::http(host);
    assert!(put(&proxy, "before").is_some());
    proxy.record();
    let mut client = TcpStream::connect(proxy.host()).unwrap();
    for (line, header, body) in [
        ("GET /v2/", "", ""),
        ("GET /token?service=s", "Authorization: Basic YWRhOnNlY3JldA==\r\n", ""),
        ("GET /v2/a", "authorization: Bearer t\r\n", ""),
        ("POST /token", "", "grant_type=refresh_token&refresh_token=r&scope=x"),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: reg.io\r\n{header}");
        ask(&mut client, head.trim_end(), body).unwrap();
    }
    let recorded = proxy.take_requests();
    assert!(recorded.iter().all(|request| request.host == "reg.io"), "{recorded:?}");
    let seen: Vec<_> = recorded.iter().map(|request| (request.line.as_str(), request.credential.as_deref())).collect();
    assert_eq!(
        seen,
        [
            ("GET /v2/", None),
            ("GET /token?service=s", Some("Basic ada:secret")),
            ("GET /v2/a", Some("Bearer t")),
            ("POST /token", Some("refresh_token r")),
        ]
    );
    assert_eq!(proxy.take_requests(), []);
}

#[test]
fn a_lost_answer_was_given_and_a_cut_request_was_not_seen() {
    let (host, seen) = names();
    let proxy = Proxy::http(host);
    let puts = |head: &[u8]| head.starts_with(b"PUT ");
    proxy.script(puts, [Fault::LoseAnswer, Fault::Cut]);
    assert_eq!(put(&proxy, "lost"), None);
    assert_eq!(*seen.lock().unwrap(), ["PUT /lost HTTP/1.1 v"]);
    let mut client = TcpStream::connect(proxy.host()).unwrap();
    assert_eq!(ask(&mut client, "GET / HTTP/1.1", "").unwrap(), "200 1 1 0  ", "the script means puts");
    assert_eq!(put(&proxy, "cut"), None);
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert_eq!(put(&proxy, "lost").unwrap(), "412 ");
    assert_eq!((proxy.faults_left(), proxy.done()), (0, Done { requests: 4, lost: 1, cut: 1, ..Done::default() }));
}

#[test]
fn a_repeated_request_is_seen_twice_and_answered_once() {
    let (host, seen) = names();
    let proxy = Proxy::http(host);
    proxy.script(|_| true, [Fault::Repeat(Answer::First), Fault::Repeat(Answer::Second)]);
    assert_eq!(put(&proxy, "a").unwrap(), "201 new");
    assert_eq!(put(&proxy, "b").unwrap(), "412 ", "the second time it is there");
    assert_eq!(*seen.lock().unwrap(), ["a", "a", "b", "b"].map(|name| format!("PUT /{name} HTTP/1.1 v")));
    assert_eq!(proxy.done(), Done { requests: 2, repeated: 2, ..Done::default() });
}

#[test]
fn a_request_without_its_condition_wins_twice() {
    let (host, seen) = names();
    let proxy = Proxy::http(host);
    assert_eq!(put(&proxy, "a").unwrap(), "201 new");
    proxy.strip_conditions();
    assert_eq!(put(&proxy, "a").unwrap(), "201 new");
    assert_eq!(seen.lock().unwrap().len(), 2);
    assert_eq!(proxy.done().stripped, 1);
    proxy.calm();
    assert_eq!(put(&proxy, "a").unwrap(), "412 ");
}

#[test]
fn a_delay_holds_back_and_a_chance_is_the_same_for_the_same_seed() {
    let (host, _) = names();
    let fates = |seed| {
        let proxy = Proxy::http(&host);
        proxy.chance(seed, 30, Fault::Cut);
        let fates: Vec<bool> = (0..40).map(|n| put(&proxy, &format!("{seed}-{n}")).is_none()).collect();
        assert_eq!(proxy.done().cut, fates.iter().filter(|cut| **cut).count() as u64);
        fates
    };
    assert_eq!(fates(1), fates(1));
    assert_ne!(fates(1), fates(2));
    assert!(fates(3).contains(&true) && fates(3).contains(&false));
    let proxy = Proxy::http(&host);
    proxy.script(|_| true, [Fault::Delay(Duration::from_millis(80))]);
    let since = Instant::now();
    assert!(put(&proxy, "late").is_some());
    assert!(since.elapsed() >= Duration::from_millis(80) && proxy.done().delayed == 1);
}

/// A server that answers each line with the same line, and records it.
fn echo() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&seen);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, seen) = (client.unwrap(), Arc::clone(&seen));
            std::thread::spawn(move || {
                for line in BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok) {
                    std::thread::sleep(Duration::from_millis(20));
                    seen.lock().unwrap().push(line.clone());
                    client.write_all(format!("{line}\n").as_bytes()).ok();
                }
            });
        }
    });
    (host, told)
}

fn say(mut client: &TcpStream, line: &str) -> Option<String> {
    client.write_all(format!("{line}\n").as_bytes()).ok()?;
    BufReader::new(client).lines().next()?.ok()
}

#[test]
fn bytes_of_any_protocol_lose_their_answer_after_the_server_acted() {
    let (host, seen) = echo();
    let proxy = Proxy::tcp(host);
    proxy.script(|sent| sent.starts_with(b"COMMIT"), [Fault::LoseAnswer, Fault::Cut]);
    let client = TcpStream::connect(proxy.host()).unwrap();
    assert_eq!(say(&client, "BEGIN").unwrap(), "BEGIN");
    assert_eq!(say(&client, "COMMIT 1"), None);
    assert_eq!(*seen.lock().unwrap(), ["BEGIN", "COMMIT 1"], "it has acted when the client hears that it was cut off");
    let client = TcpStream::connect(proxy.host()).unwrap();
    assert_eq!(say(&client, "COMMIT 2"), None);
    let client = TcpStream::connect(proxy.host()).unwrap();
    assert_eq!(say(&client, "COMMIT 3").unwrap(), "COMMIT 3");
    assert_eq!(*seen.lock().unwrap(), ["BEGIN", "COMMIT 1", "COMMIT 3"]);
    assert_eq!(proxy.done(), Done { requests: 4, lost: 1, cut: 1, ..Done::default() });
}

#[test]
fn late_bytes_arrive_after_the_client_was_cut_off() {
    let (host, seen) = echo();
    let proxy = Proxy::tcp(host);
    proxy.script(|_| true, [Fault::Late(Duration::from_millis(80))]);
    let client = TcpStream::connect(proxy.host()).unwrap();
    assert_eq!(say(&client, "COMMIT"), None);
    assert!(seen.lock().unwrap().is_empty());
    while seen.lock().unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(*seen.lock().unwrap(), ["COMMIT"]);
    assert_eq!(proxy.done(), Done { requests: 1, late: 1, ..Done::default() });
}

#[test]
fn a_drop_closes_what_is_open_and_listens_no_more() {
    let (host, _) = echo();
    let proxy = Proxy::tcp(host);
    let (client, address) = (TcpStream::connect(proxy.host()).unwrap(), proxy.host());
    assert_eq!(say(&client, "a").unwrap(), "a");
    drop(proxy);
    assert_eq!(say(&client, "b"), None);
    assert!(TcpStream::connect(address).is_err());
}
