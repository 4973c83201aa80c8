//! The cache: a broken one, a large one, and reads from it alone.

use super::*;

/// The loose objects, and the files beside them.
fn objects(repository: &Path) -> Vec<std::path::PathBuf> {
    let files = |dir: std::fs::DirEntry| std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
    std::fs::read_dir(repository.join("objects")).unwrap().flat_map(|dir| files(dir.unwrap())).collect()
}

/// Makes the loose object of a path in the log's directory an empty file; where the object is in a pack, does nothing.
fn empty(repository: &Path, path: &str) {
    let name = format!("refs/tagwarden/tip:{LOG}{path}");
    let args = ["--git-dir", repository.to_str().unwrap(), "rev-parse", &name];
    let id = Command::new("git").args(args).env("GIT_NO_LAZY_FETCH", "1").output().unwrap();
    let id = String::from_utf8(id.stdout).unwrap();
    let object = repository.join("objects").join(&id[..2]).join(id[2..].trim());
    if object.exists() {
        std::fs::remove_file(&object).unwrap();
        std::fs::write(object, "").unwrap();
    }
}

#[tokio::test]
async fn broken_cache_heals_itself() {
    let world = World::new();
    // Without filters, git takes a broken cache for a server that gives no single objects.
    world.git(&["config", "uploadpack.allowFilter", "true"]);
    let ledger = world.writer("one").await;
    let mut log = fill(&ledger, &channel(), 0, 2).await;
    let repository = world.repository(&ledger);
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 9] = [
        ("a left lock", |dir| std::fs::write(dir.join("shallow.lock"), "").unwrap()),
        ("a left lock of the tip", |dir| std::fs::write(dir.join("refs/tagwarden/tip.lock"), "").unwrap()),
        ("no repository", |dir| std::fs::remove_dir_all(dir).unwrap()),
        ("no objects", |dir| {
            for object in objects(dir) {
                if object.is_file() {
                    std::fs::remove_file(object).unwrap();
                }
            }
        }),
        // As a power failure leaves them, on a file system that does not write files in order.
        ("an empty tree of the log", |dir| empty(dir, "")),
        ("an empty file of the log", |dir| empty(dir, "/000000000000.jsonl")),
        ("an empty tip", |dir| std::fs::write(dir.join("refs/tagwarden/tip"), "").unwrap()),
        ("a broken tip", |dir| std::fs::write(dir.join("refs/tagwarden/tip"), "1".repeat(40)).unwrap()),
        ("a broken configuration", |dir| std::fs::write(dir.join("config"), "[core").unwrap()),
    ];
    for (what, damage) in damages {
        for ledger in [ledger.clone(), world.writer("one").await] {
            damage(&repository);
            let size = ledger.size(&channel()).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(size, log.len() as u64, "{what}");
            damage(&repository);
            log.extend(fill(&ledger, &channel(), size, size + 1).await);
        }
    }
    assert_eq!(whole(&world.writer("two").await, &channel()).await, log);
}

#[tokio::test]
async fn large_cache_is_made_anew_by_a_look_and_by_an_append() {
    let world = World::new();
    let ledger = world.writer("one").await;
    let mut log = fill(&ledger, &channel(), 0, 2).await;
    let repository = world.repository(&ledger);
    type Growth = fn(&Path);
    let growths: [(&str, Growth); 3] = [
        ("packs", |dir| {
            for nth in 0..200 {
                std::fs::write(dir.join(format!("pack/tmp-{nth}")), "x").unwrap();
            }
        }),
        ("loose objects", |dir| {
            for nth in 0..256 * 32 {
                let of = dir.join(format!("{:02x}", nth / 32));
                std::fs::create_dir_all(&of).unwrap();
                std::fs::write(of.join(format!("{nth:038x}")), "x").unwrap();
            }
        }),
        ("bytes", |dir| {
            let file = std::fs::File::create(dir.join("pack/tmp")).unwrap();
            file.set_len(65 << 20).unwrap();
        }),
    ];
    for (what, grow) in growths {
        grow(&repository.join("objects"));
        assert_eq!(ledger.size(&channel()).await.unwrap(), log.len() as u64, "{what}");
        assert!(objects(&repository).len() < 50, "{what}");
        grow(&repository.join("objects"));
        log.extend(fill(&ledger, &channel(), log.len() as u64, log.len() as u64 + 1).await);
        assert!(objects(&repository).len() < 50, "{what}");
    }
    assert_eq!(whole(&world.writer("two").await, &channel()).await, log);
}

#[tokio::test]
async fn offline_reads_what_was_read_before_and_says_when() {
    let world = World::new();
    let ledger = world.writer("one").await;
    let before = Timestamp::from_unix_ms(0);
    refused(
        world.open("one", OpenMode::Offline).await.size(&channel()).await,
        ErrorKind::LedgerAbsent,
        &["no copy", "once online"],
    );
    let log = fill(&ledger, &channel(), 0, 3).await;
    world.git(&["update-ref", "-d", "refs/heads/tagwarden"]);
    let offline = world.open("one", OpenMode::Offline).await;
    assert_eq!(whole(&offline, &channel()).await, log);
    assert!(offline.as_of().unwrap() > before);
    assert_eq!(ledger.as_of(), None);
    let next = entry(&channel(), 3, None, "ada");
    refused(offline.append(&channel(), 3, next.bytes().clone()).await, ErrorKind::LedgerDenied, &["read only"]);
}

#[tokio::test]
async fn offline_read_does_not_wait_for_a_process_that_uses_the_cache() {
    let world = World::new();
    let ledger = world.writer("one").await;
    let log = fill(&ledger, &channel(), 0, 3).await;
    let _in_use = ledger.branch.lock().unwrap();
    assert_eq!(whole(&world.open("one", OpenMode::Offline).await, &channel()).await, log);
}

#[tokio::test]
async fn copy_without_a_file_of_a_log_says_to_read_the_branch_once_online() {
    let world = World::new();
    world.git(&["config", "uploadpack.allowFilter", "true"]);
    let log = world.lay(&channel(), 150);
    let online = world.open("one", OpenMode::Read).await;
    assert_eq!(online.size(&channel()).await.unwrap(), 150);
    let offline = world.open("one", OpenMode::Offline).await;
    assert_eq!(offline.read(&channel(), 100, 50).await.unwrap(), log[100..]);
    let said = ["this machine's copy does not have every file", "run the command once online"];
    let error = refused(offline.read(&channel(), 0, 10).await, ErrorKind::LedgerUnavailable, &said);
    assert!(!error.to_string().contains("protocol"), "{error}");
    assert_eq!(whole(&online, &channel()).await, log);
    assert_eq!(whole(&offline, &channel()).await, log);
}
