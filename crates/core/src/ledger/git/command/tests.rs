use std::thread;
use std::time::Instant;

use super::*;

#[test]
fn version_is_read_from_the_answer_of_every_build() {
    for (said, want) in [
        ("git version 2.39.5", Some((2, 39))),
        ("git version 2.39.5 (Apple Git-154)", Some((2, 39))),
        ("git version 2.31.0-rc1", Some((2, 31))),
        ("git version 3.0", Some((3, 0))),
        ("git: command", None),
        ("", None),
    ] {
        assert_eq!(version(said), want, "{said}");
    }
    assert!(version("git version 2.30.2").unwrap() < OLDEST);
}

#[test]
fn call_over_its_time_ends_with_all_its_processes() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let alias = format!("alias.wait=!sleep 60 & echo $! > {}; wait", pid.display());
    let begun = Instant::now();
    let said = Git::asked(Duration::from_millis(500)).args(["-c", &alias, "wait"]).run().unwrap();
    assert!(!said.in_time && said.code.is_none());
    assert!(begun.elapsed() < Duration::from_secs(30));
    let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let is_gone = || {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    for _ in 0..500 {
        if is_gone() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{pid} still runs");
}

#[test]
fn process_that_keeps_the_output_open_is_not_waited_for() {
    let begun = Instant::now();
    let said = Git::asked(Duration::from_secs(60)).args(["-c", "alias.leave=!sleep 30 & echo done", "leave"]).run();
    let said = said.unwrap();
    assert_eq!((said.is_ok(), said.text().as_str()), (true, "done"));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn input_and_output_larger_than_a_pipe_arrive_whole() {
    let input = vec![b'x'; 3 << 20];
    let said = Git::asked(Duration::from_secs(60)).args(["-c", "alias.copy=!cat", "copy"]).input(input.clone()).run();
    assert!(said.unwrap().out == input);
}
