//! Registries over TLS and behind proxies: which certificates are accepted, and what an error says.

use std::sync::Arc;
use std::time::Duration;

use tagwarden::error::Retry;
use tagwarden::registry::Registry;
use tagwarden::registry::oci::{CredentialSource, OciOptions, OciRegistry, Scheme};
use tagwarden::{Digest, ErrorKind, Repository, Result};
use tagwarden_testing::RegistryServer;
use tagwarden_tests::docker_registry::CA_PEM;
use tagwarden_tests::proxy::{CLIENT_KEY_PEM, CLIENT_PEM, OWN_PEM, Proxy, Tls};

/// A registry behind TLS, with a release under `prod`.
async fn registry(tls: Tls) -> (RegistryServer, Proxy, Digest) {
    let server = RegistryServer::start().await.unwrap();
    let digest = server.memory().push_image(&server.repository("acme/shop"), &"prod".parse().unwrap(), 1).digest();
    let proxy = Proxy::https(server.host(), tls);
    (server, proxy, digest)
}

fn options() -> OciOptions {
    let options = OciOptions::new().lookup(CredentialSource::Nowhere).certs_dir("/nowhere");
    options.retry_for(Duration::from_secs(2))
}

async fn resolve(options: OciOptions, host: &str) -> Result<Option<Digest>> {
    let repository: Repository = format!("{host}/acme/shop").parse().unwrap();
    Arc::new(OciRegistry::new(options)?).resolve(&repository, &"prod".parse().unwrap()).await
}

/// The message of a permanent error.
async fn permanent(options: OciOptions, host: &str) -> String {
    let begun = std::time::Instant::now();
    let error = resolve(options, host).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::RegistryUnavailable, Retry::Never), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "it was tried again: {error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn server_certificate_that_is_the_given_root_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("own.pem");
    std::fs::write(&file, OWN_PEM).unwrap();
    let (_server, proxy, digest) = registry(Tls::Own).await;
    for options in [options().ca_pem(OWN_PEM), options().ca_file(&file), options().ca_file_on(proxy.host(), &file)] {
        assert_eq!(resolve(options, &proxy.host()).await.unwrap(), Some(digest));
    }
    let (_server, proxy, digest) = registry(Tls::Issued).await;
    assert_eq!(resolve(options().ca_pem(CA_PEM), &proxy.host()).await.unwrap(), Some(digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_that_is_not_trusted_is_permanent_and_names_ca_file() {
    for (tls, given) in [(Tls::Own, CA_PEM), (Tls::Issued, OWN_PEM)] {
        let (_server, proxy, _) = registry(tls).await;
        let said = permanent(options().ca_pem(given), &proxy.host()).await;
        let want = "trust its authority, or its own certificate, with --ca-file FILE";
        assert!(said.contains("invalid peer certificate") && said.contains(want), "{said}");
        let none = permanent(options().scheme(proxy.host(), Scheme::Https), &proxy.host()).await;
        assert!(none.contains(want), "{none}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_a_directory_are_used_with_the_client_certificate() {
    let (_server, proxy, digest) = registry(Tls::OwnForClients).await;
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join(proxy.host());
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("ca.crt"), OWN_PEM).unwrap();
    let said = permanent(options().certs_dir(directory.path()), &proxy.host()).await;
    assert!(said.contains("the server wants another client certificate"), "{said}");

    std::fs::write(own.join("client.cert"), CLIENT_PEM).unwrap();
    std::fs::write(own.join("client.key"), CLIENT_KEY_PEM).unwrap();
    assert_eq!(resolve(options().certs_dir(directory.path()), &proxy.host()).await.unwrap(), Some(digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificate_that_is_refused_over_http2_is_permanent_and_named() {
    let (_server, proxy, _) = registry(Tls::OwnForClientsOfHttp2).await;
    let said = permanent(options().ca_pem(OWN_PEM), &proxy.host()).await;
    let want = format!(
        "client.key, beside its ca.crt in certs.d, or else into ~/.config/containers/certs.d/{}/",
        proxy.host()
    );
    assert!(said.contains("received fatal alert: ") && said.contains(&want), "{said}");
}

#[tokio::test]
async fn client_certificate_with_another_key_is_named_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("reg.example.com");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("client.cert"), OWN_PEM).unwrap();
    std::fs::write(own.join("client.key"), CLIENT_KEY_PEM).unwrap();
    let error = resolve(options().certs_dir(directory.path()), "reg.example.com").await.unwrap_err();
    let own = own.display();
    let want = format!("the client certificate {own}/client.cert cannot be used with the key {own}/client.key: ");
    assert!(error.kind() == ErrorKind::ConfigInvalid && error.to_string().contains(&want), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_and_tls_are_told_apart_in_words() {
    let (server, proxy, _) = registry(Tls::Own).await;
    let said = permanent(options().scheme(server.host(), Scheme::Https), server.host()).await;
    assert!(said.contains("does not speak TLS") && said.contains(&format!("--insecure {}", server.host())), "{said}");
    let said = permanent(options(), &proxy.host()).await;
    assert!(said.contains("speaks TLS, and was asked over plain HTTP: leave out --insecure"), "{said}");
}
