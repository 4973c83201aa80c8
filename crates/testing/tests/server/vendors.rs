//! The answers of each vendor on the wire.

use super::*;
use base64::Engine as _;

async fn of(vendor: Vendor) -> RegistryServer {
    let server = RegistryServer::start_on(0, MemoryRegistry::of_vendor(vendor)).await.unwrap();
    server.memory().lag(Duration::ZERO);
    server.memory().push_image(&server.repository("acme/shop"), &"prod".parse().unwrap(), 1);
    server
}

/// The status, the code and the message of an error.
fn error(answer: &Response) -> (u16, String, String) {
    let error = &answer.json()["errors"][0];
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    (answer.status, text("code"), text("message"))
}

fn said(status: u16, code: &str, message: &str) -> (u16, String, String) {
    (status, code.to_owned(), message.to_owned())
}

#[tokio::test]
async fn absent_is_said_in_the_vendors_words() {
    let unknown = || said(404, "MANIFEST_UNKNOWN", "manifest unknown");
    for (vendor, tag, repository) in [
        (Vendor::Ghcr, unknown(), unknown()),
        (
            Vendor::Ecr,
            said(404, "MANIFEST_UNKNOWN", "Requested image not found"),
            said(
                404,
                "NAME_UNKNOWN",
                "The repository with name 'acme/new' does not exist in the registry with id '111122223333'",
            ),
        ),
        (Vendor::Quay, unknown(), said(404, "NAME_UNKNOWN", "repository name not known to registry")),
        (
            Vendor::Harbor,
            said(404, "NOT_FOUND", "artifact acme/shop:dev not found"),
            said(404, "NOT_FOUND", "repository acme/new not found"),
        ),
        (
            Vendor::Acr,
            said(404, "MANIFEST_UNKNOWN", "manifest tagged by \"dev\" is not found"),
            said(404, "NAME_UNKNOWN", "repository \"acme/new\" is not found"),
        ),
    ] {
        let server = of(vendor).await;
        assert_eq!(error(&get(&server, "/v2/acme/shop/manifests/dev").await), tag, "{vendor}");
        assert_eq!(error(&get(&server, "/v2/acme/new/manifests/dev").await), repository, "{vendor}");
        assert_eq!(get(&server, "/v2/acme/shop/manifests/prod").await.status, 200, "{vendor}");
    }
}

#[tokio::test]
async fn deleted_tag_of_quay_has_expired() {
    let server = of(Vendor::Quay).await;
    assert_eq!(send(server.addr(), "DELETE /v2/acme/shop/manifests/prod", &[], "").await.status, 202);
    let words = "Tag prod was deleted or has expired. To pull, revive via time machine";
    assert_eq!(error(&get(&server, "/v2/acme/shop/manifests/prod").await), said(404, "TAG_EXPIRED", words));
    server.memory().push_image(&server.repository("acme/shop"), &"prod".parse().unwrap(), 2);
    assert_eq!(get(&server, "/v2/acme/shop/manifests/prod").await.status, 200);
}

#[tokio::test]
async fn delete_is_answered_as_the_vendor_does() {
    for (vendor, by_tag, by_digest) in [
        (Vendor::Ghcr, 405, 405),
        (Vendor::Ecr, 202, 202),
        (Vendor::Quay, 202, 202),
        (Vendor::Harbor, 400, 202),
        (Vendor::Acr, 405, 202),
    ] {
        let server = of(vendor).await;
        let repository = server.repository("acme/shop");
        let digest = server.memory().push_image(&repository, &"dev".parse().unwrap(), 2).digest();
        let delete = |target: &str| format!("DELETE /v2/acme/shop/manifests/{target}");
        let tag = send(server.addr(), &delete("prod"), &[], "").await;
        let whole = send(server.addr(), &delete(&digest.to_string()), &[], "").await;
        assert_eq!((tag.status, whole.status), (by_tag, by_digest), "{vendor}");
        assert!(by_tag == 202 || tag.text().contains("UNSUPPORTED"), "{vendor}: {tag:?}");
        assert_eq!(server.memory().holds(&repository, &digest), by_digest != 202, "{vendor}");
    }
}

#[tokio::test]
async fn immutable_tag_is_deleted_by_ecr_alone() {
    for vendor in Vendor::ALL {
        let server = of(vendor).await;
        let (repository, prod) = (server.repository("acme/shop"), "prod".parse().unwrap());
        let digest = server.memory().peek(&repository, &prod).unwrap();
        server.memory().immutable_tags(["p*"], ["preprod"]);
        let path = format!("DELETE /v2/acme/shop/manifests/{digest}");
        let answer = send(server.addr(), &path, &[], "").await;
        assert_eq!(answer.status == 202, vendor == Vendor::Ecr, "{vendor}: {answer:?}");
        assert_eq!(server.memory().holds(&repository, &digest), vendor != Vendor::Ecr, "{vendor}");
    }
}

#[tokio::test]
async fn referrers_are_listed_except_by_ghcr() {
    for vendor in Vendor::ALL {
        let server = of(vendor).await;
        let digest = server.memory().peek(&server.repository("acme/shop"), &"prod".parse().unwrap()).unwrap();
        let answer = get(&server, &format!("/v2/acme/shop/referrers/{digest}")).await;
        assert_eq!(answer.status, if vendor == Vendor::Ghcr { 404 } else { 200 }, "{vendor}");
    }
}

#[tokio::test]
async fn login_is_demanded_as_the_vendor_does() {
    let basic = base64::engine::general_purpose::STANDARD.encode("ci:canary-77");
    let basic = format!("Authorization: Basic {basic}");
    for (vendor, path, service) in [
        (Vendor::Ghcr, "/token", ""),
        (Vendor::Quay, "/v2/auth", ""),
        (Vendor::Harbor, "/service/token", "harbor-registry"),
        (Vendor::Acr, "/oauth2/token", ""),
    ] {
        let server = of(vendor).await;
        server.demand(Login::new("ci", "canary-77"));
        let host = server.host().to_owned();
        let refused = get(&server, "/v2/").await;
        let service = if service.is_empty() { &host } else { service };
        let challenge = format!("Bearer realm=\"http://{host}{path}\",service=\"{service}\"");
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(&*challenge)), "{vendor}");
        let scope = "scope=repository:acme/shop:pull";
        let token = send(server.addr(), &format!("GET {path}?{scope}"), &[&basic], "").await.json();
        let bearer = format!("Authorization: Bearer {}", token["token"].as_str().unwrap());
        let accept = format!("Accept: {IMAGE}");
        let read = send(server.addr(), "GET /v2/acme/shop/manifests/prod", &[&accept, &bearer], "").await;
        assert_eq!(read.status, 200, "{vendor}");
    }

    let server = of(Vendor::Ecr).await;
    server.demand(Login::new("ci", "canary-77"));
    let refused = get(&server, "/v2/").await;
    let challenge = format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", server.host());
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(&*challenge)));
    assert_eq!(refused.text(), "Not Authorized\n");
    assert_eq!(send(server.addr(), "GET /v2/", &[&basic], "").await.status, 200);
    server.end_tokens();
    let expired = send(server.addr(), "GET /v2/", &[&basic], "").await;
    let words = "Your authorization token has expired. Reauthenticate and try again.";
    assert_eq!(error(&expired), said(403, "DENIED", words));
}

#[tokio::test]
async fn reads_lag_on_ghcr_and_acr_alone() {
    let lags = Vendor::ALL.map(|vendor| vendor.lag().as_secs());
    assert_eq!(lags, [2, 0, 0, 0, 1]);
    for vendor in Vendor::ALL {
        let memory = MemoryRegistry::of_vendor(vendor);
        let (repository, prod) = ("reg.io/shop".parse().unwrap(), "prod".parse().unwrap());
        for number in [1, 2] {
            memory.push_image(&repository, &prod, number);
        }
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            seen.insert(tagwarden::registry::Registry::resolve(&memory, &repository, &prod).await.unwrap());
        }
        assert_eq!(seen.len(), if vendor.lag().is_zero() { 1 } else { 3 }, "{vendor}");
    }
}
