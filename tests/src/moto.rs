//! An S3 server for tests: moto, on loopback, in memory, adapted by `tests/tools/s3_server.py`.

use crate::docker_registry::Transport;
use crate::engine::{Server, python};

/// The bucket that exists at the start.
pub const BUCKET: &str = "ledgers";

const MAKE: &str = "import ssl, sys, urllib.request as r\n\
    trust = ssl.create_default_context(cafile=sys.argv[2])\n\
    r.urlopen(r.Request(sys.argv[1], method='PUT'), timeout=20, context=trust).read()";

/// A running moto with one bucket. It is stopped when this value is dropped.
#[derive(Debug)]
pub struct Moto {
    server: Server,
    transport: Transport,
}

impl Moto {
    /// Starts moto. None if it is not installed; with `CI=true` that is a panic.
    pub fn start(test: &str, transport: Transport) -> Option<Moto> {
        let tls = |name: &str| crate::file("data/tls").join(name);
        let server = Server::start(test, "moto/bin/python3", |command, port| {
            command.arg(crate::file("tools/s3_server.py")).args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            if transport == Transport::Tls {
                command.arg("-s").arg("-c").arg(tls("server.pem")).arg("-k").arg(tls("server.key"));
            }
        })?;
        let moto = Moto { server, transport };
        python(MAKE, &[&format!("{}/{BUCKET}", moto.endpoint()), &tls("ca.pem").display().to_string()]);
        Some(moto)
    }

    /// The URL of the server: `http://127.0.0.1:port`, or `https`.
    pub fn endpoint(&self) -> String {
        let scheme = match self.transport {
            Transport::Http => "http",
            Transport::Tls => "https",
        };
        format!("{scheme}://127.0.0.1:{}", self.server.port())
    }

    /// The ledger below `prefix`, for a process with [`Moto::environment`].
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}?endpoint={}&region=us-east-1", self.endpoint())
    }

    /// Credentials. moto accepts any credentials.
    pub fn environment() -> [(&'static str, &'static str); 2] {
        [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]
    }
}
