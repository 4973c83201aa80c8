//! TLS between a proxy and its clients.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::docker_registry::SERVER_KEY_PEM;
use crate::docker_registry::SERVER_PEM;

/// A self-signed server certificate, as Docker's instructions make it: it is its own root. It is for `localhost`,
/// 127.0.0.1, `registry.example.test`, `auth.example.test` and the names of some real registries. Its private key is
/// public, so nothing but a test may trust it.
pub const OWN_PEM: &str = include_str!("../../data/tls/own.pem");
/// A client certificate. Its private key is public.
pub const CLIENT_PEM: &str = include_str!("../../data/tls/client.pem");
/// The private key of [`CLIENT_PEM`].
pub const CLIENT_KEY_PEM: &str = include_str!("../../data/tls/client.key");

/// The certificate that a proxy shows, and what it wants of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// A certificate for `localhost`, 127.0.0.1 and the names of real registries, of the authority
    /// [`CA_PEM`](crate::docker_registry::CA_PEM).
    Issued,
    /// [`OWN_PEM`].
    Own,
    /// [`OWN_PEM`]; clients must show [`CLIENT_PEM`].
    OwnForClients,
    /// Like `OwnForClients`, over HTTP/2, as a registry in Go. No request is answered: it is for clients that TLS refuses.
    OwnForClientsOfHttp2,
}

impl Tls {
    pub(super) fn config(self) -> Arc<ServerConfig> {
        let (chain, key) = match self {
            Tls::Issued => (SERVER_PEM, SERVER_KEY_PEM),
            Tls::Own | Tls::OwnForClients | Tls::OwnForClientsOfHttp2 => {
                (OWN_PEM, include_str!("../../data/tls/own.key"))
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
        let builder = match self {
            Tls::Issued | Tls::Own => builder.with_no_client_auth(),
            Tls::OwnForClients | Tls::OwnForClientsOfHttp2 => {
                let mut roots = RootCertStore::empty();
                certificates(CLIENT_PEM).into_iter().for_each(|root| roots.add(root).expect("a root"));
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a private key");
        let mut config = builder.with_single_cert(certificates(chain), key).expect("a certificate with its key");
        if self == Tls::OwnForClientsOfHttp2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        Arc::new(config)
    }
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(|one| one.expect("a certificate")).collect()
}

/// The stream of a client, inside TLS. The handshake is part of the first read.
pub(super) fn accept(config: Arc<ServerConfig>, client: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config).expect("a configuration"), client)
}
