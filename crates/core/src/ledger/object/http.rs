//! The HTTP client of the cloud stores: our TLS settings, no redirects and no hidden retries.

use std::time::Duration;

use async_trait::async_trait;
use object_store::ClientConfigKey;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};

use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Clients, is_loopback};
use crate::tls::Trust;

/// The longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time for which idle connections are kept. Servers keep them longer, so that a PUT is not sent on a connection
/// that the server is closing.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// Creates clients with rustls and ring, without the process-wide crypto provider.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tls: rustls::ClientConfig,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(timeout: Duration) -> Result<Connector> {
        Ok(Connector { tls: http::tls(Trust::Platform(Vec::new()))?, timeout })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let secure = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() != Some("true");
        let clients = Clients::new(self.tls.clone(), |builder| {
            builder
                .https_only(secure)
                .connect_timeout(CONNECT_TIMEOUT.min(self.timeout))
                .timeout(self.timeout)
                .pool_idle_timeout(IDLE_CONNECTION)
        });
        let unusable =
            |e: reqwest::Error| object_store::Error::Generic { store: "HTTP", source: Box::new(e.without_url()) };
        Ok(HttpClient::new(clients.map_err(unusable)?))
    }
}

#[async_trait]
impl HttpService for Clients {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.to(request.uri().host()).call(request).await
    }
}

/// Refuses an `http://` endpoint that `allowed` does not permit. Without `allowed`, only loopback is permitted.
pub(super) fn check_scheme(endpoint: &str, allowed: Option<bool>) -> Result<()> {
    let is_near = || reqwest::Url::parse(endpoint).is_ok_and(|url| url.host_str().is_some_and(is_loopback));
    if !endpoint.starts_with("http://") || allowed.unwrap_or_else(is_near) {
        return Ok(());
    }
    let message = format!(
        "{endpoint}: without TLS a host on the way can change the ledger: use https://, or say allow-http=true"
    );
    Err(Error::new(ErrorKind::ConfigInvalid, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_and_for_what_was_allowed() {
        for near in ["http://127.0.0.1:9000", "http://localhost/x", "http://[::1]:9000", "https://s3.example.com"] {
            assert!(check_scheme(near, None).is_ok(), "{near}");
        }
        for far in
            ["http://minio.example.com:9000", "http://127.0.0.1.example.com", "http://10.0.0.1", "http://[fe80::1]"]
        {
            let error = check_scheme(far, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
            assert!(error.to_string().ends_with("use https://, or say allow-http=true"), "{error}");
            assert!(check_scheme(far, Some(true)).is_ok(), "{far}");
        }
        assert!(check_scheme("http://127.0.0.1:9000", Some(false)).is_err());
    }
}
