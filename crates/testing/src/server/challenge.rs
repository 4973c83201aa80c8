//! `Challenges`: how the server asks for a login.

use axum::http::StatusCode;

use super::answer::Answer;
use crate::Vendor;

/// The challenges of a server (RFC 9110, section 11.6.1), as its vendor's registry sends them.
#[derive(Clone, Debug)]
pub(super) struct Challenges {
    host: String,
    vendor: Option<Vendor>,
}

impl Challenges {
    pub(super) fn of(host: &str, vendor: Option<Vendor>) -> Challenges {
        Challenges { host: host.to_owned(), vendor }
    }

    /// The path of the server's own token endpoint.
    pub(super) fn token_path(&self) -> &'static str {
        self.vendor.map_or("/token", Vendor::token_path)
    }

    /// True if the vendor's passwords expire, because they are tokens.
    pub(super) fn passwords_end(&self) -> bool {
        self.vendor.is_some_and(|vendor| !vendor.gives_tokens())
    }

    pub(super) fn basic(&self) -> String {
        match self.vendor {
            Some(Vendor::Ecr) => format!("Basic realm=\"http://{}/\",service=\"{}\"", self.host, self.service()),
            _ => format!("Basic realm=\"{}\"", self.host),
        }
    }

    /// The challenge for a token, from `realm` or the server's own endpoint.
    pub(super) fn bearer(&self, realm: Option<&str>, scope: Option<&str>, error: Option<&str>) -> String {
        let own = || format!("http://{}{}", self.host, self.token_path());
        let realm = realm.map_or_else(own, str::to_owned);
        let mut challenge = format!("Bearer realm=\"{realm}\",service=\"{}\"", self.service());
        for (name, value) in [("scope", scope), ("error", error)] {
            if let Some(value) = value {
                challenge.push_str(&format!(",{name}=\"{value}\""));
            }
        }
        challenge
    }

    /// A 401 without its challenge.
    pub(super) fn unauthorized(&self) -> Answer {
        match self.vendor {
            Some(Vendor::Ecr) => {
                Answer::body(StatusCode::UNAUTHORIZED, "text/plain; charset=utf-8", "Not Authorized\n")
            }
            _ => Answer::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required"),
        }
    }

    fn service(&self) -> &str {
        self.vendor.and_then(Vendor::service).unwrap_or(&self.host)
    }
}
