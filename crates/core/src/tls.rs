//! TLS of every client in this crate: rustls with ring.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, ErrorKind, Result};

/// The servers that a client trusts.
#[derive(Debug)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL names its own roots"))]
pub(crate) enum Trust {
    /// Those with a certificate of the platform's roots, or of these roots.
    Platform(Vec<CertificateDer<'static>>),
    /// Only those with a certificate of these roots.
    Only(Vec<CertificateDer<'static>>),
    /// All: the connection is encrypted, and the server's name is not verified.
    Everyone,
}

/// The certificates of a PEM text. CONFIG_INVALID, with `what` as the name of the text, if there are none, or if one
/// cannot be used as a root.
#[cfg(any(feature = "oci", feature = "postgres"))]
pub(crate) fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    use rustls::pki_types::pem::PemObject as _;
    let invalid = |why: String| Error::new(ErrorKind::ConfigInvalid, format!("{what} cannot be used: {why}"));
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|e| invalid(e.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|e| invalid(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(invalid("no PEM certificate in the text".to_owned()));
    }
    Ok(certificates)
}

/// A client configuration that names its crypto provider itself. It neither needs nor sets the provider of the process.
pub(crate) fn config(trust: Trust) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = LazyVerifier { provider: provider.clone(), trust, verifier: OnceLock::new() };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::InternalFault, format!("TLS cannot be set up: {e}")))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// Makes its verifier at the first handshake. Reading the platform's roots takes milliseconds; commands that connect to
/// loopback only skip it.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
    verifier: OnceLock<Result<Option<Arc<dyn ServerCertVerifier>>, rustls::Error>>,
}

impl LazyVerifier {
    /// None if every server is trusted.
    fn new_verifier(&self) -> Result<Option<Arc<dyn ServerCertVerifier>>, rustls::Error> {
        let provider = self.provider.clone();
        match &self.trust {
            Trust::Platform(extra) => {
                Ok(Some(Arc::new(Verifier::new_with_extra_roots(extra.iter().cloned(), provider)?)))
            }
            Trust::Only(roots) => {
                let mut store = rustls::RootCertStore::empty();
                store.add_parsable_certificates(roots.iter().cloned());
                let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
                Ok(Some(verifier.map_err(|e| rustls::Error::General(e.to_string()))?))
            }
            Trust::Everyone => Ok(None),
        }
    }
}

impl ServerCertVerifier for LazyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.verifier.get_or_init(|| self.new_verifier()).as_ref().map_err(Clone::clone)? {
            Some(verifier) => verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(all(test, any(feature = "oci", feature = "postgres")))]
mod tests {
    use super::*;

    #[test]
    fn text_without_usable_root_is_config_invalid() {
        let error = |pem: &str| certificates("the CA certificates", pem.as_bytes()).unwrap_err();
        assert_eq!(error("").kind(), ErrorKind::ConfigInvalid);
        assert_eq!(error("").to_string(), "the CA certificates cannot be used: no PEM certificate in the text");
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(error(junk).to_string().starts_with("the CA certificates cannot be used: "), "{}", error(junk));
    }
}
