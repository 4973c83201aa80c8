//! `Answer`: a response before it goes on the wire.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::ErrorAnswer;
use tagwarden::{Error, ErrorKind};

/// A response with its whole body. Faults change it before it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn new(status: StatusCode) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// An answer with a body of this media type.
    pub(super) fn body(status: StatusCode, media_type: &str, body: impl Into<Bytes>) -> Answer {
        Answer { body: body.into(), ..Answer::new(status) }.with(header::CONTENT_TYPE, media_type)
    }

    pub(super) fn json(status: StatusCode, body: &Value) -> Answer {
        Answer::body(status, "application/json", body.to_string())
    }

    /// An error body in the format of the specification (*Error Codes*).
    pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Answer {
        Answer::errors(status, code, [message.to_owned()])
    }

    /// One error of the same code for each message.
    pub(super) fn errors(status: StatusCode, code: &str, messages: impl IntoIterator<Item = String>) -> Answer {
        let errors: Vec<Value> =
            messages.into_iter().map(|message| json!({ "code": code, "message": message, "detail": {} })).collect();
        Answer::json(status, &json!({ "errors": errors }))
    }

    /// The error answer of a registry as it goes on the wire.
    pub(super) fn said(said: &ErrorAnswer) -> Answer {
        let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer::error(status, &said.code, &said.message).busy_again()
    }

    /// The HTTP answer to an error of the memory registry.
    pub(super) fn of(error: &Error) -> Answer {
        if let Some(said) = error.source_as::<ErrorAnswer>() {
            return Answer::said(said);
        }
        let (status, code) = match error.kind() {
            ErrorKind::RegistryBusy => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            ErrorKind::RegistryDenied => (StatusCode::FORBIDDEN, "DENIED"),
            ErrorKind::RegistryAmbiguous => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        };
        Answer::error(status, code, error.message()).busy_again()
    }

    /// Adds `Retry-After` to a 429.
    fn busy_again(self) -> Answer {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => self.with(header::RETRY_AFTER, "1"),
            _ => self,
        }
    }

    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: impl AsRef<str>) -> Answer {
        // A value that is invalid in a header is left out, as a proxy would do. A tag or digest is always valid.
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(name, value);
        }
        self
    }
}

pub(super) const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub(super) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(super) const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
pub(super) const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
