//! `git http-backend`, run for each request as a CGI program (RFC 3875).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response};

/// Runs the program on a request, and returns its answer. It panics if the program gives none.
pub(super) fn run(root: &Path, request: &Parts, body: &[u8], protocol_0: bool) -> Response<Body> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut command = Command::new("git");
    surroundings(&mut command, root);
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", request.method.as_str())
        .env("PATH_INFO", request.uri.path())
        .env("QUERY_STRING", request.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("REMOTE_USER", "ci")
        .env("REMOTE_ADDR", "127.0.0.1");
    if !protocol_0 {
        command.env("GIT_PROTOCOL", header("git-protocol"));
    }
    let program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut program = program.expect("git http-backend");
    let output = std::thread::scope(|scope| {
        let mut input = program.stdin.take().expect("its input");
        // It may end before it has read everything.
        scope.spawn(move || input.write_all(body).ok());
        program.wait_with_output().expect("its output")
    });
    answer(&output.stdout).unwrap_or_else(|| {
        panic!("{} {}: git http-backend: {}", request.method, request.uri, String::from_utf8_lossy(&output.stderr))
    })
}

/// The answer in the output of a CGI program; none if there is none.
fn answer(output: &[u8]) -> Option<Response<Body>> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&output[..end]).ok()?;
    let mut answer = Response::new(Body::from(output[end + 4..].to_vec()));
    for line in head.lines() {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        match name.eq_ignore_ascii_case("status") {
            true => *answer.status_mut() = value.get(..3)?.parse().ok()?,
            false => {
                let name: HeaderName = name.parse().ok()?;
                answer.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
            }
        }
    }
    Some(answer)
}

/// Keeps the configuration of the user and of the machine out, and whatever a surrounding Git has set.
pub(super) fn surroundings(command: &mut Command, home: &Path) {
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
}
