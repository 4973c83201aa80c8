//! The failures of requests that got no answer: how long they are tried again, and what helps.

use reqwest::Url;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::answer::Answer;
use super::attempts::{Again, Failure};
use super::http::{Http, describe, host_and_port};
use crate::error::{Error, ErrorKind, Retry};
use crate::http::Proxies;
use crate::secret::show;

/// The text of hyper's error for an answer that is not HTTP/1, such as a TLS alert.
const NOT_HTTP: &str = "invalid HTTP version parsed";
/// The text of hyper's error for a connection of HTTP/2 that the server closed before the request was sent.
const CANCELED: &str = "operation was canceled";
/// The text of hyper's error for a name that was not resolved.
const NOT_RESOLVED: &str = "dns error";
/// The text of the error for a proxy that answers 407.
const WANTS_LOGIN: &str = "proxy authorization required";
/// The text of the error for a proxy that answers another status than 200 and 407.
const NO_TUNNEL: &str = "tunnel error: unsuccessful";
/// The text of the error for a proxy of another kind than http and https.
const NO_PROXY_KIND: &str = "unsupported scheme";
/// The alerts by which a server says that it wants another client certificate.
const WANTS_CERTIFICATE: [AlertDescription; 4] = [
    AlertDescription::CertificateRequired,
    AlertDescription::BadCertificate,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
];

/// True if the server closed a connection with TLS, and HTTP/2 lost the reason, such as the alert that a client
/// certificate is wanted: with TLS 1.3 it arrives after the connection is open.
pub(super) fn lacks_reason(error: &reqwest::Error, url: &Url) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    url.scheme() == "https" && causes.any(|cause| cause.to_string().contains(CANCELED))
}

/// The failure of a request to `url` that got no answer: REGISTRY_UNAVAILABLE. A fault of TLS is permanent, because a
/// server that shows a wrong certificate shows it again.
pub(super) fn unanswered(http: &Http, url: &Url, error: reqwest::Error) -> Failure {
    let (tls, is_connect) = (tls_fault(&error).map(|fault| help(fault, url)), error.is_connect());
    let why = show(&describe(error), &http.secrets());
    // The errors of HTTP/2 have no source, so the alert is only in the text.
    let tls = match WANTS_CERTIFICATE.iter().any(|alert| why.contains(&TlsError::AlertReceived(*alert).to_string())) {
        true => Some(Some(wants_certificate(url))),
        false => tls,
    };
    let proxies = Proxies::of_environment();
    // Until TLS begins, a connection through a proxy is a connection to the proxy.
    let proxy = proxies.to(url).filter(|_| is_connect && tls.is_none());
    let why = match proxy {
        Some(proxy) => format!("the proxy {proxy} does not connect to it: {why}"),
        None => why,
    };
    let (help, again) = match tls {
        Some(Some(help)) => (help, Again::Never),
        _ if why.contains(WANTS_LOGIN) => {
            (proxy.map_or_else(String::new, |proxy| format!("; {}", proxy.login())), Again::Never)
        }
        // The status of the proxy's answer is not known, and may be a temporary one.
        _ if why.contains(NO_TUNNEL) => {
            ("; the proxy's log says why: its rules, or its login".to_owned(), Again::InTime)
        }
        _ if is_connect && why.contains(NO_PROXY_KIND) => (
            "; HTTPS_PROXY or ALL_PROXY names that proxy: only http:// and https:// proxies can be used".to_owned(),
            Again::Never,
        ),
        None if url.scheme() == "http" && why.contains(NOT_HTTP) => (speaks_tls(url), Again::Never),
        // An unknown name is often misspelled, so it is tried again for a second only. A server may be restarting.
        _ if why.contains(NOT_RESOLVED) => (String::new(), Again::FewTimes),
        _ => (String::new(), Again::InTime),
    };
    let error = Error::new(ErrorKind::RegistryUnavailable, format!("{}: {why}{help}", host_and_port(url)));
    let error = if again == Again::Never { error.with_retry(Retry::Never) } else { error };
    Failure { error, asked: None, again }
}

/// The error of a server that got plain HTTP and answers that it expects TLS, as those of Go and nginx do.
pub(super) fn wants_tls(http: &Http, url: &Url, answer: &Answer) -> Option<Error> {
    const SAID: [&str; 2] = ["HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port"];
    let body = String::from_utf8_lossy(&answer.body);
    if url.scheme() != "http" || answer.status.as_u16() != 400 || !SAID.iter().any(|said| body.contains(said)) {
        return None;
    }
    let error = answer.unusable(&http.secrets());
    let message = format!("{}: {error}{}", host_and_port(url), speaks_tls(url));
    Some(Error::new(error.kind(), message).with_context("status", 400).with_retry(Retry::Never))
}

/// The fault of TLS among the causes of an error.
fn tls_fault(error: &reqwest::Error) -> Option<&TlsError> {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.into_iter().find_map(|cause| {
        let mut cause: &(dyn std::error::Error + 'static) = cause;
        // `source` of an I/O error skips the error inside it, so look inside. I/O errors may be nested.
        while let Some(inside) = cause.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref()) {
            cause = inside;
        }
        cause.downcast_ref()
    })
}

/// The advice for a permanent fault of TLS; none for other faults.
fn help(fault: &TlsError, url: &Url) -> Option<String> {
    let host = host_and_port(url);
    let words = match fault {
        TlsError::InvalidCertificate(error) => of_certificate(error, &host),
        TlsError::InvalidMessage(_) => format!(
            "the server does not speak TLS: if it speaks plain HTTP, and others may read the traffic, give --insecure {host}"
        ),
        _ => return None,
    };
    Some(format!("; {words}"))
}

fn of_certificate(error: &CertificateError, host: &str) -> String {
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for other names, and --ca-file cannot change that: name the registry as its certificate \
             does"
                .to_owned()
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "the server needs a new certificate, or this machine's clock is wrong; --ca-file cannot change that".to_owned()
        }
        _ => format!(
            "if the server is the right one, trust its authority, or its own certificate, with --ca-file FILE (ca_file in \
             code), or put the file at /etc/docker/certs.d/{host}/ca.crt"
        ),
    }
}

fn wants_certificate(url: &Url) -> String {
    let host = host_and_port(url);
    format!(
        "; the server wants another client certificate: put it and its key, as client.cert and client.key, beside its \
         ca.crt in certs.d, or else into ~/.config/containers/certs.d/{host}/"
    )
}

fn speaks_tls(url: &Url) -> String {
    let host = host_and_port(url);
    format!("; the server speaks TLS, and was asked over plain HTTP: leave out --insecure, or give --tls {host}")
}
