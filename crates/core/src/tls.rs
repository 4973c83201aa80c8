//! TLS of every client in this crate: rustls with ring.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, ErrorKind, Result};

/// The servers that a client trusts.
#[derive(Debug)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL names its own roots"))]
pub(crate) enum Trust {
    /// Those whose certificate is issued under one of the platform's roots, or one of these.
    Platform(Vec<CertificateDer<'static>>),
    /// Only those whose certificate is issued under one of these roots.
    Only(Vec<CertificateDer<'static>>),
    /// All: the connection is encrypted, and the server's name is not verified.
    Everyone,
}

/// A client's own certificate, with the certificates that lead from it to a root, and its private key.
#[derive(Debug)]
#[cfg_attr(not(feature = "oci"), expect(dead_code, reason = "only registries get a client certificate"))]
pub(crate) struct Identity {
    /// The name of the chain and that of the key, for errors.
    names: (String, String),
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

#[cfg(feature = "oci")]
impl Identity {
    /// The certificates and the key of two PEM texts, which errors call `chain.0` and `key.0`. CONFIG_INVALID if one of
    /// them has none.
    pub(crate) fn of(chain: (&str, &[u8]), key: (&str, &[u8])) -> Result<Identity> {
        use rustls::pki_types::pem::PemObject as _;
        let certificates = in_pem(chain.0, chain.1)?;
        // The error of the parser is not shown, because the text is a secret.
        let private = PrivateKeyDer::from_pem_slice(key.1)
            .map_err(|_| invalid(key.0, "no PEM private key (without a passphrase) in the text"))?;
        Ok(Identity { names: (chain.0.to_owned(), key.0.to_owned()), chain: certificates, key: private })
    }
}

/// The certificates of a PEM text. CONFIG_INVALID, with `what` as the name of the text, if there are none, or if one
/// cannot be used as a root.
#[cfg(any(feature = "oci", feature = "postgres"))]
pub(crate) fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = in_pem(what, pem)?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|e| invalid(what, e))?;
    }
    Ok(certificates)
}

/// The certificates of a PEM text, at least one.
#[cfg(any(feature = "oci", feature = "postgres"))]
fn in_pem(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    use rustls::pki_types::pem::PemObject as _;
    let certificates =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|e| invalid(what, e))?;
    if certificates.is_empty() { Err(invalid(what, "no PEM certificate in the text")) } else { Ok(certificates) }
}

#[cfg(any(feature = "oci", feature = "postgres"))]
fn invalid(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ConfigInvalid, format!("{what} cannot be used: {why}"))
}

/// A client configuration with a crypto provider of its own. The default provider of the process is not used and not
/// set. A server that asks for a client certificate gets that of `identity`. CONFIG_INVALID if its key does not fit.
pub(crate) fn config(trust: Trust, identity: Option<&Identity>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = LazyVerifier { provider: provider.clone(), trust, verifier: OnceLock::new() };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::InternalFault, format!("TLS cannot be set up: {e}")))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(Identity { names: (chain_name, key_name), chain, key }) => {
            builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|e| {
                let message =
                    format!("the client certificate {chain_name} cannot be used with the key {key_name}: {e}");
                Error::new(ErrorKind::ConfigInvalid, message)
            })
        }
    }
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
    /// The roots that the user gave.
    fn given(&self) -> &[CertificateDer<'static>] {
        match &self.trust {
            Trust::Platform(roots) | Trust::Only(roots) => roots,
            Trust::Everyone => &[],
        }
    }

    /// None if every server is trusted.
    fn new_verifier(&self) -> Result<Option<Arc<dyn ServerCertVerifier>>, rustls::Error> {
        let provider = self.provider.clone();
        match &self.trust {
            Trust::Platform(extra) => {
                Ok(Some(Arc::new(Verifier::new_with_extra_roots(extra.iter().cloned(), provider)?)))
            }
            Trust::Only(roots) => Ok(Some(only(roots, provider)?)),
            Trust::Everyone => Ok(None),
        }
    }

    /// Verifies a server certificate that is itself one of the given roots: its time and its name. The signature in the
    /// handshake, which is verified elsewhere, proves that the server has its key. The other verifiers refuse such a
    /// certificate: they require a path from it to another certificate, the root. Users give it as Docker's
    /// instructions say, or in place of its issuer.
    fn verify_given(
        &self,
        end_entity: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let roots = [end_entity.clone().into_owned()];
        match only(&roots, self.provider.clone())?.verify_server_cert(end_entity, &[], server_name, &[], now) {
            // webpki checks the time before these.
            Err(rustls::Error::InvalidCertificate(error)) if has_no_path(&error) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }
}

/// The verifier that trusts these roots and no others.
fn only(
    roots: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    let mut store = rustls::RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
    Ok(verifier.map_err(|e| rustls::Error::General(e.to_string()))?)
}

/// True if a certificate was refused only because it has no path to a root: it is an authority's own, or its issuer is
/// not known.
fn has_no_path(error: &CertificateError) -> bool {
    match error {
        CertificateError::UnknownIssuer => true,
        // rustls has no variant of its own for this error of webpki.
        CertificateError::Other(other) => other.to_string() == "CaUsedAsEndEntity",
        _ => false,
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
        if self.given().iter().any(|root| root == end_entity) {
            return self.verify_given(end_entity, server_name, now);
        }
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

#[cfg(test)]
#[cfg(any(feature = "oci", feature = "postgres"))]
mod tests {
    use super::*;

    const OWN: &str = include_str!("../../../tests/data/tls/own.pem");
    const ISSUED: &str = include_str!("../../../tests/data/tls/server.pem");
    const CA: &str = include_str!("../../../tests/data/tls/ca.pem");
    /// A time in 2030, and one in 2200, when all certificates have expired.
    const VALID: u64 = 1_893_456_000;
    const OVER: u64 = 7_258_118_400;

    /// The verdict on a server with the certificate `shown`, for a client that trusts `given`.
    fn verdict(given: &str, shown: &str, name: &'static str, at: u64) -> Result<(), rustls::Error> {
        let roots = |pem: &str| certificates("the certificates", pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = LazyVerifier { provider, trust: Trust::Only(roots(given)), verifier: OnceLock::new() };
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
        let verified =
            verifier.verify_server_cert(&roots(shown)[0], &[], &ServerName::try_from(name).unwrap(), &[], at);
        verified.map(|_| ())
    }

    #[test]
    fn server_certificate_that_was_given_itself_is_accepted_for_its_names_and_time() {
        // Self-signed, as an authority, and one whose issuer was not given.
        for own in [OWN, ISSUED] {
            assert_eq!(verdict(own, own, "localhost", VALID), Ok(()));
            assert_eq!(verdict(&format!("{CA}{own}"), own, "127.0.0.1", VALID), Ok(()));
            let wrong_name = verdict(own, own, "other.example", VALID).unwrap_err().to_string();
            assert!(wrong_name.contains("not valid for name"), "{wrong_name}");
            let over = verdict(own, own, "localhost", OVER).unwrap_err().to_string();
            assert!(over.contains("expired"), "{over}");
        }
        assert_eq!(verdict(CA, ISSUED, "localhost", VALID), Ok(()));
    }

    #[test]
    fn server_certificate_that_was_not_given_is_refused() {
        for (given, shown) in [(CA, OWN), (ISSUED, OWN), (OWN, ISSUED)] {
            assert!(matches!(verdict(given, shown, "localhost", VALID), Err(rustls::Error::InvalidCertificate(_))));
        }
    }

    #[test]
    fn text_without_usable_root_is_config_invalid() {
        let error = |pem: &str| certificates("the CA certificates", pem.as_bytes()).unwrap_err();
        assert_eq!(error("").kind(), ErrorKind::ConfigInvalid);
        assert_eq!(error("").to_string(), "the CA certificates cannot be used: no PEM certificate in the text");
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(error(junk).to_string().starts_with("the CA certificates cannot be used: "), "{}", error(junk));
    }
}
