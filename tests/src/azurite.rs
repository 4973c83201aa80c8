//! Azure Blob Storage for tests: azurite, on loopback, in memory, with the emulator's public account.

use crate::engine::{Server, python};

/// The container that is there.
pub const CONTAINER: &str = "ledgers";

/// The account that every emulator has.
pub const ACCOUNT: &str = "devstoreaccount1";
/// Its key, which is published.
pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Makes a container, signed with the account's key.
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

/// A running azurite with one container; it is stopped when this is dropped.
#[derive(Debug)]
pub struct Azurite(Server);

impl Azurite {
    /// Starts one; none if it is not installed, which is a panic with `CI=true`.
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

    /// The account's key, as `az` finds it.
    pub fn environment() -> [(&'static str, &'static str); 1] {
        [("AZURE_STORAGE_KEY", KEY)]
    }
}
