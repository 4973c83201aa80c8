//! The story of a channel on each preset: bootstrap, promote, rollback, drift, repair, a lost tag, retention. What ends
//! differently for a vendor stands in docs/guides/registries.md.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tagwarden::drift::Drift;
use tagwarden::ledger::MemoryLedger;
use tagwarden::log::Source;
use tagwarden::promotion::AuditOptions;
use tagwarden::registry::Registry;
use tagwarden::registry::oci::{CredentialSource, Credentials, OciOptions, OciRegistry};
use tagwarden::retention::RetentionRule;
use tagwarden::{
    Channel, Digest, Error, ErrorKind, MoveOptions, Operation, Promoter, Provenance, Receipt, ReleaseExpression,
    Repository, Tag, Times,
};
use tagwarden_testing::{Call, ErrorAnswer, Login, MemoryRegistry, ReadFault, RegistryServer, TestImage, Vendor};

const SECOND: Duration = Duration::from_secs(1);
/// The lag of a preset that lags: shorter than the settle time of the promoter.
const LAG: Duration = Duration::from_millis(800);

struct Shop {
    server: RegistryServer,
    registry: OciRegistry,
    promoter: Promoter,
    repository: Repository,
    prod: Channel,
    /// The digests of 1.0, 1.1 and 1.2.
    releases: Vec<Digest>,
}

impl Shop {
    /// A registry that imitates the vendor and demands a login as it does, with three releases.
    async fn of(vendor: Vendor) -> Shop {
        let server = RegistryServer::start_on(0, MemoryRegistry::of_vendor(vendor)).await.unwrap();
        if !vendor.lag().is_zero() {
            server.memory().lag(LAG);
        }
        server.demand(Login::new("ci", "pw"));
        let options = OciOptions::new()
            .lookup(CredentialSource::Nowhere)
            .credentials(server.host(), Credentials::password("ci", "pw"));
        let registry = OciRegistry::new(options).unwrap();
        let times = Times::new(10 * SECOND, 5 * SECOND, SECOND, SECOND).unwrap().with_settle(SECOND).unwrap();
        let promoter = Promoter::builder()
            .registry(Arc::new(registry.clone()))
            .ledger(Arc::new(MemoryLedger::new()))
            .times(times)
            .build()
            .unwrap();
        let repository = server.repository("acme/shop");
        let push = |number: u64| server.memory().push_image(&repository, &tag(&format!("1.{number}")), number).digest();
        let releases = (0..3).map(push).collect();
        let prod = Channel::new(repository.clone(), tag("prod")).unwrap();
        let shop = Shop { server, registry, promoter, repository, prod, releases };
        shop.settled().await;
        shop
    }

    fn memory(&self) -> &MemoryRegistry {
        self.server.memory()
    }

    /// Waits until reads of what was changed outside do not lag any more.
    async fn settled(&self) {
        if !self.memory().vendor().unwrap().lag().is_zero() {
            tokio::time::sleep(LAG).await;
        }
    }

    fn release(&self, number: usize) -> Source {
        Source::Reference(self.repository.tag(tag(&format!("1.{number}"))))
    }

    async fn bootstrapped(vendor: Vendor) -> Shop {
        let shop = Shop::of(vendor).await;
        let receipt = shop.promoter.bootstrap(&shop.prod).source(shop.release(0)).options(terms()).await.unwrap();
        assert_eq!((receipt.digest, shop.at()), (shop.releases[0], Some(shop.releases[0])));
        shop
    }

    async fn promote(&self, number: usize) -> Result<Receipt, Error> {
        self.promoter.promote(&self.prod, self.release(number)).options(terms()).await
    }

    async fn run(&self, operation: Operation) -> Receipt {
        self.promoter.run(&self.prod, operation, terms()).await.unwrap()
    }

    async fn audit(&self) -> Drift {
        let report = self.promoter.audit(std::slice::from_ref(&self.prod)).await.unwrap();
        report.channels()[0].drift.clone()
    }

    fn at(&self) -> Option<Digest> {
        self.memory().peek(&self.repository, self.prod.tag())
    }
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn terms() -> MoveOptions {
    MoveOptions::new(Provenance::new("manual", "run-1", "ada").unwrap())
}

async fn story(vendor: Vendor) {
    let shop = Shop::bootstrapped(vendor).await;
    let [first, second, _] = shop.releases[..] else { panic!("three releases") };
    let receipt = shop.promote(1).await.unwrap();
    assert_eq!((receipt.previous_digest, receipt.digest), (Some(first), second), "{vendor}");
    assert_eq!(shop.run(Operation::Rollback(None)).await.digest, first);
    assert_eq!(shop.at(), Some(first));

    let foreign = shop.memory().push_image(&shop.repository, &tag("prod"), 66).digest();
    shop.settled().await;
    let drift = shop.audit().await;
    assert!(
        matches!(drift, Drift::MovedOutside { expected, observed } if (expected, observed) == (first, foreign)),
        "{vendor}: {drift:?}"
    );
    let error = shop.promote(2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelDrifted, "{vendor}: {error}");
    assert_eq!((shop.run(Operation::Repair).await.digest, shop.at()), (first, Some(first)));

    shop.memory().delete_tag(&shop.repository, &tag("prod"));
    shop.settled().await;
    let drift = shop.audit().await;
    assert!(matches!(drift, Drift::Missing { expected } if expected == first), "{vendor}: {drift:?}");
    assert_eq!((shop.run(Operation::Repair).await.digest, shop.at()), (first, Some(first)));

    let rule = RetentionRule { keep_last: 1.try_into().unwrap(), keep_for: Duration::ZERO };
    shop.settled().await;
    let plan = json!(shop.promoter.retention_plan(&shop.repository, &rule).await.unwrap());
    assert_eq!(plan.get("blocked"), None, "{vendor}: {plan}");
    let digests = plan["digests"].as_array().unwrap();
    let of = |digest: Digest| digests.iter().find(|one| one["digest"] == digest.to_string()).unwrap();
    assert_eq!((&of(first)["pin"], &of(first)["keep"]["reason"]), (&json!("held"), &json!("live")), "{vendor}: {plan}");
    assert_eq!(of(second)["pin"], "held", "{vendor}: {plan}");
}

#[tokio::test]
async fn story_on_ghcr_ends_as_everywhere() {
    story(Vendor::Ghcr).await;
}

#[tokio::test]
async fn story_on_ecr_ends_as_everywhere() {
    story(Vendor::Ecr).await;
}

#[tokio::test]
async fn story_on_quay_ends_as_everywhere() {
    story(Vendor::Quay).await;
}

#[tokio::test]
async fn story_on_harbor_ends_as_everywhere() {
    story(Vendor::Harbor).await;
}

#[tokio::test]
async fn story_on_acr_ends_as_everywhere() {
    story(Vendor::Acr).await;
}

#[tokio::test]
async fn reads_that_lag_on_ghcr_are_no_drift() {
    let shop = Shop::bootstrapped(Vendor::Ghcr).await;
    shop.promote(1).await.unwrap();
    let mut states = Vec::new();
    for _ in 0..20 {
        let options = AuditOptions::default().timeout(None);
        let report = shop.promoter.audit_with(std::slice::from_ref(&shop.prod), options).await.unwrap();
        states.push(report.channels()[0].drift.clone());
    }
    let lagged = states.iter().filter(|state| matches!(state, Drift::Lagging { .. })).count();
    let in_sync = states.iter().filter(|state| matches!(state, Drift::InSync { .. })).count();
    assert!(lagged > 0 && lagged + in_sync == 20, "{states:?}");
}

#[tokio::test]
async fn immutable_channel_is_refused_in_the_vendors_words_and_an_excluded_one_is_moved() {
    let cases = [
        (Vendor::Ghcr, "409 TAG_IMMUTABLE: the tag is immutable"),
        (Vendor::Ecr, "400 TAG_INVALID: The image tag 'prod' already exists in the 'acme/shop' repository"),
        (Vendor::Quay, "409 TAG_IMMUTABLE: tag is immutable"),
        (
            Vendor::Harbor,
            "412 PRECONDITION: Failed to process request due to 'acme/shop:prod' configured as immutable.",
        ),
        (Vendor::Acr, "405 REGISTRY_DISALLOWED_OPERATION: The operation is disallowed on this registry"),
    ];
    join_all(cases.map(|(vendor, words)| async move {
        let shop = Shop::bootstrapped(vendor).await;
        // A pin that is not seen yet would be put again: that is the next test.
        shop.memory().lag(Duration::ZERO);
        shop.memory().immutable_tags(["*"], []);
        let error = shop.promote(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MoveFailed, "{vendor}: {error}");
        assert!(error.to_string().contains(words), "{vendor}: {error}");
        assert_eq!(shop.at(), Some(shop.releases[0]), "{vendor}");

        // Releases and pins stay immutable: neither is ever put again.
        shop.memory().immutable_tags(["*"], ["dev", "preprod", "prod"]);
        for number in [1, 2, 1] {
            assert_eq!(shop.promote(number).await.unwrap().digest, shop.releases[number], "{vendor}");
        }
    }))
    .await;
}

/// A pin that a lagging read does not show is put again, and a locked one refuses that.
#[tokio::test]
async fn locked_pin_that_acr_does_not_show_yet_fails_one_promotion() {
    let shop = Shop::bootstrapped(Vendor::Acr).await;
    shop.memory().lag(Duration::ZERO);
    shop.promote(1).await.unwrap();
    shop.memory().immutable_tags(["tw-pin.*"], []);
    let pins = |call: &Call| call.to_string().contains(":tw-pin.");
    shop.memory().script_reads_when(pins, vec![ReadFault::Past(99); 100]);
    let error = shop.promote(2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MoveFailed, "{error}");
    assert!(error.to_string().contains("could not be pinned"), "{error}");
    assert!(error.to_string().contains("405 REGISTRY_DISALLOWED_OPERATION"), "{error}");
    assert_eq!(shop.at(), Some(shop.releases[1]));
    shop.memory().calm();
    assert_eq!(shop.promote(2).await.unwrap().digest, shop.releases[2]);
}

#[tokio::test]
async fn push_to_an_uncreated_repository_of_ecr_is_refused_until_it_is_created() {
    let shop = Shop::of(Vendor::Ecr).await;
    let repository = shop.server.repository("acme/new");
    let sample = TestImage::image(1);
    let error = shop.registry.push_blob(&repository, sample.blobs[0].clone()).await.unwrap_err();
    let words = "404 NAME_UNKNOWN: The repository with name 'acme/new' does not exist in the registry with id";
    assert!(error.to_string().contains(words), "{error}");
    shop.memory().create_repository(&repository);
    shop.registry.push_blob(&repository, sample.blobs[0].clone()).await.unwrap();
    assert_eq!(shop.registry.resolve(&repository, &tag("1.0")).await.unwrap(), None);
}

#[tokio::test]
async fn expired_password_of_ecr_is_denied_in_its_words() {
    let shop = Shop::bootstrapped(Vendor::Ecr).await;
    shop.server.end_tokens();
    let error = shop.promote(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryDenied, "{error}");
    assert!(error.to_string().contains("Your authorization token has expired"), "{error}");
    shop.server.demand(Login::new("ci", "pw"));
    shop.promote(1).await.unwrap();
}

#[tokio::test]
async fn promotion_away_from_an_image_that_harbor_hides_goes_on_with_a_warning() {
    let shop = Shop::bootstrapped(Vendor::Harbor).await;
    let policy = ErrorAnswer::new(412, "PROJECTPOLICYVIOLATION", "the image has 3 critical vulnerabilities");
    shop.memory().hide(&shop.repository, &shop.releases[0], policy);
    let operation = Operation::Promote(ReleaseExpression::from(shop.release(1)));
    let plan = shop.promoter.plan(&shop.prod, operation, terms()).await.unwrap();
    assert!(json!(plan.findings()).to_string().contains("TAG_HIDDEN"), "{:?}", plan.findings());
    assert_eq!(shop.promote(1).await.unwrap().digest, shop.releases[1]);
}
