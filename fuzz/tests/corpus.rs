//! Runs each target on every file of its corpus.

use std::path::{Path, PathBuf};

use tagwarden_fuzz as fuzz;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn replay(name: &str, target: fn(&[u8])) {
    let mut inputs = 0;
    for input in std::fs::read_dir(corpus().join(name)).unwrap() {
        let path = input.unwrap().path();
        println!("{}", path.display());
        target(&std::fs::read(&path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "{name}: its corpus is empty");
}

/// Defines a test for each target, and the list of targets.
macro_rules! targets {
    ($($name:ident)*) => {
        const TARGETS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                replay(stringify!($name), fuzz::$name);
            }
        )*
    };
}

targets! { digest entry link log manifest reference www_authenticate }

#[test]
fn every_corpus_and_every_program_has_its_target() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    for directory in [corpus(), programs] {
        let mut names: Vec<String> = std::fs::read_dir(&directory)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, TARGETS, "{}", directory.display());
    }
}
