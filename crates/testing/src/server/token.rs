//! The token endpoint: `GET /token`, and `POST /token` with a form (distribution's *Token Authentication* and
//! *OAuth2*).

use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use serde_json::json;

use super::access::{AuthMode, Lifetime, Login};
use super::answer::Answer;
use super::handle::Inner;
use super::log::{AuthKind, TokenSeen, host_of};
use super::route::Pairs;

/// Issues a token if the client sends the login or a refresh token (to any client if no login is set). Logs the
/// request.
pub(super) fn token(inner: &mut Inner, method: &Method, query: &Pairs, headers: &HeaderMap, body: &Bytes) -> Answer {
    let form = Pairs::parse(&String::from_utf8_lossy(body));
    let asked = if *method == Method::POST { &form } else { query };
    let scopes: Vec<String> = asked.all("scope").flat_map(|scope| scope.split(' ')).map(str::to_owned).collect();
    let answer = give(inner, method, asked, scopes.clone(), headers);
    inner.token_requests.push(TokenSeen {
        host: host_of(headers),
        service: asked.first("service").map(str::to_owned),
        scopes,
        auth: AuthKind::of(headers),
        grant_type: form.first("grant_type").map(str::to_owned),
        status: answer.status.as_u16(),
    });
    answer
}

fn give(inner: &mut Inner, method: &Method, asked: &Pairs, scopes: Vec<String>, headers: &HeaderMap) -> Answer {
    let AuthMode::Bearer(bearer) = &inner.access else {
        return Answer::error(StatusCode::NOT_FOUND, "UNSUPPORTED", "this server gives no tokens");
    };
    let fits = |login: &Login| match (method, asked.first("grant_type")) {
        (&Method::POST, Some("refresh_token")) => {
            asked.first("refresh_token").is_some_and(|token| inner.tokens.knows_refresh(token))
        }
        (&Method::POST, Some("password")) => {
            asked.first("username") == Some(&login.username) && asked.first("password") == Some(&login.password)
        }
        (&Method::GET, _) => login.fits(headers),
        _ => false,
    };
    if !bearer.login.as_ref().is_none_or(fits) {
        return Answer::error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "the login is not known")
            .with(header::WWW_AUTHENTICATE, "Basic realm=\"token\"");
    }
    let lifetime = bearer.lifetime;
    let (Lifetime::Said(time) | Lifetime::Unsaid(time)) = lifetime;
    let token = inner.tokens.give(scopes, time);
    let mut answer = json!({ "token": token, "access_token": token });
    if let Some(fields) = answer.as_object_mut() {
        if let Lifetime::Said(time) = lifetime {
            fields.insert("expires_in".to_owned(), json!(time.as_secs()));
        }
        if asked.first("offline_token") == Some("true") || asked.first("access_type") == Some("offline") {
            fields.insert("refresh_token".to_owned(), json!(inner.tokens.give_refresh()));
        }
    }
    Answer::json(StatusCode::OK, &answer)
}
