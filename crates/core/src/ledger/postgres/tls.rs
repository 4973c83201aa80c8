//! TLS of a connection: rustls with ring, and the verification of the server's certificate.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::address::Tls;
use crate::error::{Error, ErrorKind, Result};

/// The TLS settings of the client; none for a connection without TLS. CONFIG_INVALID if the roots cannot be used.
pub(super) fn config(tls: &Tls) -> Result<Option<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match tls {
        Tls::Disable => return Ok(None),
        Tls::Require => Arc::new(Believe(provider.clone())),
        Tls::VerifyFull(None) => Arc::new(Verifier::new(provider.clone()).map_err(|e| fault(&e))?),
        Tls::VerifyFull(Some(file)) => {
            let roots = Arc::new(roots(file)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
            verifier.map_err(|e| unusable(file, &e))?
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| fault(&e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Some(config))
}

fn roots(file: &Path) -> Result<RootCertStore> {
    let pem = std::fs::read(file).map_err(|e| unusable(file, &e))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|e| unusable(file, &e))?).map_err(|e| unusable(file, &e))?;
    }
    match roots.is_empty() {
        true => Err(unusable(file, &"it has no PEM certificate")),
        false => Ok(roots),
    }
}

fn unusable(file: &Path, why: &dyn std::fmt::Display) -> Error {
    let message = format!("the sslrootcert {} cannot be used: {why}", file.display());
    Error::new(ErrorKind::ConfigInvalid, message).with_context("file", file.display())
}

fn fault(why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::InternalFault, format!("TLS cannot be set up: {why}"))
}

/// Accepts any certificate, but checks that the server has the certificate's key: `sslmode=require`.
#[derive(Debug)]
struct Believe(Arc<CryptoProvider>);

impl ServerCertVerifier for Believe {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let error = || config(&Tls::VerifyFull(Some(file.clone()))).unwrap_err();
        let begins = format!("the sslrootcert {} cannot be used: ", file.display());
        assert!(error().to_string().starts_with(&begins), "{}", error());
        std::fs::write(&file, "nothing").unwrap();
        assert_eq!(
            (error().kind(), error().to_string()),
            (ErrorKind::ConfigInvalid, begins + "it has no PEM certificate")
        );
        assert!(config(&Tls::Disable).unwrap().is_none());
        assert!(config(&Tls::Require).unwrap().is_some());
    }
}
