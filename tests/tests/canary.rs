//! After a run with many failures, the canary text of each credential is in no error, no `Debug` text, no progress
//! message, and no byte of the ledger.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagwarden::ledger::{FileLedger, Ledger};
use tagwarden::log::Source;
use tagwarden::promotion::{ProgressObserver, RecoveryMode, WaitReason};
use tagwarden::registry::oci::{CredentialSource, Credentials, OciOptions, OciRegistry};
use tagwarden::{Channel, MoveOptions, Promoter, Provenance, Tag, Times};
use tagwarden_testing::{AuthMode, Bearer, HttpFault, Login, RegistryServer};

const CANARY: &str = "canary-7f3a91";

/// All text that a user could read.
#[derive(Clone, Debug, Default)]
struct Shown(Arc<Mutex<String>>);

impl Shown {
    fn note(&self, what: impl std::fmt::Debug) {
        let mut shown = self.0.lock().unwrap();
        shown.push_str(&format!("{what:?}\n"));
    }

    fn error(&self, error: &tagwarden::Error) {
        self.note(error);
        let mut shown = self.0.lock().unwrap();
        shown.push_str(&format!("{error}\n"));
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            shown.push_str(&format!("{error} {error:?}\n"));
            source = error.source();
        }
    }
}

impl ProgressObserver for Shown {
    fn waits(&self, channel: &Channel, what: WaitReason, remaining: Option<Duration>) {
        self.note((channel, what, remaining));
    }
}

/// Runs moves with faults of every kind. Returns the number of failed calls.
async fn live(server: &RegistryServer, options: OciOptions, shown: &Shown) -> usize {
    let ms = Duration::from_millis;
    let times = Times::new(ms(1_500), ms(200), ms(200), ms(150)).unwrap().with_settle(ms(200)).unwrap();
    let registry =
        OciRegistry::new(options.clone().retry_for(Duration::from_millis(100)).total_timeout(Duration::from_secs(2)))
            .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(FileLedger::open(dir.path()).unwrap());
    let promoter = Promoter::builder()
        .registry(Arc::new(registry.clone()))
        .ledger(Arc::clone(&ledger))
        .times(times)
        .observer(Arc::new(shown.clone()))
        .build()
        .unwrap();
    let repository = server.repository("acme/shop");
    let prod: Channel = format!("{repository}:prod").parse().unwrap();
    let tag = |name: &str| -> Tag { name.parse().unwrap() };
    for (name, number) in ["1.0", "1.1", "1.2", "1.3"].into_iter().zip(0..) {
        server.memory().push_image(&repository, &tag(name), number);
    }
    let who = || Provenance::new("manual", "run", "ada").unwrap();
    let terms = || MoveOptions { timeout: Duration::from_secs(30), ..MoveOptions::new(who()) };
    let release = |name: &str| Source::Reference(repository.tag(tag(name)));
    let mut failed = 0;
    let faults = [
        vec![],
        vec![HttpFault::Status(403)],
        vec![HttpFault::Status(401), HttpFault::Status(401), HttpFault::Status(401)],
        vec![HttpFault::Closed, HttpFault::Closed],
        vec![HttpFault::StatusAfter(500)],
        vec![HttpFault::Status(400)],
        vec![HttpFault::ClosedAfter],
    ];
    match promoter.bootstrap(&prod).source(release("1.0")).options(terms()).await {
        Ok(receipt) => shown.note(receipt),
        Err(error) => {
            failed += 1;
            shown.error(&error);
        }
    }
    for (number, faults) in faults.into_iter().enumerate() {
        for method in ["GET", "HEAD", "PUT"] {
            server.calm();
            server.script_when(move |seen| seen.method == method, faults.clone());
            let name = ["1.1", "1.2", "1.3"][number % 3];
            match promoter.promote(&prod, release(name)).options(terms()).await {
                Ok(receipt) => shown.note(receipt),
                Err(error) => {
                    failed += 1;
                    shown.error(&error);
                }
            }
            match promoter.recover(&prod, RecoveryMode::RollForward, who(), Duration::from_secs(30)).await {
                Ok(recovered) => shown.note(recovered),
                Err(error) => shown.error(&error),
            }
        }
    }
    server.calm();
    shown.note((&promoter, &registry, &options));
    if let Ok(report) = promoter.audit(std::slice::from_ref(&prod)).await {
        shown.note(report);
    }
    drop((promoter, ledger));
    every_byte(dir.path(), shown);
    failed
}

fn every_byte(directory: &Path, shown: &Shown) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        shown.note(&path);
        match path.is_dir() {
            true => every_byte(&path, shown),
            false => shown.note(String::from_utf8_lossy(&std::fs::read(&path).unwrap())),
        }
    }
}

fn assert_hidden(shown: &Shown, what: &str) {
    let shown = shown.0.lock().unwrap();
    assert!(shown.len() > 2_000, "{what}: something was shown");
    let basic = STANDARD.encode(format!("ci:{CANARY}"));
    for secret in [CANARY, &basic, basic.trim_end_matches('='), "token-01", "refresh-01"] {
        let at = shown.find(secret).map(|at| shown[at.saturating_sub(300)..at].to_owned());
        assert_eq!(at, None, "{what}: {secret} is shown after this");
    }
}

fn bearer() -> AuthMode {
    AuthMode::Bearer(Bearer::new(Login::new("ci", CANARY)))
}

#[tokio::test]
async fn registry_password_is_never_shown() {
    for (access, name) in [(AuthMode::Basic(Login::new("ci", CANARY)), "basic"), (bearer(), "bearer")] {
        let server = RegistryServer::start().await.unwrap();
        server.access(access);
        let given = |password: &str| {
            OciOptions::new()
                .lookup(CredentialSource::Nowhere)
                .credentials(server.host(), Credentials::password("ci", password))
        };
        let shown = Shown::default();
        let failed = live(&server, given(CANARY), &shown).await;
        assert!((1..22).contains(&failed), "{name}: some fail and some do not: {failed}");
        assert_hidden(&shown, name);
        let shown = Shown::default();
        assert_eq!(live(&server, given(&format!("{CANARY}-wrong")), &shown).await, 22, "{name}");
        assert_hidden(&shown, name);
    }
}

#[tokio::test]
async fn registry_tokens_are_never_shown() {
    for credentials in [Credentials::IdentityToken(CANARY.into()), Credentials::RegistryToken(CANARY.into())] {
        let server = RegistryServer::start().await.unwrap();
        server.access(bearer());
        let shown = Shown::default();
        let options = OciOptions::new().lookup(CredentialSource::Nowhere).credentials(server.host(), credentials);
        live(&server, options, &shown).await;
        assert_hidden(&shown, "token");
    }
}

#[tokio::test]
async fn docker_login_credentials_are_never_shown() {
    let server = RegistryServer::start().await.unwrap();
    server.access(bearer());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    let auth = STANDARD.encode(format!("ci:{CANARY}"));
    std::fs::write(&file, format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.host())).unwrap();
    let shown = Shown::default();
    let failed = live(&server, OciOptions::new().lookup(CredentialSource::Docker).docker_config(&file), &shown).await;
    assert!(failed < 22, "{failed}");
    assert_hidden(&shown, "docker");
}

#[tokio::test]
async fn stored_logins_that_are_wrong_or_broken_are_never_shown() {
    let server = RegistryServer::start().await.unwrap();
    server.access(bearer());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("auth.json");
    let wrong = STANDARD.encode(format!("ci:{CANARY}-wrong"));
    for (login, failures) in [
        (format!(r#"{{"auth":"{wrong}"}}"#), 22),
        (format!(r#"{{"identitytoken":"{CANARY}"}}"#), 22),
        (format!(r#"{{"auth":"{CANARY}"}}"#), 22),
        (format!(r#"{{"username":"ci","password":"{CANARY}"}}"#), 0),
    ] {
        // The longest path wins, in the form that podman and buildah write.
        let host = server.host();
        std::fs::write(&file, format!(r#"{{"auths":{{"{host}/acme":{login},"{host}":{{"auth":"{wrong}"}}}}}}"#))
            .unwrap();
        let shown = Shown::default();
        let options = OciOptions::new().lookup(CredentialSource::Docker).docker_config(&file);
        let failed = live(&server, options, &shown).await;
        assert_eq!(failed == 22, failures == 22, "{login}: {failed}");
        assert_hidden(&shown, "stored");
    }
}

/// Runs as a child of the test below, which sets its environment.
#[tokio::test]
#[ignore = "a child of environment_credentials_are_never_shown"]
async fn child() {
    let server = RegistryServer::start().await.unwrap();
    server.access(bearer());
    let shown = Shown::default();
    let options = OciOptions::new().lookup(CredentialSource::Environment).login_registry(server.host());
    let failed = live(&server, options, &shown).await;
    assert!(failed < 22, "{failed}");
    assert_hidden(&shown, "environment");
    println!("hidden");
}

#[test]
fn environment_credentials_are_never_shown() {
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("TAGWARDEN_USERNAME", "ci")
        .env("TAGWARDEN_PASSWORD", CANARY)
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && text.contains("hidden"), "{text}");
    assert!(!text.contains(CANARY), "{text}");
}
