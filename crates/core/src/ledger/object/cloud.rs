//! The stores of the clouds, with the credentials that each cloud's own tools use, and with our HTTP clients.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};

use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Clients, is_loopback};
use crate::ledger::LedgerUrl;
use crate::tls::Trust;

/// The longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time for which idle connections are kept. Servers keep them longer, so that a PUT is not sent on a connection
/// that the server is closing.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// The store that `url` names, and in it this bucket. CONFIG_INVALID if the environment lacks a needed setting.
pub(super) fn connect(url: &LedgerUrl, bucket: &str, timeout: Duration) -> Result<Arc<dyn ObjectStore>> {
    let connector = Connector { tls: http::tls(Trust::Platform(Vec::new()), None)?, timeout };
    match url.scheme {
        #[cfg(feature = "s3")]
        "s3" => s3(url, bucket, connector),
        #[cfg(feature = "gcs")]
        "gs" => gcs(url, bucket, connector),
        #[cfg(feature = "azure")]
        "az" => azure(url, bucket, connector),
        _ => Err(url.not_built_in()),
    }
}

/// The store that a builder made, or its error.
fn built(url: &LedgerUrl, bucket: &str, store: object_store::Result<impl ObjectStore>) -> Result<Arc<dyn ObjectStore>> {
    let store = store.map_err(|e| {
        // A builder's error names the setting that is missing or wrong, and may contain its value: show only the text
        // before the value.
        let text = e.to_string();
        let text = text.split(['"', '`', '{', '\'']).next().unwrap_or_default().trim_end_matches([' ', ':']);
        Error::new(ErrorKind::ConfigInvalid, format!("{}://{bucket}: {text}", url.scheme))
    });
    Ok(Arc::new(store?))
}

/// No retries in `object_store`: after a lost answer, its retry would report our own write as lost to another writer.
/// `Bucket` and `Log::append` retry instead.
fn no_retry() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// The first of these variables that is set and not empty.
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The endpoint of the URL, or else `other`; plain HTTP is allowed by the URL or by one of the variables `allow`.
fn endpoint(url: &LedgerUrl, other: Option<String>, allow: &[&str]) -> Result<Option<String>> {
    let set = url.option("endpoint").map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    let allowed = url.option("allow-http").map(str::to_owned).or_else(|| variable(allow));
    let endpoint = set.or(other);
    if let Some(endpoint) = &endpoint {
        check_scheme(endpoint, allowed.map(|value| value == "true"))?;
    }
    Ok(endpoint)
}

#[cfg(feature = "s3")]
fn s3(url: &LedgerUrl, bucket: &str, connector: Connector) -> Result<Arc<dyn ObjectStore>> {
    use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
    let named = variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]);
    let endpoint = endpoint(url, named, &["AWS_ALLOW_HTTP"])?;
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(no_retry())
        .with_http_connector(connector);
    if let Some(region) = url.option("region") {
        builder = builder.with_region(region);
    }
    // Compatible stores need path-style URLs. So do buckets with dots in the name, which a wildcard certificate does
    // not cover.
    let by_default = endpoint.is_some() || bucket.contains('.');
    let path_style = url.option("path-style").map_or(by_default, |value| value == "true");
    builder = builder.with_virtual_hosted_style_request(!path_style);
    if let Some(endpoint) = endpoint {
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(
            match (path_style, endpoint.split_once("://")) {
                (false, Some((scheme, host))) => format!("{scheme}://{bucket}.{host}"),
                _ => endpoint,
            },
        );
    }
    built(url, bucket, builder.build())
}

#[cfg(feature = "gcs")]
fn gcs(url: &LedgerUrl, bucket: &str, connector: Connector) -> Result<Arc<dyn ObjectStore>> {
    use object_store::gcp::GoogleCloudStorageBuilder;
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(bucket)
        .with_retry(no_retry())
        .with_http_connector(connector);
    if let Some(endpoint) = endpoint(url, None, &[])? {
        let options = ClientOptions::new().with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_base_url(&endpoint).with_client_options(options);
    }
    built(url, bucket, builder.build())
}

#[cfg(feature = "azure")]
fn azure(url: &LedgerUrl, bucket: &str, connector: Connector) -> Result<Arc<dyn ObjectStore>> {
    use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(bucket)
        .with_retry(no_retry())
        .with_http_connector(connector);
    let mut named = variable(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]);
    // The variables that `az` reads, in addition to those of the crate.
    let variables = [("AccountName", "AZURE_STORAGE_ACCOUNT"), ("AccountKey", "AZURE_STORAGE_KEY")];
    let variables = variables.into_iter().filter_map(|(name, set)| Some((name, variable(&[set])?)));
    let connection = variable(&["AZURE_STORAGE_CONNECTION_STRING"]).unwrap_or_default();
    let parts = connection.split(';').filter_map(|part| part.split_once('='));
    let account = url.option("account").map(|account| ("AccountName", account));
    // Of two settings the later one counts.
    for (name, value) in variables.chain(parts.chain(account).map(|(name, value)| (name, value.to_owned()))) {
        match name {
            "AccountName" => builder = builder.with_account(value),
            "AccountKey" => builder = builder.with_access_key(value),
            "SharedAccessSignature" => builder = builder.with_config(AzureConfigKey::SasKey, value),
            "BlobEndpoint" => named = Some(value.trim_end_matches('/').to_owned()),
            _ => {}
        }
    }
    if let Some(endpoint) = endpoint(url, named, &["AZURE_ALLOW_HTTP"])? {
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    built(url, bucket, builder.build())
}

/// Creates clients with rustls and ring, without the process-wide crypto provider.
#[derive(Clone, Debug)]
struct Connector {
    tls: rustls::ClientConfig,
    timeout: Duration,
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
fn check_scheme(endpoint: &str, allowed: Option<bool>) -> Result<()> {
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
