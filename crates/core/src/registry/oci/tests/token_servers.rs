//! Challenges of real registries, and the hosts of token servers.

use serde_json::Value;

use super::super::script::{Reply, Request, reply};
use super::*;
use crate::error::ErrorKind;

fn cases() -> Vec<Value> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/challenges.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(cases.len(), 16, "a new case needs a look at this test");
    cases
}

fn found() -> Reply {
    reply(200, &[("docker-content-digest", &digest())], "")
}

/// A registry with this challenge, which takes the password, or the token of `/token`.
fn challenging(request: &Request, challenges: &[String]) -> Reply {
    match request.header("authorization") {
        _ if request.is("GET /token") => reply(200, &[], r#"{"token":"good"}"#),
        Some("Bearer good" | "Basic Y2k6cHc=") => found(),
        _ => {
            let headers: Vec<_> = challenges.iter().map(|value| ("www-authenticate", value.as_str())).collect();
            reply(401, &headers, "")
        }
    }
}

#[tokio::test]
async fn every_challenge_of_a_real_registry_is_answered_or_explained() {
    for case in cases() {
        let headers: Vec<String> = serde_json::from_value(case["header"].clone()).unwrap();
        let script = Script::start(move |request, _| challenging(request, &headers)).await;
        let registry = registry(options().credentials(script.host(), Credentials::password("ci", "pw")));
        let resolved = registry.resolve(&repository(&script), &prod()).await;
        let expect = &case["expect"];
        let realm = expect["bearer"]["realm"].as_str();
        match resolved {
            Ok(found) => {
                assert!(found.is_some(), "{case}");
                let sent = script.requests().last().unwrap().header("authorization").unwrap().to_owned();
                assert_eq!(sent == "Bearer good", realm == Some("relative to the registry"), "{case}: {sent}");
                assert_eq!(sent == "Basic Y2k6cHc=", expect["basic"] == true, "{case}: {sent}");
            }
            Err(error) => {
                let kind = match expect["unusable"] == true {
                    true => ErrorKind::RegistryUnavailable,
                    false => ErrorKind::RegistryDenied,
                };
                assert_eq!(error.kind(), kind, "{case}: {error}");
                let words = match expect["message_contains"].as_array() {
                    Some(words) => words.iter().map(|word| word.as_str().unwrap()).collect(),
                    None => vec!["`--token-server auth.example.com`", "`token-servers = [\"auth.example.com\"]`"],
                };
                assert!(realm.is_some() || expect["none"] == true || expect["unusable"] == true, "{case}: {error}");
                assert!(words.iter().all(|word| error.to_string().contains(word)), "{case}: {error}");
            }
        }
    }
}

/// A registry whose token server is at this URL.
async fn registry_with(realm: String) -> Script {
    Script::start(move |request, _| match request.header("authorization") {
        Some("Bearer good") => found(),
        _ => reply(401, &[("www-authenticate", &format!("Bearer realm=\"{realm}\",service=reg"))], ""),
    })
    .await
}

fn with_login(script: &Script) -> OciOptions {
    options().credentials(script.host(), Credentials::password("ci", "pw"))
}

#[tokio::test]
async fn token_server_on_another_host_is_asked_if_it_is_named() {
    let elsewhere = Script::start(|_, _| reply(200, &[], r#"{"token":"good"}"#)).await;
    let host = elsewhere.host().replace("127.0.0.1", "localhost");
    let script = registry_with(format!("http://{host}/token")).await;
    let error = registry(with_login(&script)).resolve(&repository(&script), &prod()).await.unwrap_err();
    let want = format!(
        "the token server \"{host}\" of {registry} is not asked: it is on another site than the registry; if it is right, \
         allow it with `--token-server {host}`, or in tagwarden.toml, in [registry.\"{registry}\"], with \
         `token-servers = [\"{host}\"]`",
        registry = script.host()
    );
    assert!(error.to_string().ends_with(&want), "{error}\n{want}");
    assert_eq!((error.kind(), elsewhere.requests().len()), (ErrorKind::RegistryDenied, 0));

    for named in [host.clone(), "localhost".to_owned(), format!("http://{host}/token")] {
        let registry = registry(with_login(&script).token_server(named));
        assert!(registry.resolve(&repository(&script), &prod()).await.unwrap().is_some());
    }
    let asked = elsewhere.requests();
    assert!(asked.len() == 3 && asked[0].header("authorization") == Some("Basic Y2k6cHc="), "{asked:?}");
}

#[tokio::test]
async fn token_server_that_must_not_be_asked_is_not_allowed_by_name_either() {
    let named = ["169.254.169.254", "auth.example.com", "metadata.google.internal"];
    for (realm, why) in [
        ("http://auth.example.com/token", "it is on plain HTTP, on which the network could read the credentials"),
        ("http://169.254.169.254/token", "it is on plain HTTP, on which the network could read the credentials"),
        ("https://169.254.169.254/token", "its address is link-local, or of a metadata service"),
        ("https://metadata.google.internal/token", "its address is link-local, or of a metadata service"),
        ("https://ci:pw@auth.example.com/token", "it is not an http or https URL without a user"),
        ("gopher://x", "it is not an http or https URL without a user"),
        ("https://[", "it is not a URL: invalid IPv6 address"),
    ] {
        let script = registry_with(realm.to_owned()).await;
        let options = named.iter().fold(with_login(&script), |options, host| options.token_server(*host));
        let error = registry(options).resolve(&repository(&script), &prod()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryDenied);
        assert!(error.to_string().ends_with(&format!("is not asked: {why}")), "{error}");
    }
}

#[tokio::test]
async fn redirect_of_a_token_server_is_not_followed() {
    let elsewhere = Script::start(|_, _| reply(200, &[], r#"{"token":"good"}"#)).await;
    let target = format!("http://{}/token", elsewhere.host());
    for credentials in [Credentials::password("ci", "pw"), Credentials::IdentityToken("canary-id".into())] {
        let target = target.clone();
        let script = Script::start(move |request, _| match request.line.contains("/token") {
            true => reply(307, &[("location", &target)], ""),
            false => reply(401, &[("www-authenticate", "Bearer realm=/token")], ""),
        })
        .await;
        let registry = registry(options().credentials(script.host(), credentials));
        let error = registry.resolve(&repository(&script), &prod()).await.unwrap_err();
        let why = "it answered 307; the redirect is not followed: its target would get the credentials";
        assert!(error.to_string().ends_with(why), "{error}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn token_servers_of_two_repositories_are_kept_apart() {
    // Each repository has a token server and a token of its own, named after it.
    let script = Script::start(|request, _| {
        let path = request.line.split(' ').nth(1).unwrap_or_default();
        if let Some(name) = path.strip_prefix("/token/").and_then(|rest| rest.split('?').next()) {
            return reply(200, &[], format!(r#"{{"token":"good-{name}","expires_in":300}}"#));
        }
        let name = path.split('/').nth(3).unwrap_or_default();
        match request.header("authorization") == Some(&format!("Bearer good-{name}")) {
            true => found(),
            false => reply(401, &[("www-authenticate", &format!("Bearer realm=/token/{name}"))], ""),
        }
    })
    .await;
    let registry = registry(options());
    let [shop, tools] = ["shop", "tools"].map(|name| format!("{}/acme/{name}", script.host()).parse().unwrap());
    for repository in [&shop, &tools, &shop, &tools] {
        assert!(registry.resolve(repository, &prod()).await.unwrap().is_some());
    }
    let asked = |start: &str| script.lines().iter().filter(|line| line.starts_with(start)).count();
    // The token server of the first repository is tried for the second one, once.
    assert_eq!((asked("GET /token/shop"), asked("GET /token/tools")), (2, 1), "{:?}", script.lines());
    assert_eq!(asked("HEAD"), 6, "{:?}", script.lines());
}
