//! Access control of the server: open, Basic, or bearer tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::Answer;
use super::challenge::Challenges;
use super::route::{Pairs, Route};

/// The authentication that the server requires of a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthMode {
    /// None: every request is allowed. This is the default.
    Open,
    /// HTTP Basic authentication (RFC 7617) with this login.
    Basic(Login),
    /// A token of the server's own token endpoint (distribution's *Token Authentication Specification*).
    Bearer(Bearer),
}

/// A name and a password. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Login {
    /// A login.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Login {
        Login { username: username.into(), password: password.into() }
    }

    /// True if these headers contain this login as Basic authentication.
    pub(super) fn fits(&self, headers: &HeaderMap) -> bool {
        let sent = credential(headers, "basic").and_then(|value| STANDARD.decode(value).ok());
        sent.is_some_and(|sent| sent == format!("{}:{}", self.username, self.password).into_bytes())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Settings of bearer tokens.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The login that is needed to get a token; none gives a token to every client.
    pub login: Option<Login>,
    /// The lifetime of a token, and the `expires_in` that the client gets.
    pub lifetime: Lifetime,
    /// The answer to an expired token.
    pub expired: Expired,
    /// The token endpoint that the challenge names. The server also gives tokens at the path of this URL. None for the
    /// server's own endpoint: `http://<host>/token`, or the path of the imitated vendor.
    pub realm: Option<String>,
    /// The token endpoint of some repositories, by their path (`acme/shop`), in place of `realm`.
    pub realms: BTreeMap<String, String>,
}

impl Bearer {
    /// Tokens for this login, valid for 300 s. An expired token is answered with 401.
    pub fn new(login: Login) -> Bearer {
        let lifetime = Lifetime::Said(Duration::from_secs(300));
        Bearer { login: Some(login), lifetime, expired: Expired::Unauthorized, realm: None, realms: BTreeMap::new() }
    }

    /// True if a token endpoint that a challenge names has this path.
    fn is_named(&self, path: &str) -> bool {
        let path_of = |realm: &str| Some(realm.parse::<Uri>().ok()?.path().to_owned());
        self.realm.iter().chain(self.realms.values()).any(|realm| path_of(realm).as_deref() == Some(path))
    }
}

/// The lifetime of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// This long, as `expires_in` says to the client in whole seconds.
    Said(Duration),
    /// This long, without `expires_in`: the client has to assume 60 s.
    Unsaid(Duration),
}

/// The answer to an expired token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// 401 with a challenge.
    Unauthorized,
    /// 403 DENIED, as ECR does.
    Forbidden,
}

/// The answer to a request that needs a credential and has none. `/v2/` always answers 401 with the challenge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// 401 with the challenge. This is the default.
    #[default]
    Unauthorized,
    /// 403 DENIED, without a challenge.
    Forbidden,
    /// 404 NAME_UNKNOWN, without a challenge, as if the repository did not exist.
    Hidden,
    /// GET and HEAD are answered without a credential, as in a public repository; other requests get the 401.
    MayRead,
}

impl Anonymous {
    /// Allows a request that the access check refused, or returns the answer that refuses it.
    pub(super) fn check(
        self,
        (method, route, headers): (&Method, &Route, &HeaderMap),
        refusal: Answer,
    ) -> Result<(), Answer> {
        let is_anonymous = !headers.contains_key(header::AUTHORIZATION) && *route != Route::Root;
        Err(match self {
            Anonymous::Forbidden if is_anonymous => {
                Answer::error(StatusCode::FORBIDDEN, "DENIED", "requested access to the resource is denied")
            }
            Anonymous::Hidden if is_anonymous => {
                Answer::error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry")
            }
            Anonymous::MayRead if is_anonymous && matches!(*method, Method::GET | Method::HEAD) => return Ok(()),
            _ => refusal,
        })
    }
}

/// The tokens that the server has issued.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    given: BTreeMap<String, Token>,
    refresh: Vec<String>,
    /// True if passwords have expired. Only some vendors' passwords do.
    passwords_ended: bool,
}

#[derive(Debug)]
struct Token {
    scopes: Vec<String>,
    ends: Instant,
}

impl Tokens {
    /// Issues a new token for these scopes.
    pub(super) fn give(&mut self, scopes: Vec<String>, lifetime: Duration) -> String {
        let token = format!("token-{}", Uuid::now_v7());
        self.given.insert(token.clone(), Token { scopes, ends: Instant::now() + lifetime });
        token
    }

    pub(super) fn give_refresh(&mut self) -> String {
        let token = format!("refresh-{}", Uuid::now_v7());
        self.refresh.push(token.clone());
        token
    }

    pub(super) fn knows_refresh(&self, token: &str) -> bool {
        self.refresh.iter().any(|known| known == token)
    }

    /// Expires every issued token.
    pub(super) fn end(&mut self) {
        self.given.values_mut().for_each(|token| token.ends = Instant::now());
        self.passwords_ended = true;
    }

    /// Makes passwords valid again: there is a new login.
    pub(super) fn renew_passwords(&mut self) {
        self.passwords_ended = false;
    }
}

impl AuthMode {
    /// The challenge of a 401; none for open access.
    pub(super) fn challenge(&self, server: &Challenges, scope: Option<&str>, error: Option<&str>) -> Option<String> {
        match self {
            AuthMode::Open => None,
            AuthMode::Basic(_) => Some(server.basic()),
            AuthMode::Bearer(bearer) => {
                let path = scope.and_then(|scope| Some(scope.strip_prefix("repository:")?.rsplit_once(':')?.0));
                let realm = path.and_then(|path| bearer.realms.get(path)).or(bearer.realm.as_ref());
                Some(server.bearer(realm.map(String::as_str), scope, error))
            }
        }
    }

    /// True if a token endpoint that a challenge names has this path.
    pub(super) fn gives_tokens_at(&self, path: &str) -> bool {
        matches!(self, AuthMode::Bearer(bearer) if bearer.is_named(path))
    }

    /// Allows a request, or returns the answer that refuses it.
    pub(super) fn check(
        &self,
        tokens: &Tokens,
        server: &Challenges,
        (method, route, query, headers): (&Method, &Route, &Pairs, &HeaderMap),
    ) -> Result<(), Answer> {
        let needs = needs(method, route, query);
        let unauthorized = |error: Option<&str>| {
            let answer = server.unauthorized();
            match self.challenge(server, needs.first().map(String::as_str), error) {
                Some(challenge) => answer.with(header::WWW_AUTHENTICATE, challenge),
                None => answer,
            }
        };
        match self {
            AuthMode::Open => Ok(()),
            AuthMode::Basic(login) if login.fits(headers) => match server.passwords_end() && tokens.passwords_ended {
                true => Err(expired()),
                false => Ok(()),
            },
            AuthMode::Basic(_) => Err(unauthorized(None)),
            AuthMode::Bearer(bearer) => {
                let Some(sent) = credential(headers, "bearer") else { return Err(unauthorized(None)) };
                let Some(token) = tokens.given.get(sent) else { return Err(unauthorized(Some("invalid_token"))) };
                match bearer.expired {
                    _ if Instant::now() < token.ends => {}
                    Expired::Unauthorized => return Err(unauthorized(Some("invalid_token"))),
                    Expired::Forbidden => return Err(expired()),
                }
                match needs.iter().all(|need| token.scopes.iter().any(|scope| covers(scope, need))) {
                    true => Ok(()),
                    false => Err(unauthorized(Some("insufficient_scope"))),
                }
            }
        }
    }
}

/// ECR's answer to an expired token.
fn expired() -> Answer {
    let why = "Your authorization token has expired. Reauthenticate and try again.";
    Answer::error(StatusCode::FORBIDDEN, "DENIED", why)
}

/// The scopes that a request needs, the scope of its own repository first.
fn needs(method: &Method, route: &Route, query: &Pairs) -> Vec<String> {
    let Some(repository) = route.repository() else { return Vec::new() };
    let actions = match *method {
        Method::GET | Method::HEAD => "pull",
        Method::DELETE if !matches!(route, Route::Upload(..)) => "delete",
        _ => "pull,push",
    };
    let mut needs = vec![format!("repository:{}:{actions}", repository.path())];
    if let (Some(_), Some(from)) = (query.first("mount"), query.first("from")) {
        needs.push(format!("repository:{from}:pull"));
    }
    needs
}

/// True if `scope` is for the same resource as `need` and includes all of its actions.
fn covers(scope: &str, need: &str) -> bool {
    let (Some((has, has_actions)), Some((wants, wants_actions))) = (scope.rsplit_once(':'), need.rsplit_once(':'))
    else {
        return false;
    };
    has == wants && wants_actions.split(',').all(|want| has_actions.split(',').any(|has| has == want || has == "*"))
}

/// The credential after the scheme in `Authorization`.
fn credential<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (sent, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    sent.eq_ignore_ascii_case(scheme).then_some(value)
}
