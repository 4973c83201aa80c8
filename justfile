# Lists the recipes.
default:
    @just --list --unsorted

# Checks one crate after a change, in seconds: format, clippy, its own tests. CRATE: core, cli, py, node
check crate="core":
    tests/check {{crate}}

# Runs the Rust tests whose name contains PATTERN
test pattern="":
    cargo nextest run --workspace --all-features {{pattern}}

# Format, spelling, workflows, licences, clippy, documentation
lint:
    tests/run lint

# Everything that a change is held to; under 20 minutes from cold on two cores
ci:
    tests/run

# The long suites; up to an hour on two cores
nightly:
    tests/run nightly

# The benchmarks, or one of them. NAME: promotion, ledger, verify, retention, commands, objects, postgres, bindings
bench name="":
    tests/bench {{name}}

# libFuzzer on every target, SECONDS each
fuzz seconds="60":
    tests/fuzz {{seconds}}

# What is published, into target/packages, and tried there
release *targets:
    .ci/release {{targets}}
