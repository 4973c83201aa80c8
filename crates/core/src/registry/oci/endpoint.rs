//! `Endpoint`: a repository, and the URL of its registry.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::LOCATION;

use super::answer::{Answer, Origin};
use super::attempts::CallTime;
use super::http::{HostClients, Http, host_and_port};
use super::observer::Watch;
use super::options::Scheme;
use super::outside;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Proxies, is_loopback};
use crate::value::Repository;

/// A repository and the URL at which its registry answers.
#[derive(Debug)]
pub(super) struct Endpoint<'a> {
    pub(super) http: &'a Http,
    /// The repository as the caller wrote it. Credentials belong to the registry of this name.
    pub(super) repository: &'a Repository,
    /// The HTTP clients for the registry and for the hosts that it sends us to.
    pub(super) clients: Arc<HostClients>,
    /// `scheme://host[:port]/v2/<path>/`.
    pub(super) base: Url,
}

impl<'a> Endpoint<'a> {
    /// The endpoint of `repository`. VALUE_INVALID if a URL cannot have its host, CONFIG_INVALID if the certificates
    /// for its registry, or the proxy that the environment names for it, cannot be used.
    pub(super) fn of(http: &'a Http, repository: &'a Repository) -> Result<Endpoint<'a>> {
        let registry = repository.registry();
        // Docker Hub's registry answers at another host than the one in its name.
        let is_docker_hub = matches!(registry, "docker.io" | "index.docker.io");
        let host = if is_docker_hub { "registry-1.docker.io" } else { registry };
        let invalid = |e| Error::new(ErrorKind::ValueInvalid, format!("repository: \"{registry}\" is not a host: {e}"));
        let url = |scheme| Url::parse(&format!("{scheme}://{host}/v2/{}/", repository.path())).map_err(invalid);
        let (https, clients) = (url("https")?, http.clients(registry)?);
        let base = match http.options.schemes.get(registry) {
            Some(Scheme::Http) => url("http")?,
            None if https.host_str().is_some_and(is_loopback) && !clients.has_certificates => url("http")?,
            _ => https,
        };
        Proxies::of_environment().check(&base)?;
        Ok(Endpoint { http, repository, clients, base })
    }

    /// The time of a call that begins now and may take `own`.
    pub(super) fn time(&self, own: Duration) -> CallTime {
        CallTime::extended(own, self.http.retry_for(self.repository.registry()))
    }

    /// The time of a read that begins now, and whose answer is small.
    pub(super) fn time_to_look(&self) -> CallTime {
        let retry_for = self.http.retry_for(self.repository.registry());
        self.time(self.http.options.total_timeout).small(retry_for)
    }

    /// The observer of the calls to the registry, if there is one.
    pub(super) fn watch(&self) -> Option<Watch> {
        self.http.watch(self.repository.registry())
    }

    /// The URL of a resource in the repository, such as `manifests/prod` or `tags/list?n=2`.
    pub(super) fn url(&self, rest: &str) -> Result<Url> {
        // Url::join would read `sha256:…` as a scheme. All parts have been parsed, so they are joined as text.
        Url::parse(&format!("{}{rest}", self.base))
            .map_err(|e| Error::new(ErrorKind::InternalFault, format!("{rest} cannot be a part of a URL: {e}")))
    }

    /// The URL of a path of the registry, such as `v2/`.
    pub(super) fn root(&self, path: &str) -> Result<Url> {
        self.base
            .join(&format!("/{path}"))
            .map_err(|e| Error::new(ErrorKind::InternalFault, format!("/{path} cannot be a part of a URL: {e}")))
    }

    /// The host of a URL: the registry itself if the scheme, the host and the port are the registry's.
    pub(super) fn origin(&self, url: &Url) -> Origin {
        if self.base.origin() == url.origin() { Origin::Registry } else { Origin::Elsewhere }
    }

    /// The URL to which an answer redirects a write; none if the answer is no redirect. The write is then sent to that
    /// URL with the same method and body, because it was not carried out (after a 303 it would have been).
    ///
    /// REGISTRY_REFUSED if the URL is of another origin than the registry's: that host would get the content without
    /// credentials.
    pub(super) fn redirect_of_write(&self, from: &Url, answer: &Answer) -> Result<Option<Url>> {
        if !matches!(answer.status.as_u16(), 301 | 302 | 307 | 308) {
            return Ok(None);
        }
        let refused = |why: &str| {
            let error = answer.error(ErrorKind::RegistryRefused, &self.http.secrets());
            Error::new(ErrorKind::RegistryRefused, format!("{error}, {why}"))
                .with_context("status", answer.status.as_u16())
        };
        let to = answer.header(LOCATION).and_then(|location| from.join(location).ok());
        let to = to.ok_or_else(|| refused("a redirect without a usable Location"))?;
        if self.origin(&to) == Origin::Registry && to.username().is_empty() && to.password().is_none() {
            return Ok(Some(to));
        }
        let (scheme, host) = (to.scheme(), host_and_port(&to));
        let why = format!(
            "a redirect to {scheme}://{host}, which is not the registry itself: nothing was written. Name the registry as \
             {host} if that is where it is"
        );
        Err(refused(&why))
    }

    /// The URL `to`, which an answer names, if it may be requested: never from https to http, never to an address
    /// further inside a network than the registry's.
    pub(super) async fn allowed(&self, from: &Url, to: Url) -> Result<Url> {
        let refused = |why: String| {
            let (from, to) = (host_and_port(from), host_and_port(&to));
            Error::new(ErrorKind::RegistryUnavailable, format!("{from} points at {to}, which is not asked: {why}"))
        };
        outside::redirect(from, &to).map_err(refused)?;
        outside::addresses(&self.base, &to).await.map_err(refused)?;
        Ok(to)
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::OciOptions;
    use super::*;

    fn base(repository: &str, options: &OciOptions) -> String {
        let http = Http::new(options.clone()).unwrap();
        Endpoint::of(&http, &repository.parse().unwrap()).unwrap().base.to_string()
    }

    #[test]
    fn loopback_speaks_plain_http_and_others_only_when_named() {
        let default = OciOptions::new().certs_dir("/nowhere");
        for (repository, want) in [
            ("localhost:5000/a/b", "http://localhost:5000/v2/a/b/"),
            ("127.0.0.1:5000/a", "http://127.0.0.1:5000/v2/a/"),
            ("127.9.9.9/a", "http://127.9.9.9/v2/a/"),
            ("127.0.0.1.example.com/a", "https://127.0.0.1.example.com/v2/a/"),
            ("localhost.example.com/a", "https://localhost.example.com/v2/a/"),
            ("10.0.0.1:5000/a", "https://10.0.0.1:5000/v2/a/"),
            ("docker.io/library/a", "https://registry-1.docker.io/v2/library/a/"),
        ] {
            assert_eq!(base(repository, &default), want);
        }
        let named = default.insecure("10.0.0.1:5000").scheme("localhost:5000", Scheme::Https);
        assert_eq!(base("10.0.0.1:5000/a", &named), "http://10.0.0.1:5000/v2/a/");
        assert_eq!(base("10.0.0.1:5001/a", &named), "https://10.0.0.1:5001/v2/a/");
        assert_eq!(base("localhost:5000/a", &named), "https://localhost:5000/v2/a/");
    }

    #[test]
    fn loopback_speaks_tls_when_a_certificate_is_given() {
        const PEM: &str = include_str!("../../../../../tests/data/tls/own.pem");
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("localhost:5000");
        std::fs::create_dir(&own).unwrap();
        let file = own.join("ca.crt");
        std::fs::write(&file, PEM).unwrap();
        let nothing = OciOptions::new().certs_dir("/nowhere");
        for (options, host, scheme) in [
            (nothing.clone().ca_pem(PEM), "localhost:5000", "https"),
            (nothing.clone().ca_file(&file), "127.0.0.1:5000", "https"),
            (nothing.clone().ca_file_on("localhost:5000", &file), "localhost:5000", "https"),
            (nothing.clone().ca_file_on("localhost:5000", &file), "localhost:5001", "http"),
            (nothing.clone().certs_dir(directory.path()), "localhost:5000", "https"),
            (nothing.clone().certs_dir(directory.path()), "localhost:5001", "http"),
            (nothing.ca_pem(PEM).insecure("localhost:5000"), "localhost:5000", "http"),
        ] {
            let want = format!("{scheme}://{host}/v2/a/");
            assert_eq!(base(&format!("{host}/a"), &options), want, "{options:?}");
        }
        let missing = Http::new(OciOptions::new().ca_file_on("a.io", "/nowhere/ca.pem")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::ConfigInvalid);
        assert!(missing.to_string().starts_with("/nowhere/ca.pem cannot be used: "), "{missing}");
    }

    #[test]
    fn a_digest_is_a_part_of_the_path() {
        let (http, repository) = (Http::new(OciOptions::new()).unwrap(), "reg.io/a".parse().unwrap());
        let endpoint = Endpoint::of(&http, &repository).unwrap();
        assert_eq!(endpoint.url("manifests/sha256:00").unwrap().as_str(), "https://reg.io/v2/a/manifests/sha256:00");
        assert_eq!(endpoint.origin(&"https://reg.io/x".parse().unwrap()), Origin::Registry);
        for other in ["http://reg.io/x", "https://reg.io:444/", "https://a.reg.io/"] {
            assert_eq!(endpoint.origin(&other.parse().unwrap()), Origin::Elsewhere, "{other}");
        }
    }
}
