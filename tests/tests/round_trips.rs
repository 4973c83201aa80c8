//! The round trips of a move, counted by the registry: at most 4 in sequence, 3 if the target is already pinned, and
//! one request for a token.

use std::sync::Arc;
use std::time::Duration;

use tagwarden::ledger::FileLedger;
use tagwarden::log::Source;
use tagwarden::registry::oci::{CredentialSource, Credentials, OciOptions, OciRegistry};
use tagwarden::{Channel, MoveOptions, Pipeline, Promoter, Provenance, Stage};
use tagwarden_testing::{Anonymous, AuthMode, Bearer, Login, RegistryServer, Seen};

/// Long enough that concurrent requests overlap even on a busy machine. Short enough that the read of the tag is less
/// than a second old when the put is sent; otherwise the tag is read again.
const LATENCY: Duration = Duration::from_millis(150);

struct World {
    server: RegistryServer,
    dir: tempfile::TempDir,
    pipeline: Option<Pipeline>,
    dev: Channel,
    prod: Channel,
    /// True if the registry has logins.
    has_login: bool,
}

impl World {
    /// Two channels bootstrapped at 1.0, and a release 1.1 that was never promoted.
    async fn new() -> World {
        let server = RegistryServer::start().await.unwrap();
        let repository = server.repository("acme/shop");
        for (number, tag) in ["1.0", "1.1"].iter().enumerate() {
            server.memory().push_image(&repository, &tag.parse().unwrap(), number as u64);
        }
        let channel = |tag: &str| repository.tag(tag.parse().unwrap()).to_string().parse().unwrap();
        let (dev, prod) = (channel("dev"), channel("prod"));
        let dir = tempfile::tempdir().unwrap();
        let world = World { server, dir, pipeline: None, dev, prod, has_login: false };
        for channel in [&world.dev, &world.prod] {
            world.promoter().bootstrap(channel).source(world.release("1.0")).options(terms()).await.unwrap();
        }
        world
    }

    /// A promoter as in a new process: no connection, no token, nothing read.
    fn promoter(&self) -> Promoter {
        let options = OciOptions::new().lookup(CredentialSource::Nowhere);
        let options = match self.has_login {
            true => options.credentials(self.server.host(), Credentials::password("ci", "pw")),
            false => options,
        };
        let ledger = FileLedger::open(self.dir.path()).unwrap();
        let promoter = Promoter::new(Arc::new(OciRegistry::new(options).unwrap()), Arc::new(ledger));
        match &self.pipeline {
            Some(pipeline) => promoter.to_builder().pipeline(pipeline.clone()).build().unwrap(),
            None => promoter,
        }
    }

    fn release(&self, tag: &str) -> Source {
        Source::Reference(self.prod.repository().tag(tag.parse().unwrap()))
    }

    /// The requests of one promotion, up to the read that confirms it. The later look back does not count.
    async fn promote(&self, channel: &Channel, from: Source) -> Vec<Seen> {
        // Wait for the look back of an earlier move, which may still be running.
        tokio::time::sleep(2 * LATENCY).await;
        self.server.clear_requests();
        self.server.latency(LATENCY);
        self.promoter().promote(channel, from).options(terms()).await.unwrap();
        self.server.latency(Duration::ZERO);
        let mut seen = self.server.requests();
        let tag = format!("/manifests/{}", channel.tag());
        let put = seen.iter().position(|seen| seen.is("PUT", &tag)).expect("a put of the tag");
        let confirm = put + 1;
        assert!(seen[confirm].is("HEAD", &tag), "{}", seen[confirm]);
        for late in seen.drain(confirm + 1..) {
            assert!(late.is("HEAD", &tag), "after the look that confirms, {late}");
        }
        seen
    }
}

fn terms() -> MoveOptions {
    MoveOptions::new(Provenance::new("manual", "run-1", "ada").unwrap())
}

fn rounds(seen: &[Seen]) -> usize {
    seen.iter().map(|seen| seen.round).max().unwrap()
}

fn shown(seen: &[Seen]) -> String {
    seen.iter().map(|seen| format!("\n  {} {seen} {:?}", seen.round, seen.status)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_promotion_takes_four_round_trips_and_the_next_environments_three() {
    let world = World::new().await;
    let seen = world.promote(&world.dev, world.release("1.1")).await;
    assert_eq!((rounds(&seen), seen.len()), (4, 6), "{}", shown(&seen));
    let seen = world.promote(&world.prod, Source::Channel(world.dev.clone())).await;
    assert_eq!((rounds(&seen), seen.len()), (3, 6), "{}", shown(&seen));
}

/// A tag that is promoted usually points at the live digest of the previous environment, so that digest's pin is read
/// together with the tag.
#[tokio::test(flavor = "multi_thread")]
async fn promotion_by_tag_to_the_next_environment_of_a_pipeline_puts_no_pin_again() {
    let world = World::new().await;
    let stage = |environment: &str, channel: &Channel| Stage {
        environment: environment.parse().unwrap(),
        channel: channel.clone(),
    };
    let pipeline = Pipeline::new(vec![stage("dev", &world.dev), stage("prod", &world.prod)]).unwrap();
    let world = World { pipeline: Some(pipeline), ..world };
    let seen = world.promote(&world.dev, world.release("1.1")).await;
    assert_eq!((rounds(&seen), seen.len()), (4, 6), "{}", shown(&seen));
    let seen = world.promote(&world.prod, world.release("1.1")).await;
    assert_eq!((rounds(&seen), seen.len()), (3, 6), "{}", shown(&seen));
    let puts: Vec<_> = seen.iter().filter(|seen| seen.method == "PUT").map(|seen| seen.path.as_str()).collect();
    assert!(matches!(puts.as_slice(), [put] if put.ends_with("/manifests/prod")), "{}", shown(&seen));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_covers_a_move() {
    let world = World { has_login: true, ..World::new().await };
    world.server.access(AuthMode::Bearer(Bearer::new(Login::new("ci", "pw"))));
    let seen = world.promote(&world.dev, world.release("1.1")).await;
    assert_eq!(world.server.token_requests().len(), 1);
    // The 401 that names the token server, the token request, and four more.
    assert_eq!(rounds(&seen), 6, "{}", shown(&seen));
    let seen = world.promote(&world.prod, Source::Channel(world.dev.clone())).await;
    assert_eq!(world.server.token_requests().len(), 1);
    assert_eq!(rounds(&seen), 5, "{}", shown(&seen));
}

/// A registry that hides what is private costs the first move of a client one request to `/v2/` more.
#[tokio::test(flavor = "multi_thread")]
async fn login_to_a_registry_that_hides_repositories_costs_one_round_trip_more() {
    let world = World { has_login: true, ..World::new().await };
    world.server.access(AuthMode::Bearer(Bearer::new(Login::new("ci", "pw"))));
    world.server.anonymous(Anonymous::Hidden);
    let seen = world.promote(&world.dev, world.release("1.1")).await;
    assert_eq!(world.server.token_requests().len(), 1);
    assert_eq!(rounds(&seen), 7, "{}", shown(&seen));
}
