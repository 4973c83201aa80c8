# `. target/tools/bin/activate` puts just on PATH, after `tests/run` or `.ci/tools` has installed it. Each recipe is a
# script that also runs without just.

set positional-arguments

export PATH := justfile_directory() / "target/tools/bin:" + env("PATH")

# Lists the recipes
default:
    @just --list --unsorted

# After a change in one crate (core, cli, py, node): format, clippy, its own tests
check crate="core":
    tests/check "$1"

# The Rust tests that match, without the rest: `just test takeover`, `just test -E 'test(=canary)'`
test *args:
    cargo nextest run --workspace --all-features "$@"

# Format, spelling, workflows, licences, clippy, documentation
lint:
    tests/run lint

# The checks of every change: under 20 minutes from cold on two cores
ci:
    tests/run

# The long suites, the release packages, real peers: up to an hour
nightly:
    tests/run nightly

# The benchmarks, or one: promotion, ledger, verify, retention, commands, objects, postgres, bindings
bench *names:
    tests/bench "$@"

# libFuzzer on every target
fuzz seconds="60":
    tests/fuzz "$1"

# Builds the packages into target/packages, and tries them there
release *parts:
    .ci/release "$@"
