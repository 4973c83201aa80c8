//! The parts of HTTP/1.1 that a proxy needs: the ends of messages.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{Answer, Fault, Request, Shared};

/// A whole request or answer.
pub(super) struct Message {
    /// The first line and the headers, with the empty line after them.
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// Serves the requests of one client. Each request uses its own connection to the server.
pub(super) fn serve(shared: &Shared, client: impl Read + Write) {
    let mut client = BufReader::new(client);
    // On every error the client's connection is closed.
    while let Ok(Some(request)) = read(&mut client, Body::OfRequest) {
        let Ok(Some(answer)) = answer(shared, request) else { return };
        let to = client.get_mut();
        if to.write_all(&answer.head).and_then(|()| to.write_all(&answer.body)).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

/// The answer for the client; none if its connection is to be closed.
fn answer(shared: &Shared, mut request: Message) -> io::Result<Option<Message>> {
    if let Some(recorded) = &mut *shared.recorded.lock().unwrap() {
        recorded.push(Request::of(&request));
    }
    let fault = shared.draw(&request.head);
    match fault {
        // `Late` is for other protocols.
        Fault::Pass | Fault::Late(_) => {}
        Fault::Cut => return Ok(None),
        Fault::Delay(time) => std::thread::sleep(time),
        Fault::StripCondition => {
            let had = request.head.len();
            for condition in ["if-none-match", "x-goog-if-generation-match"] {
                remove(&mut request.head, condition);
            }
            shared.weather.lock().unwrap().done.stripped += u64::from(request.head.len() < had);
        }
        Fault::LoseAnswer => {
            exchange(shared, &request)?;
            return Ok(None);
        }
        Fault::Repeat(Answer::First) => {
            let first = exchange(shared, &request)?;
            exchange(shared, &request)?;
            return Ok(Some(first));
        }
        Fault::Repeat(Answer::Second) => drop(exchange(shared, &request)?),
    }
    exchange(shared, &request).map(Some)
}

/// Sends the request to the server, and reads the whole answer.
fn exchange(shared: &Shared, request: &Message) -> io::Result<Message> {
    let mut head = request.head.clone();
    remove(&mut head, "connection");
    head.truncate(head.len() - 2);
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    let mut server = TcpStream::connect(&shared.upstream)?;
    server.set_nodelay(true)?;
    head.extend_from_slice(&request.body);
    server.write_all(&head)?;
    let kind = if request.head.starts_with(b"HEAD ") { Body::None } else { Body::OfAnswer };
    let mut server = BufReader::new(server);
    loop {
        let mut answer = read(&mut server, kind)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if answer.head.get(9..11) == Some(b"10") {
            // 100 Continue: the final answer follows.
            continue;
        }
        // Keep the client's connection open, even if the server closes its own.
        remove(&mut answer.head, "connection");
        return Ok(answer);
    }
}

/// The rule for the length of a body without a length header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    OfRequest,
    OfAnswer,
}

/// The next message; none at the end of the connection.
pub(super) fn read(from: &mut impl BufRead, kind: Body) -> io::Result<Option<Message>> {
    let mut head = Vec::new();
    // Some clients try TLS first, and wait long for an answer to it.
    if kind == Body::OfRequest && from.fill_buf()?.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while !head.ends_with(b"\r\n\r\n") {
        if from.read_until(b'\n', &mut head)? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
    let mut body = Vec::new();
    let status = head.get(9..12).filter(|_| kind == Body::OfAnswer);
    let has_none = kind == Body::None || status.is_some_and(|s| s.starts_with(b"1") || s == b"204" || s == b"304");
    let length = value(&head, "content-length").map(|length| length.parse::<u64>().map_err(io::Error::other));
    if has_none {
    } else if value(&head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        read_chunks(from, &mut body)?;
    } else if let Some(length) = length.transpose()? {
        if from.take(length).read_to_end(&mut body)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    } else if kind == Body::OfAnswer {
        from.read_to_end(&mut body)?;
        head.truncate(head.len() - 2);
        head.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    }
    Ok(Some(Message { head, body }))
}

/// Copies a chunked body unchanged, with sizes and trailers.
fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let start = body.len();
        from.read_until(b'\n', body)?;
        let line = String::from_utf8_lossy(&body[start..]);
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            break;
        }
        if from.take(size + 2).read_to_end(body)? as u64 != size + 2 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    loop {
        let start = body.len();
        if from.read_until(b'\n', body)? <= 2 {
            return if body.len() > start { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

/// The value of a header, whose name is given in lower case.
pub(super) fn value(head: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let of_name = |line: &str| {
        line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned())
    };
    head.lines().find_map(of_name)
}

fn remove(head: &mut Vec<u8>, name: &str) {
    let is_it = |line: &[u8]| {
        let key = line.split(|byte| *byte == b':').next().unwrap_or_default();
        key.eq_ignore_ascii_case(name.as_bytes())
    };
    *head = head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_it(line)).flatten().copied().collect();
}
