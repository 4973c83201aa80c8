//! Real host names: registries and token servers on loopback, behind TLS, to which a proxy leads that answers CONNECT.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use tagwarden_testing::{AuthMode, Bearer, Login, MemoryRegistry, RegistryServer, Vendor};
use tagwarden_tests::connect::ConnectProxy;
use tagwarden_tests::docker_registry::CA_PEM;
use tagwarden_tests::proxy::{Proxy, Tls};
use tempfile::TempDir;

/// A registry that asks for a login and that no case names.
pub const BYSTANDER: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

const REGISTRIES: [Registry; 10] = [
    Registry::new(&["docker.io", "index.docker.io"], "registry-1.docker.io:443", Some("https://auth.docker.io/token")),
    Registry::new(&["ghcr.io"], "ghcr.io:443", Some("https://ghcr.io/token")).of(Vendor::Ghcr),
    Registry::new(&["quay.io"], "quay.io:443", Some("https://quay.io/v2/auth")).of(Vendor::Quay),
    Registry::new(&["acme.azurecr.io"], "acme.azurecr.io:443", Some("https://acme.azurecr.io/oauth2/token"))
        .of(Vendor::Acr),
    Registry::new(&["registry.gitlab.com"], "registry.gitlab.com:443", Some("https://gitlab.com/jwt/auth")),
    Registry::new(&["git.example.com:5050"], "git.example.com:5050", Some("https://git.example.com/jwt/auth")),
    Registry::new(&["registry.example.com"], "registry.example.com:443", Some("https://auth.example.com/token")),
    Registry::new(&["reg.io"], "reg.io:443", None),
    Registry::new(&["reg.io:5000"], "reg.io:5000", None),
    Registry::new(&[BYSTANDER], "123456789012.dkr.ecr.eu-central-1.amazonaws.com:443", None).of(Vendor::Ecr),
];

/// A registry whose token server is on another site.
pub const SCALEWAY: Registry = Registry::new(
    &["rg.fr-par.scw.cloud"],
    "rg.fr-par.scw.cloud:443",
    Some("https://api.scaleway.com/registry-internal/v1/regions/fr-par/tokens"),
);

/// A registry of the field.
#[derive(Clone, Copy, Debug)]
pub struct Registry {
    /// Its hosts in the names of channels.
    names: &'static [&'static str],
    /// Where it answers, as `host:port`.
    pub at: &'static str,
    /// The URL of its token server; none if it takes the login itself.
    pub realm: Option<&'static str>,
    vendor: Option<Vendor>,
}

impl Registry {
    const fn new(names: &'static [&'static str], at: &'static str, realm: Option<&'static str>) -> Registry {
        Registry { names, at, realm, vendor: None }
    }

    const fn of(self, vendor: Vendor) -> Registry {
        Registry { vendor: Some(vendor), ..self }
    }

    /// Where its token server answers, as `host:port`.
    pub fn token_server(&self) -> Option<String> {
        Some(format!("{}:443", self.realm?.split('/').nth(2).unwrap()))
    }
}

/// A registry with its server.
pub struct Site {
    pub registry: Registry,
    pub server: RegistryServer,
}

impl Site {
    /// From now on, this login is needed: for a token, or where there is no token server with every request.
    pub fn demand(&self, user: &str, password: &str) {
        let login = Login::new(user, password);
        self.server.access(match self.registry.realm {
            Some(realm) => AuthMode::Bearer(Bearer { realm: Some(realm.to_owned()), ..Bearer::new(login) }),
            None => AuthMode::Basic(login),
        });
    }

    /// Every credential that a use of the registry with this one sends.
    pub fn sent_with(&self, credential: &str) -> Sent {
        let at = self.registry.at.to_owned();
        match self.registry.token_server() {
            Some(server) => [(server, credential.to_owned()), (at, BEARER.to_owned())].into(),
            None => [(at, credential.to_owned())].into(),
        }
    }
}

/// Credentials, each with the `host:port` that got it, as [`Request`](tagwarden_tests::proxy::Request) has them.
pub type Sent = BTreeSet<(String, String)>;

/// A token of a token server, in [`Sent`].
pub const BEARER: &str = "Bearer";

pub struct RealNames {
    sites: Vec<Site>,
    /// By their `host:port`.
    fronts: BTreeMap<String, Proxy>,
    connect: ConnectProxy,
    ca: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl RealNames {
    /// The registries, each with the release 1.4.0 of `acme/shop` and of `group/shop`.
    pub fn start() -> RealNames {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (mut sites, mut fronts) = (Vec::new(), BTreeMap::new());
        for registry in REGISTRIES.into_iter().chain([SCALEWAY]) {
            let memory = registry.vendor.map_or_else(MemoryRegistry::new, MemoryRegistry::of_vendor);
            memory.lag(std::time::Duration::ZERO);
            let server = runtime.block_on(RegistryServer::start_on(0, memory)).unwrap();
            for path in ["acme/shop", "group/shop"] {
                server.memory().push_image(&server.repository(path), &"1.4.0".parse().unwrap(), 0);
            }
            for at in [registry.at.to_owned()].into_iter().chain(registry.token_server()) {
                let front = Proxy::https(server.host(), Tls::Issued);
                front.record();
                fronts.entry(at).or_insert(front);
            }
            sites.push(Site { registry, server });
        }
        let connect = ConnectProxy::start(fronts.iter().map(|(at, front)| (at.as_str(), front.host())));
        let ca = tempfile::tempdir().unwrap();
        std::fs::write(ca.path().join("ca.pem"), CA_PEM).unwrap();
        RealNames { sites, fronts, connect, ca, _runtime: runtime }
    }

    /// The registry of channels on this host.
    pub fn site(&self, name: &str) -> &Site {
        self.sites.iter().find(|site| site.registry.names.contains(&name)).unwrap_or_else(|| panic!("no {name}"))
    }

    /// The binary in this home directory, with a ledger in it. The machine's own logins are out of its sight.
    pub fn command(&self, home: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagwarden"));
        command.args(args).args(["--ledger", "ledger", "--ca-file"]).arg(self.ca.path().join("ca.pem"));
        let helpers = tagwarden_tests::file("data/bin").display().to_string();
        command.current_dir(home).stdin(Stdio::null()).env_clear();
        command.env("PATH", format!("{helpers}:{}", std::env::var("PATH").unwrap())).env("HOME", home);
        command.env("XDG_RUNTIME_DIR", home.join("nothing")).env("HTTPS_PROXY", self.connect.url());
        command.env("TAGWARDEN_RETRY_FOR", "1s");
        command
    }

    /// The credentials that were sent since the last call. Every request was sent to the host that it names.
    pub fn sent(&self) -> Sent {
        let mut sent = Sent::new();
        for (at, front) in &self.fronts {
            for request in front.take_requests() {
                assert_eq!(request.host, at.strip_suffix(":443").unwrap_or(at), "{request:?}");
                // The text of a token is another one each time; the registry takes its own alone.
                let short = |credential: String| match credential.starts_with("Bearer ") {
                    true => BEARER.to_owned(),
                    false => credential,
                };
                sent.extend(request.credential.map(short).map(|credential| (at.clone(), credential)));
            }
        }
        sent
    }

    /// Every `host:port` that was asked for so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.connect.asked()
    }
}
