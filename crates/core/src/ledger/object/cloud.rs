//! The stores of the clouds, with the credentials that each cloud's own tools use.

use std::sync::Arc;

use object_store::{ObjectStore, RetryConfig};

use super::TIMEOUT;
use super::http::{Connector, check_scheme};
use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::url::{Bucket, Place};

/// The store at a place. CONFIG_INVALID if the environment lacks a needed setting.
pub(super) fn connect(place: &Place, settings: &Settings) -> Result<Arc<dyn ObjectStore>> {
    let connector = Connector::new(settings.timeout.unwrap_or(TIMEOUT))?;
    match place {
        #[cfg(feature = "s3")]
        Place::S3(bucket) => s3(bucket, settings, connector),
        #[cfg(feature = "gcs")]
        Place::Gs(bucket) => gcs(bucket, settings, connector),
        #[cfg(feature = "azure")]
        Place::Az(bucket) => azure(bucket, settings, connector),
        _ => Err(place.not_built_in()),
    }
}

/// No retries in `object_store`: after a lost answer, its retry would report our own write as lost to another writer.
/// `Bucket` and `Log::append` retry instead.
fn no_retry() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// The first of these variables that is set and not empty.
#[cfg(any(feature = "s3", feature = "azure"))]
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn misconfigured(bucket: &str, e: &object_store::Error) -> Error {
    // A builder's error names the setting that is missing or wrong, and may contain its value: show only the text
    // before the value.
    let text = e.to_string();
    let text = text.split(['"', '`', '{', '\'']).next().unwrap_or_default().trim_end_matches([' ', ':']);
    Error::new(ErrorKind::ConfigInvalid, format!("{bucket}: {text}"))
}

#[cfg(feature = "s3")]
fn s3(bucket: &Bucket, settings: &Settings, connector: Connector) -> Result<Arc<dyn ObjectStore>> {
    use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
    let bucket = &bucket.name;
    let endpoint =
        settings.endpoint.clone().or_else(|| variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]));
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(no_retry())
        .with_http_connector(connector);
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    // Compatible stores need path-style URLs. So do buckets with dots in the name, which a wildcard certificate does
    // not cover.
    let path_style = settings.path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
    builder = builder.with_virtual_hosted_style_request(!path_style);
    if let Some(endpoint) = endpoint {
        let allowed = settings.allow_http.or_else(|| variable(&["AWS_ALLOW_HTTP"]).map(|value| value == "true"));
        check_scheme(&endpoint, allowed)?;
        builder = builder.with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_endpoint(match (path_style, endpoint.split_once("://")) {
            (false, Some((scheme, host))) => format!("{scheme}://{bucket}.{host}"),
            _ => endpoint,
        });
    }
    Ok(Arc::new(builder.build().map_err(|e| misconfigured(&format!("s3://{bucket}"), &e))?))
}

#[cfg(feature = "gcs")]
fn gcs(bucket: &Bucket, settings: &Settings, connector: Connector) -> Result<Arc<dyn ObjectStore>> {
    use object_store::ClientOptions;
    use object_store::gcp::GoogleCloudStorageBuilder;
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(&bucket.name)
        .with_retry(no_retry())
        .with_http_connector(connector);
    if let Some(endpoint) = &settings.endpoint {
        check_scheme(endpoint, settings.allow_http)?;
        let options = ClientOptions::new().with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_base_url(endpoint).with_client_options(options);
    }
    Ok(Arc::new(builder.build().map_err(|e| misconfigured(&format!("gs://{}", bucket.name), &e))?))
}

#[cfg(feature = "azure")]
fn azure(bucket: &Bucket, settings: &Settings, connector: Connector) -> Result<Arc<dyn ObjectStore>> {
    use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(&bucket.name)
        .with_retry(no_retry())
        .with_http_connector(connector);
    let mut endpoint = variable(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]);
    // The variables that `az` reads, in addition to those of the crate.
    for (name, key) in
        [("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName), ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey)]
    {
        if let Some(value) = variable(&[name]) {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(connection) = variable(&["AZURE_STORAGE_CONNECTION_STRING"]) {
        for (name, value) in connection.split(';').filter_map(|part| part.split_once('=')) {
            match name {
                "AccountName" => builder = builder.with_account(value),
                "AccountKey" => builder = builder.with_access_key(value),
                "SharedAccessSignature" => builder = builder.with_config(AzureConfigKey::SasKey, value),
                "BlobEndpoint" => endpoint = Some(value.trim_end_matches('/').to_owned()),
                _ => {}
            }
        }
    }
    if let Some(account) = &settings.account {
        builder = builder.with_account(account);
    }
    if let Some(endpoint) = settings.endpoint.clone().or(endpoint) {
        let allowed = settings.allow_http.or_else(|| variable(&["AZURE_ALLOW_HTTP"]).map(|value| value == "true"));
        check_scheme(&endpoint, allowed)?;
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    Ok(Arc::new(builder.build().map_err(|e| misconfigured(&format!("az://{}", bucket.name), &e))?))
}
