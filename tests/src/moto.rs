//! An S3 server for tests: moto, on loopback, in memory.

use crate::engine::{Server, python};

/// The bucket that is there.
pub const BUCKET: &str = "ledgers";

const MAKE: &str = "import sys, urllib.request as r\n\
    r.urlopen(r.Request(sys.argv[1], method='PUT'), timeout=20).read()";

/// A running moto with one bucket; it is stopped when this is dropped.
#[derive(Debug)]
pub struct Moto(Server);

impl Moto {
    /// Starts one; none if it is not installed, which is a panic with `CI=true`.
    pub fn start(test: &str) -> Option<Moto> {
        let server = Server::start(test, "moto/bin/moto_server", |command, port| {
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        })?;
        let moto = Moto(server);
        python(MAKE, &[&format!("{}/{BUCKET}", moto.endpoint())]);
        Some(moto)
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port())
    }

    /// The ledger below `prefix`, for a process with [`Moto::environment`].
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}?endpoint={}&region=us-east-1", self.endpoint())
    }

    /// Credentials, any of which moto believes.
    pub fn environment() -> [(&'static str, &'static str); 2] {
        [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]
    }
}
