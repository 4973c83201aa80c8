//! Who may do what: open to everybody, Basic, or bearer tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::Answer;
use super::route::{Pairs, Route};

/// What the server asks of a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Access {
    /// Nothing: everybody may do everything. So it begins.
    Open,
    /// HTTP Basic authentication (RFC 7617) with this login.
    Basic(Login),
    /// A token of the server's own token end (distribution's *Token Authentication Specification*).
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

    /// True if these headers hold it as Basic authentication.
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

/// How tokens are given, and when they end.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// Who is given tokens; none gives them to everybody.
    pub login: Option<Login>,
    /// How long a token is good, and whether the client is told.
    pub lifetime: Lifetime,
    /// How a token that has ended is answered.
    pub expired: Expired,
    /// The token end that the challenge names; none for the server's own, `http://<host>/token`.
    pub realm: Option<String>,
}

impl Bearer {
    /// Tokens for this login, good for 300 s, answered 401 after that.
    pub fn new(login: Login) -> Bearer {
        let lifetime = Lifetime::Said(Duration::from_secs(300));
        Bearer { login: Some(login), lifetime, expired: Expired::Unauthorized, realm: None }
    }
}

/// How long a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as `expires_in` says, in whole seconds.
    Said(Duration),
    /// This long, and the client is not told: it has to take 60 s.
    Unsaid(Duration),
}

/// How a token that has ended is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// 401 with a challenge.
    Unauthorized,
    /// 403 DENIED, as ECR does.
    Forbidden,
}

/// The tokens that were given.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    given: BTreeMap<String, Token>,
    refresh: Vec<String>,
}

#[derive(Debug)]
struct Token {
    scopes: Vec<String>,
    ends: Instant,
}

impl Tokens {
    /// A new token for these scopes.
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

    /// Ends every token that was given.
    pub(super) fn end(&mut self) {
        self.given.values_mut().for_each(|token| token.ends = Instant::now());
    }
}

impl Access {
    /// The challenge of a 401 (RFC 9110, section 11.6.1), none when everything is open.
    pub(super) fn challenge(&self, host: &str, scope: Option<&str>, error: Option<&str>) -> Option<String> {
        match self {
            Access::Open => None,
            Access::Basic(_) => Some(format!("Basic realm=\"{host}\"")),
            Access::Bearer(bearer) => {
                let realm = bearer.realm.clone().unwrap_or_else(|| format!("http://{host}/token"));
                let mut challenge = format!("Bearer realm=\"{realm}\",service=\"{host}\"");
                for (name, value) in [("scope", scope), ("error", error)] {
                    if let Some(value) = value {
                        challenge.push_str(&format!(",{name}=\"{value}\""));
                    }
                }
                Some(challenge)
            }
        }
    }

    /// Lets a request pass, or answers it.
    pub(super) fn check(
        &self,
        tokens: &Tokens,
        host: &str,
        (method, route, query, headers): (&Method, &Route, &Pairs, &HeaderMap),
    ) -> Result<(), Answer> {
        let needs = needs(method, route, query);
        let unauthorized = |error: Option<&str>| {
            let answer = Answer::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
            match self.challenge(host, needs.first().map(String::as_str), error) {
                Some(challenge) => answer.with(header::WWW_AUTHENTICATE, challenge),
                None => answer,
            }
        };
        match self {
            Access::Open => Ok(()),
            Access::Basic(login) if login.fits(headers) => Ok(()),
            Access::Basic(_) => Err(unauthorized(None)),
            Access::Bearer(bearer) => {
                let Some(sent) = credential(headers, "bearer") else { return Err(unauthorized(None)) };
                let Some(token) = tokens.given.get(sent) else { return Err(unauthorized(Some("invalid_token"))) };
                match bearer.expired {
                    _ if Instant::now() < token.ends => {}
                    Expired::Unauthorized => return Err(unauthorized(Some("invalid_token"))),
                    Expired::Forbidden => {
                        let why = "your authorization token has expired";
                        return Err(Answer::error(StatusCode::FORBIDDEN, "DENIED", why));
                    }
                }
                match needs.iter().all(|need| token.scopes.iter().any(|scope| covers(scope, need))) {
                    true => Ok(()),
                    false => Err(unauthorized(Some("insufficient_scope"))),
                }
            }
        }
    }
}

/// The scopes that a request needs, its own repository's first.
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

/// True if `scope` names the same thing as `need` and all of its actions.
fn covers(scope: &str, need: &str) -> bool {
    let (Some((has, has_actions)), Some((wants, wants_actions))) = (scope.rsplit_once(':'), need.rsplit_once(':'))
    else {
        return false;
    };
    has == wants && wants_actions.split(',').all(|want| has_actions.split(',').any(|has| has == want || has == "*"))
}

/// What follows the scheme in `Authorization`.
fn credential<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (sent, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    sent.eq_ignore_ascii_case(scheme).then_some(value)
}
