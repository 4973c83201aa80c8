//! The HTTP clients of this crate: its own TLS settings, no redirects and no hidden retries.

mod near;
mod proxy;

use reqwest::{Client, ClientBuilder};
use rustls::ClientConfig;

pub(crate) use self::near::is_loopback;
use self::near::is_near;
pub(crate) use self::proxy::Proxies;
use crate::error::Result;
use crate::tls::{self, Identity, Trust};

/// The `User-Agent` of tagwarden.
pub(crate) const USER_AGENT: &str = concat!("tagwarden/", env!("CARGO_PKG_VERSION"));

/// One client for the hosts that must not be reached through a proxy of the environment: loopback, and the link-local
/// addresses of instance metadata. One for all other hosts. Both keep their connections.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    near: Client,
    far: Client,
}

impl Clients {
    pub(crate) fn new(tls: ClientConfig, set: impl Fn(ClientBuilder) -> ClientBuilder) -> reqwest::Result<Clients> {
        let builder = || {
            let builder = Client::builder()
                .user_agent(USER_AGENT)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .retry(reqwest::retry::never())
                .tls_backend_preconfigured(tls.clone());
            set(builder)
        };
        let far = Proxies::of_environment().set(builder()).build()?;
        Ok(Clients { near: builder().no_proxy().build()?, far })
    }

    /// The client for a host.
    pub(crate) fn to(&self, host: Option<&str>) -> &Client {
        if host.is_some_and(is_near) { &self.near } else { &self.far }
    }
}

/// The TLS configuration of an HTTP client.
pub(crate) fn tls(trust: Trust, identity: Option<&Identity>) -> Result<ClientConfig> {
    let mut tls = tls::config(trust, identity)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}
