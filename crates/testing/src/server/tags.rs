//! Lists of tags: `GET /v2/<name>/tags/list?n=&last=`.

use axum::http::{Method, StatusCode, header};
use serde_json::json;

use super::answer::Answer;
use super::handle::{Asked, Shared, not_allowed};
use tagwarden::registry::Registry;
use tagwarden::{Repository, Tag};

pub(super) async fn answer(shared: &Shared, asked: &Asked, repository: &Repository) -> Answer {
    if asked.method != Method::GET {
        return not_allowed();
    }
    let limit = match asked.query.first("n").map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(limit)) => limit,
        Some(Err(_)) => {
            let why = "n is not a number from 0";
            return Answer::error(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", why);
        }
    };
    let mut tags = match shared.memory.tags(repository).await {
        Ok(tags) => tags,
        Err(error) => return Answer::of(&error),
    };
    if !shared.memory.has_repository(repository) {
        return Answer::error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry");
    }
    tags.sort();
    let after = asked.query.first("last").unwrap_or("");
    let all: Vec<&str> = tags.iter().map(Tag::as_str).filter(|tag| *tag > after).collect();
    let page: Vec<&str> = all.iter().take(limit).copied().collect();
    let answer = Answer::json(StatusCode::OK, &json!({ "name": repository.path(), "tags": page }));
    match page.last() {
        Some(last) if page.len() < all.len() => {
            answer.with(header::LINK, format!("<{}?n={limit}&last={last}>; rel=\"next\"", asked.path))
        }
        _ => answer,
    }
}
