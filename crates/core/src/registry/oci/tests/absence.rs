//! Proofs of absence, and answers that prove nothing.

use super::super::script::{Reply, Request, bytes, refusal, reply};
use super::*;
use crate::error::ErrorKind;

async fn resolve(script: &Script) -> Result<Option<Digest>> {
    registry(options()).resolve(&repository(script), &prod()).await
}

fn list(tags: &str) -> Reply {
    reply(200, &[("content-type", "application/json")], format!(r#"{{"name":"acme/shop","tags":{tags}}}"#))
}

/// A registry that sends no codes, with this answer to tag lists.
async fn without_codes(body: &'static str, list: fn() -> Reply) -> Script {
    Script::start(move |request: &Request, _| match request.is("GET /v2/acme/shop/tags/list") {
        true => list(),
        false => reply(404, &[], body),
    })
    .await
}

#[tokio::test]
async fn a_404_with_its_code_on_a_get_proves_absence() {
    for code in ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", "TAG_EXPIRED"] {
        let script = Script::start(move |_, _| refusal(404, code)).await;
        assert_eq!(resolve(&script).await.unwrap(), None, "{code}");
        assert_eq!(script.requests().len(), 2, "a HEAD proves nothing");
    }
}

#[tokio::test]
async fn a_404_that_only_a_head_gives_is_not_absence() {
    let script = Script::start(|request, _| match request.is("HEAD") {
        true => reply(404, &[], ""),
        false => reply(200, &[("content-type", TYPE)], BODY),
    })
    .await;
    assert_eq!(resolve(&script).await.unwrap().unwrap().to_string(), digest());
}

#[tokio::test]
async fn a_404_without_a_code_is_absence_if_the_list_lacks_the_tag() {
    for body in ["", "404 page not found", "<html>", r#"{"errors":[{"message":"no"}]}"#] {
        let lists: [fn() -> Reply; 4] =
            [|| list(r#"["1.0","1.1"]"#), || list("[]"), || list("null"), || refusal(404, "NAME_UNKNOWN")];
        for list in lists {
            let script = without_codes(body, list).await;
            assert_eq!(resolve(&script).await.unwrap(), None, "{body}");
            let lines = ["HEAD /v2/acme/shop/manifests/prod", "GET /v2/acme/shop/manifests/prod"];
            assert_eq!(script.lines(), [lines[0], lines[1], "GET /v2/acme/shop/tags/list?n=1000"]);
            assert!(registry(options()).fetch(&repository(&script).tag(prod())).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn a_404_without_a_code_is_unknown_if_the_list_has_the_tag_or_cannot_be_read() {
    type Case = (fn() -> Reply, &'static str);
    let cases: [Case; 5] = [
        (|| list(r#"["1.0","prod"]"#), "its list of tags has prod, so it is not known to be absent"),
        (|| reply(404, &[], "gone"), "cannot be read: the registry answered 404: gone"),
        (|| refusal(403, "DENIED"), "cannot be read: the registry answered 403 DENIED: m"),
        (|| refusal(500, "UNKNOWN"), "cannot be read: the registry answered 500 UNKNOWN: m"),
        (|| reply(200, &[], "<html>"), "cannot be read: the tag list cannot be used: "),
    ];
    for (list, want) in cases {
        let script = without_codes("not found", list).await;
        let error = resolve(&script).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
        assert!(error.to_string().contains("the registry answered 404: not found; its list of tags"), "{error}");
        assert!(error.to_string().contains(want), "{error}");
        assert!(error.context().any(|pair| pair == ("status", "404")), "{error:?}");
    }
}

#[tokio::test]
async fn the_whole_list_is_read_before_a_tag_is_absent() {
    let script = Script::start(|request, _| {
        if request.is("GET /v2/acme/shop/tags/list?n=1000 ") {
            return reply(200, &[("link", r#"</v2/acme/shop/tags/list?last=1.1>; rel="next""#)], r#"{"tags":["1.1"]}"#);
        }
        if request.is("GET /v2/acme/shop/tags/list?last=1.1 ") { list(r#"["prod"]"#) } else { reply(404, &[], "") }
    })
    .await;
    let error = resolve(&script).await.unwrap_err().to_string();
    assert!(error.contains("its list of tags has prod"), "{error}");
}

#[tokio::test]
async fn a_digest_is_absent_with_a_code_or_with_its_whole_repository() {
    type Case = (fn() -> Reply, Option<&'static str>);
    let cases: [Case; 3] = [
        (|| refusal(404, "NAME_UNKNOWN"), None),
        (|| list(r#"["1.0"]"#), Some("404; without a code it does not prove that a digest is absent")),
        (|| reply(404, &[], ""), Some("404; its list of tags, which could prove the absence, cannot be read: ")),
    ];
    for (list, want) in cases {
        let script = without_codes("", list).await;
        let fetched = registry(options()).fetch(&repository(&script).digest(Digest::of(b"x"))).await;
        match want {
            None => assert!(fetched.unwrap().is_none()),
            Some(want) => assert!(fetched.as_ref().unwrap_err().to_string().contains(want), "{fetched:?}"),
        }
    }
    let script = Script::start(|_, _| refusal(404, "MANIFEST_UNKNOWN")).await;
    assert!(registry(options()).fetch(&repository(&script).digest(Digest::of(b"x"))).await.unwrap().is_none());
}

#[tokio::test]
async fn a_404_with_another_code_is_unknown() {
    for code in ["DENIED", "UNKNOWN", "BLOB_UNKNOWN"] {
        let script = Script::start(move |_, _| refusal(404, code)).await;
        let error = resolve(&script).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
        assert_eq!(script.requests().len(), 2, "{code}: no list is asked for");
    }
}

#[tokio::test]
async fn a_body_that_stays_cut_is_unknown_even_if_it_would_prove_absence() {
    let code = r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#;
    for body in [code, ""] {
        let script = Script::start(move |_, _| Reply::Bytes(bytes(404, &[], body.len() + 1, body))).await;
        let error = registry(options()).fetch(&repository(&script).tag(prod())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
        assert!(error.to_string().contains("(the body is cut: "), "{error}");
        assert!(script.requests().len() >= 3, "{:?}", script.lines());
        assert!(script.lines().iter().all(|line| line.contains("/manifests/")), "no list is asked for");
    }
}
