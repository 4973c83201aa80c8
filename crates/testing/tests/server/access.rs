//! Logins and tokens.

use super::*;
use base64::Engine as _;

const PASSWORD: &str = "canary-0c1f";

fn basic(password: &str) -> String {
    let login = base64::engine::general_purpose::STANDARD.encode(format!("ci:{password}"));
    format!("Authorization: Basic {login}")
}

fn login() -> Login {
    Login::new("ci", PASSWORD)
}

/// A repository with the tag `prod`, behind this access control.
async fn shop(access: AuthMode) -> RegistryServer {
    let server = server().await;
    server.memory().push_image(&server.repository("shop"), &"prod".parse().unwrap(), 1);
    server.access(access);
    server
}

async fn read(server: &RegistryServer, authorization: &str) -> Response {
    let accept = format!("Accept: {IMAGE}");
    send(server.addr(), "GET /v2/shop/manifests/prod", &[&accept, authorization], "").await
}

async fn token(server: &RegistryServer, scope: &str) -> serde_json::Value {
    let path = format!("GET /token?service={}&scope={scope}&offline_token=true", server.host());
    send(server.addr(), &path, &[&basic(PASSWORD)], "").await.json()
}

fn bearer(answer: &serde_json::Value) -> String {
    format!("Authorization: Bearer {}", answer["token"].as_str().unwrap())
}

#[tokio::test]
async fn basic_authentication_is_asked_for_and_checked() {
    let server = shop(AuthMode::Basic(login())).await;
    let refused = read(&server, "X-None: 1").await;
    let challenge = format!("Basic realm=\"{}\"", server.host());
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(challenge.as_str())));
    assert_eq!(read(&server, &basic("wrong")).await.status, 401);
    assert_eq!(read(&server, &basic(PASSWORD)).await.status, 200);
    let kinds: Vec<_> = server.requests().iter().map(|seen| (seen.auth, seen.status)).collect();
    assert_eq!(kinds, [(AuthKind::None, Some(401)), (AuthKind::Basic, Some(401)), (AuthKind::Basic, Some(200))]);
}

#[tokio::test]
async fn token_is_valid_only_for_its_scopes() {
    let server = shop(AuthMode::Bearer(Bearer::new(login()))).await;
    let host = server.host().to_owned();
    let refused = read(&server, "X-None: 1").await;
    let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"{host}\",scope=\"repository:shop:pull\"");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(challenge.as_str())));

    let answer = token(&server, "repository:shop:pull").await;
    assert_eq!(answer["expires_in"], 300);
    assert_eq!(read(&server, &bearer(&answer)).await.status, 200);
    let put = send(server.addr(), "PUT /v2/shop/manifests/x", &[&bearer(&answer)], "").await;
    assert_eq!(put.status, 401);
    assert!(
        put.header("www-authenticate")
            .unwrap()
            .ends_with("scope=\"repository:shop:pull,push\",error=\"insufficient_scope\"")
    );
    let delete = send(server.addr(), "DELETE /v2/shop/manifests/prod", &[&bearer(&answer)], "").await;
    assert_eq!(delete.status, 401);

    let push = token(&server, "repository:shop:pull,push").await;
    let digest = tagwarden::Digest::of(b"x");
    let mount = format!("POST /v2/shop/blobs/uploads/?mount={digest}&from=other");
    assert_eq!(send(server.addr(), &mount, &[&bearer(&push)], "").await.status, 401, "the source needs pull");
    let both = token(&server, "repository:shop:pull,push&scope=repository:other:pull").await;
    assert_eq!(send(server.addr(), &mount, &[&bearer(&both)], "").await.status, 202);

    let asked = server.token_requests();
    assert_eq!(asked[2].scopes, ["repository:shop:pull,push", "repository:other:pull"]);
    assert_eq!((asked[0].service.as_deref(), asked[0].auth, asked[0].status), (Some(&*host), AuthKind::Basic, 200));
}

#[tokio::test]
async fn ended_token_is_refused_until_it_is_refreshed() {
    let server = shop(AuthMode::Bearer(Bearer::new(login()))).await;
    let answer = token(&server, "repository:shop:pull").await;
    server.end_tokens();
    assert_eq!(read(&server, &bearer(&answer)).await.status, 401);
    server.access(AuthMode::Bearer(Bearer { expired: Expired::Forbidden, ..Bearer::new(login()) }));
    let forbidden = read(&server, &bearer(&answer)).await;
    assert!(forbidden.status == 403 && forbidden.text().contains("DENIED"), "{forbidden:?}");

    let form = |refresh: &str| {
        format!("grant_type=refresh_token&service=s&scope=repository%3Ashop%3Apull&refresh_token={refresh}")
    };
    let refused = send(server.addr(), "POST /token", &[], form("guessed")).await;
    assert_eq!(refused.status, 401);
    let fresh = send(server.addr(), "POST /token", &[], form(answer["refresh_token"].as_str().unwrap())).await;
    assert_eq!(read(&server, &bearer(&fresh.json())).await.status, 200);

    let short = Lifetime::Unsaid(Duration::from_millis(1));
    server.access(AuthMode::Bearer(Bearer { lifetime: short, ..Bearer::new(login()) }));
    let answer = token(&server, "repository:shop:pull").await;
    assert!(answer.get("expires_in").is_none());
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(read(&server, &bearer(&answer)).await.status, 401);
}

#[tokio::test]
async fn no_credential_is_shown() {
    let access = AuthMode::Bearer(Bearer::new(login()));
    let shown = format!("{access:?}");
    let server = shop(access).await;
    let form = format!("grant_type=password&username=ci&password={PASSWORD}&scope=repository:shop:pull");
    let answer = send(server.addr(), "POST /token", &[], form).await;
    assert_eq!(answer.status, 200);
    token(&server, "repository:shop:pull").await;
    read(&server, &bearer(&answer.json())).await;
    let all = format!("{shown}{server:?}{:?}{:?}", server.requests(), server.token_requests());
    for secret in [PASSWORD, answer.json()["token"].as_str().unwrap(), basic(PASSWORD).rsplit(' ').next().unwrap()] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[tokio::test]
async fn hidden_registry_asks_for_a_login_at_its_root_alone() {
    let server = shop(AuthMode::Basic(login())).await;
    for (anonymous, want) in [(Anonymous::Unauthorized, 401), (Anonymous::Forbidden, 403), (Anonymous::Hidden, 404)] {
        server.anonymous(anonymous);
        let refused = read(&server, "X-None: 1").await;
        assert_eq!((refused.status, refused.header("www-authenticate").is_some()), (want, want == 401));
        let root = send(server.addr(), "GET /v2/", &[], "").await;
        assert!(root.status == 401 && root.header("www-authenticate").is_some(), "{root:?}");
        assert_eq!(read(&server, &basic(PASSWORD)).await.status, 200);
        assert_eq!(read(&server, &basic("wrong")).await.status, 401);
    }
}

#[tokio::test]
async fn public_repository_is_read_without_a_login_and_written_with_one() {
    for access in [AuthMode::Basic(login()), AuthMode::Bearer(Bearer::new(login()))] {
        let server = shop(access).await;
        server.anonymous(Anonymous::MayRead);
        assert_eq!(read(&server, "X-None: 1").await.status, 200);
        let refused = send(server.addr(), "POST /v2/shop/blobs/uploads/", &[], "").await;
        assert!(refused.status == 401 && refused.header("www-authenticate").is_some(), "{refused:?}");
        assert_eq!(read(&server, &basic("wrong")).await.status, 401);
    }
}

#[tokio::test]
async fn token_server_is_at_another_address_and_differs_for_a_repository() {
    let server = shop(AuthMode::Open).await;
    let elsewhere = server.listen().await.unwrap();
    let at = |path: &str| format!("http://localhost:{}{path}", elsewhere.port());
    let realms = [("shop".to_owned(), at("/token"))].into();
    let realm = Some("https://auth.example.com/token".to_owned());
    server.access(AuthMode::Bearer(Bearer { realm, realms, ..Bearer::new(login()) }));
    let realm_of = async |path: &str| {
        let refused = send(server.addr(), &format!("GET /v2/{path}/tags/list"), &[], "").await;
        refused.header("www-authenticate").unwrap().split('"').nth(1).unwrap().to_owned()
    };
    assert_eq!(realm_of("shop").await, at("/token"));
    assert_eq!(realm_of("other").await, "https://auth.example.com/token");

    let given = send(elsewhere, "GET /token?scope=repository:shop:pull", &[&basic(PASSWORD)], "").await;
    assert_eq!(read(&server, &bearer(&given.json())).await.status, 200);
    assert_eq!(server.token_requests()[0].host, elsewhere.to_string());

    let form = format!("grant_type=refresh_token&scope=repository:shop:pull&refresh_token={}", server.identity_token());
    let given = send(elsewhere, "POST /token", &[], form).await;
    assert_eq!(read(&server, &bearer(&given.json())).await.status, 200);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn token_is_given_at_the_path_that_the_challenge_names() {
    let realm = Some("https://gitlab.example.com/jwt/auth".to_owned());
    let server = shop(AuthMode::Bearer(Bearer { realm, ..Bearer::new(login()) })).await;
    let path = "GET /jwt/auth?service=s&scope=repository:shop:pull";
    assert_eq!(send(server.addr(), path, &[], "").await.status, 401);
    let given = send(server.addr(), path, &[&basic(PASSWORD)], "").await;
    assert_eq!(read(&server, &bearer(&given.json())).await.status, 200);
    server.access(AuthMode::Bearer(Bearer::new(login())));
    assert_eq!(send(server.addr(), path, &[&basic(PASSWORD)], "").await.status, 404);
}

#[tokio::test]
async fn token_that_was_issued_without_a_login_is_valid_for_its_scope() {
    let server = shop(AuthMode::Bearer(Bearer::new(login()))).await;
    let token = |scope: &str| format!("Authorization: Bearer {}", server.registry_token(scope));
    assert_eq!(read(&server, &token("repository:shop:pull")).await.status, 200);
    assert_eq!(read(&server, &token("repository:other:pull")).await.status, 401);
}

#[tokio::test]
async fn refusal_without_a_challenge_is_sent_if_a_fault_removes_it() {
    let server = shop(AuthMode::Basic(login())).await;
    server.always(|_| true, HttpFault::NoHeader("www-authenticate"));
    let refused = read(&server, "X-None: 1").await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, None));
}
