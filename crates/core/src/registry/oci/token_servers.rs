//! `TokenServers`: the token servers that the caller allows by name.

use std::collections::BTreeMap;

use reqwest::Url;

use crate::error::{Error, ErrorKind, Result};

/// The allowed token servers, for every registry and for each one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TokenServers {
    all: Vec<Server>,
    of: BTreeMap<String, Vec<Server>>,
}

/// A host and its port; without one, any port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    host: String,
    port: Option<u16>,
}

impl TokenServers {
    /// The token servers `HOST[:PORT]` that the caller named. One without a registry is for every registry.
    /// CONFIG_INVALID if one is not a host.
    pub(super) fn new(named: &[(Option<String>, String)]) -> Result<TokenServers> {
        let mut servers = TokenServers::default();
        for (registry, text) in named {
            let of = match registry {
                Some(registry) => servers.of.entry(registry.clone()).or_default(),
                None => &mut servers.all,
            };
            of.push(Server::parse(text)?);
        }
        Ok(servers)
    }

    /// True if the registry may name the token server at this URL.
    pub(super) fn allow(&self, registry: &str, url: &Url) -> bool {
        let own = self.of.get(registry).into_iter().flatten();
        self.all.iter().chain(own).any(|server| server.is_at(url))
    }
}

impl Server {
    /// Reads `HOST[:PORT]`, or the URL of a token server, whose path does not count.
    fn parse(text: &str) -> Result<Server> {
        let invalid = || {
            let message = format!("token server {text:?}: expected HOST or HOST:PORT, such as auth.example.com");
            Error::new(ErrorKind::ConfigInvalid, message)
        };
        let authority = match text.split_once("://") {
            Some(("http" | "https", rest)) => rest.split('/').next().unwrap_or_default(),
            Some(_) => return Err(invalid()),
            None => text,
        };
        if authority.is_empty()
            || authority.contains(['/', '@', '?', '#', '\\'])
            || authority.contains(char::is_whitespace)
        {
            return Err(invalid());
        }
        // `Url` drops the default port of its scheme, but the port is still in the URL of the other scheme.
        let [https, http] = ["https", "http"].map(|scheme| Url::parse(&format!("{scheme}://{authority}/")));
        let (Ok(https), Ok(http)) = (https, http) else { return Err(invalid()) };
        let host = https.host_str().ok_or_else(invalid)?.to_owned();
        Ok(Server { host, port: https.port().or(http.port()) })
    }

    fn is_at(&self, url: &Url) -> bool {
        url.host_str() == Some(&*self.host) && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(named: &str, url: &str) -> bool {
        let servers = TokenServers::new(&[(None, named.to_owned())]).unwrap();
        servers.allow("reg.io", &url.parse().unwrap())
    }

    #[test]
    fn token_server_is_named_by_host_and_port() {
        for named in ["auth.example.com", "Auth.Example.com", "https://auth.example.com/token?service=x"] {
            assert!(allows(named, "https://auth.example.com/token"), "{named}");
            assert!(allows(named, "https://auth.example.com:8443/token"), "{named}");
            assert!(!allows(named, "https://b.auth.example.com/token"), "{named}");
        }
        for (named, allowed, other) in [
            ("auth.io:443", "https://auth.io/", "https://auth.io:444/"),
            ("http://auth.io:80", "http://auth.io/", "https://auth.io/"),
            ("127.0.0.1:5001", "http://127.0.0.1:5001/token", "http://127.0.0.1:5000/"),
            ("[::1]:5001", "http://[::1]:5001/token", "http://[::1]/"),
        ] {
            assert!(allows(named, allowed) && !allows(named, other), "{named}");
        }
    }

    #[test]
    fn token_server_of_one_registry_is_not_that_of_another() {
        let servers = TokenServers::new(&[(Some("reg.io:5000".to_owned()), "auth.io".to_owned())]).unwrap();
        let url = "https://auth.io/".parse().unwrap();
        assert!(servers.allow("reg.io:5000", &url) && !servers.allow("reg.io", &url));
    }

    #[test]
    fn token_server_that_is_no_host_is_an_error() {
        for named in
            ["", "a b", "auth.io/token", "ci@auth.io", "ftp://auth.io", "https://", "auth.io:x", "auth.io:99999"]
        {
            let error = TokenServers::new(&[(None, named.to_owned())]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{named}");
            assert!(error.to_string().ends_with("HOST:PORT, such as auth.example.com"), "{error}");
        }
    }
}
