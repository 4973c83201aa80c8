//! Azure Blob Storage for tests: azurite, on loopback, in memory, with the emulator's public account.

use crate::engine::{Server, python};

/// The container that exists at the start.
pub const CONTAINER: &str = "ledgers";

/// The account of every emulator.
pub const ACCOUNT: &str = "devstoreaccount1";
/// The key of the account, which is public.
pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A script that creates a container, with a request signed with the account's key.
const MAKE: &str = r#"
import base64, email.utils, hashlib, hmac, sys, urllib.request as r
endpoint, account, key, container = sys.argv[1:]
date = email.utils.formatdate(usegmt=True)
headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06"
text = "PUT" + "\n" * 12 + headers + f"\n/{account}/{account}/{container}\nrestype:container"
mac = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
request = r.Request(f"{endpoint}/{account}/{container}?restype=container", method="PUT")
for name, value in (("x-ms-date", date), ("x-ms-version", "2021-08-06"), ("Authorization", f"SharedKey {account}:{mac}")):
    request.add_header(name, value)
r.urlopen(request, timeout=20).read()
"#;

/// A running azurite with one container. It is stopped when this value is dropped.
#[derive(Debug)]
pub struct Azurite(Server);

impl Azurite {
    /// Starts azurite. None if it is not installed; with `CI=true` that is a panic.
    pub fn start(test: &str) -> Option<Azurite> {
        let server = Server::start(test, "azurite/node_modules/.bin/azurite-blob", |command, port| {
            command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
            command.args(["--skipApiVersionCheck", "--inMemoryPersistence", "--silent", "--disableTelemetry"]);
        })?;
        let azurite = Azurite(server);
        python(MAKE, &[&azurite.endpoint(), ACCOUNT, KEY, CONTAINER]);
        Some(azurite)
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port())
    }

    /// The ledger below `prefix`, for a process with [`Azurite::environment`].
    pub fn url(&self, prefix: &str) -> String {
        format!("az://{CONTAINER}/{prefix}?endpoint={}/{ACCOUNT}&account={ACCOUNT}", self.endpoint())
    }

    /// The account's key, in the variable of the Azure command line.
    pub fn environment() -> [(&'static str, &'static str); 1] {
        [("AZURE_STORAGE_KEY", KEY)]
    }
}
