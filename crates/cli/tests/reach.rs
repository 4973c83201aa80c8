//! Ways to a registry: TLS with certificates of one's own, proxies, and registries that are down or busy for a while.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::time::{Duration, Instant};

use common::{Said, WHO, World, said};
use tagwarden_testing::{HttpFault, RetryAfter, Seen};
use tagwarden_tests::connect::ConnectProxy;
use tagwarden_tests::proxy::{CLIENT_KEY_PEM, CLIENT_PEM, OWN_PEM, Proxy, Tls};

const NAME: &str = "registry.example.test";

/// A registry behind TLS, and a world whose channels are on the host `host`.
fn secure(host: impl Fn(&Proxy) -> String) -> (World, Proxy) {
    let world = World::new();
    let proxy = Proxy::https(world.server.host(), Tls::Own);
    let prod = format!("{}/acme/shop:prod", host(&proxy));
    world.config(&format!("ledger = 'ledger'\n[[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n"));
    std::fs::write(world.dir.path().join("own.pem"), OWN_PEM).unwrap();
    (world, proxy)
}

/// Runs the binary with these variables, and checks the exit code.
fn run(world: &World, args: &[&str], variables: &[(&str, &str)], exit: i32) -> Said {
    let moves = ["bootstrap", "promote", "rollback"].contains(&args[0]);
    let mut command = world.command(args);
    command.args(WHO.iter().filter(|_| moves)).envs(variables.iter().copied());
    let said = said(command.output().unwrap());
    assert_eq!(said.exit, exit, "{args:?} {variables:?}\n{}\n{}", said.out, said.err);
    said
}

/// Times that let a test wait until reads are settled.
const TIMES: [&str; 6] = ["--quiet", "1s", "--put-timeout", "1s", "--settle", "1s"];

/// Bootstrap, promotion and rollback, with these flags and these variables.
fn story(world: &World, flags: &[&str], variables: &[(&str, &str)]) {
    for (verb, source) in [("bootstrap", "1.4.0"), ("promote", "1.4.1")] {
        run(world, &[&[verb, "prod", "--source", source], &TIMES[..], flags].concat(), variables, 0);
        assert_eq!(world.digest("prod"), world.digest(source));
    }
    run(world, &[&["rollback", "prod"], &TIMES[..], flags].concat(), variables, 0);
    assert_eq!(world.digest("prod"), world.digest("1.4.0"));
}

#[test]
fn self_signed_registry_on_loopback_is_used_with_its_own_certificate() {
    let (world, _proxy) = secure(Proxy::host);
    story(&world, &["--ca-file", "own.pem"], &[]);
}

#[test]
fn certificates_of_docker_and_podman_are_found_by_host() {
    for directory in [".config/containers/certs.d", ".config/docker/certs.d"] {
        let (world, proxy) = secure(Proxy::host);
        let own = world.dir.path().join(directory).join(proxy.host());
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("ca.crt"), OWN_PEM).unwrap();
        story(&world, &[], &[]);
        std::fs::write(own.join("ca.crt"), "no certificate").unwrap();
        let broken = run(&world, &["current", "prod"], &[], 2);
        assert!(broken.err.contains("ca.crt cannot be used: no PEM certificate"), "{}", broken.err);
    }
}

#[test]
fn configuration_names_the_certificates_of_a_registry() {
    let world = World::new();
    let proxy = Proxy::https(world.server.host(), Tls::OwnForClients);
    let host = proxy.host();
    for (name, text) in [("own.pem", OWN_PEM), ("client.pem", CLIENT_PEM), ("client.key", CLIENT_KEY_PEM)] {
        std::fs::write(world.dir.path().join(name), text).unwrap();
    }
    let file = |client: &str| {
        format!(
            "ledger = 'ledger'\n[[pipeline]]\nenvironment = 'prod'\nchannel = '{host}/acme/shop:prod'\n\
             [registry.'{host}']\nca-file = 'own.pem'\nretry-for = '1s'\n{client}"
        )
    };
    world.config(&file(""));
    let unknown = run(&world, &["bootstrap", "prod", "--source", "1.4.0"], &[], 6);
    assert!(unknown.err.contains("the server wants another client certificate"), "{}", unknown.err);
    world.config(&file("client-cert = 'client.pem'\nclient-key = 'client.key'\n"));
    story(&world, &[], &[]);
}

#[test]
fn certificate_that_is_not_trusted_ends_at_once_and_names_the_flag() {
    let (world, proxy) = secure(Proxy::host);
    let host = proxy.host();
    let begun = Instant::now();
    let args = ["bootstrap", "prod", "--source", "1.4.0", "--tls", &host, "--retry-for", "5m"];
    let refused = run(&world, &args, &[], 6);
    assert!(
        refused.err.contains("invalid peer certificate") && refused.err.contains("--ca-file FILE"),
        "{}",
        refused.err
    );
    assert!(begun.elapsed() < Duration::from_secs(60), "it was tried again");

    let plain = run(&world, &["bootstrap", "prod", "--source", "1.4.0"], &[], 6);
    assert!(plain.err.contains("speaks TLS") && plain.err.contains("--tls"), "{}", plain.err);
    let both = run(&world, &["current", "prod", "--tls", &host, "--insecure", &host], &[], 2);
    assert!(both.err.contains("is given with --tls and with --insecure"), "{}", both.err);
}

#[test]
fn plain_registry_that_is_asked_over_tls_names_insecure() {
    let world = World::with_prod();
    let refused = run(&world, &["promote", &world.prod(), "--source", "1.4.1", "--tls", world.server.host()], &[], 6);
    let want = format!("and others may read the traffic, give --insecure {}", world.server.host());
    assert!(refused.err.contains(&want), "{}", refused.err);
}

#[test]
fn registry_behind_a_proxy_is_reached_by_its_name() {
    let (world, proxy) = secure(|_| NAME.to_owned());
    let connect = ConnectProxy::start([(&*format!("{NAME}:443"), proxy.host())]);
    let url = connect.url();
    story(&world, &["--ca-file", "own.pem"], &[("HTTPS_PROXY", &url)]);
    assert!(!connect.asked().is_empty());
    assert!(connect.asked().iter().all(|name| *name == format!("{NAME}:443")), "{:?}", connect.asked());
}

#[test]
fn proxy_that_is_dead_or_refuses_is_named_without_its_password() {
    let (world, _proxy) = secure(|_| NAME.to_owned());
    let refusing = ConnectProxy::start([]);
    let refusing_host = refusing.url().replace("http://", "");
    for host in ["127.0.0.1:1", &refusing_host] {
        let url = format!("http://ci:c4n4ry@{host}");
        let args = ["bootstrap", "prod", "--source", "1.4.0", "--ca-file", "own.pem"];
        let refused = run(&world, &args, &[("https_proxy", &url)], 6);
        let want = format!("{NAME}: the proxy http://{host} (https_proxy) does not connect to it: ");
        assert!(refused.err.contains(&want), "{}", refused.err);
        assert!(!refused.err.contains("c4n4ry"), "{}", refused.err);
    }
}

#[test]
fn proxy_that_wants_a_login_is_permanent_and_says_where_it_is_written() {
    let (world, proxy) = secure(|_| NAME.to_owned());
    let connect = ConnectProxy::for_login("Basic Y2k6YzRuNHJ5", [(&*format!("{NAME}:443"), proxy.host())]);
    let url = |login: &str| connect.url().replace("http://", &format!("http://{login}"));
    let args = ["bootstrap", "prod", "--source", "1.4.0", "--ca-file", "own.pem", "--retry-for", "20s"];
    for (login, want) in [
        ("", "it wants a login: write it into HTTPS_PROXY, as in http://USER:PASSWORD@HOST:PORT"),
        ("ci:c4n4ry2@", "it does not take the user and the password in HTTPS_PROXY"),
    ] {
        let refused = run(&world, &args, &[("HTTPS_PROXY", &url(login))], 6);
        assert!(refused.err.contains(want) && !refused.err.contains("c4n4ry"), "{}", refused.err);
        // The tag and the release are read at the same time.
        assert!(connect.asked().len() <= 2, "it was tried again: {:?}", connect.asked());
        connect.forget();
    }
    story(&world, &["--ca-file", "own.pem"], &[("HTTPS_PROXY", &url("ci:c4n4ry@"))]);
}

#[test]
fn proxy_that_refuses_a_host_is_named_with_its_log() {
    let (world, _proxy) = secure(|_| NAME.to_owned());
    let connect = ConnectProxy::start([]);
    let args = ["bootstrap", "prod", "--source", "1.4.0", "--ca-file", "own.pem", "--retry-for", "0s"];
    let refused = run(&world, &args, &[("HTTPS_PROXY", &connect.url())], 6);
    assert!(refused.err.contains("; the proxy's log says why: its rules, or its login"), "{}", refused.err);
}

#[test]
fn proxy_variable_without_a_usable_proxy_is_a_configuration_error() {
    let (world, _proxy) = secure(|_| NAME.to_owned());
    let args = ["bootstrap", "prod", "--source", "1.4.0", "--ca-file", "own.pem", "--retry-for", "20s"];
    for (variable, value) in [
        ("ALL_PROXY", "socks5://ci:c4n4ry@127.0.0.1:9"),
        ("HTTPS_PROXY", "ftp://ci:c4n4ry@127.0.0.1:9"),
        ("https_proxy", "ci:c4n4ry@127.0.0.1:port"),
    ] {
        let refused = run(&world, &args, &[(variable, value)], 2);
        let want = format!("{variable} is not the URL of a proxy that can be used: write http://HOST:PORT");
        assert!(refused.err.contains(&want) && refused.err.contains("[CONFIG_INVALID]"), "{}", refused.err);
        assert!(!refused.err.contains("c4n4ry"), "{}", refused.err);
    }
}

/// True for every request until this much time has passed.
fn for_a_while(time: Duration) -> impl Fn(&Seen) -> bool + Send + 'static {
    let begun = Instant::now();
    move |_| begun.elapsed() < time
}

#[test]
fn promotion_outlasts_a_registry_that_is_down() {
    let world = World::with_prod();
    let prod = world.prod();
    world.server.always(|_| true, HttpFault::Status(503));
    let args = [&["promote", &prod, "--source", "1.4.1"], &TIMES[..], &["--retry-for"]].concat();
    let down = run(&world, &[&args[..], &["0s"]].concat(), &[], 6);
    assert!(down.err.contains("the registry answered 503"), "{}", down.err);
    world.server.calm();

    world.server.always(for_a_while(Duration::from_secs(2)), HttpFault::Status(503));
    run(&world, &[&args[..], &["60s"]].concat(), &[], 0);
    assert_eq!(world.digest("prod"), world.digest("1.4.1"));
    world.server.calm();

    world.server.always(for_a_while(Duration::from_secs(2)), HttpFault::Status(503));
    let variable = [("TAGWARDEN_RETRY_FOR", "60s")];
    run(&world, &[&["promote", &prod, "--source", "1.4.2"], &TIMES[..]].concat(), &variable, 0);
    assert_eq!(world.digest("prod"), world.digest("1.4.2"));
}

#[test]
fn promotion_waits_for_a_registry_that_is_busy_longer_than_a_put_may_take() {
    let world = World::with_prod();
    let prod = world.prod();
    for (number, busy) in [RetryAfter::Seconds(2), RetryAfter::Date(Duration::from_secs(3))].into_iter().enumerate() {
        let release = format!("1.4.{}", number + 1);
        // The pin of the target, and then the tag.
        let is_pin = |seen: &Seen| seen.method == "PUT" && seen.path.contains("/manifests/tw-pin");
        world.server.script_when(is_pin, [HttpFault::Busy(busy)]);
        world.server.script_when(|seen| seen.is("PUT", "/manifests/prod"), [HttpFault::Busy(busy)]);
        run(&world, &[&["promote", &prod, "--source", &release], &TIMES[..]].concat(), &[], 0);
        assert_eq!(world.digest("prod"), world.digest(&release));
        assert_eq!(world.server.faults_left(), 0);
    }
}

#[test]
fn promotion_whose_wait_does_not_fit_is_busy_and_leaves_the_tag() {
    let world = World::with_prod();
    let prod = world.prod();
    world.server.script_when(|seen| seen.is("PUT", "/manifests/prod"), [HttpFault::Busy(RetryAfter::Seconds(600))]);
    let refused = run(&world, &[&["promote", &prod, "--source", "1.4.1"], &TIMES[..]].concat(), &[], 1);
    assert!(refused.err.contains("it asks to wait for 600 s"), "{}", refused.err);
    assert_eq!(world.digest("prod"), world.digest("1.4.0"));
}

#[test]
fn waiting_for_a_registry_that_is_down_is_said_once_with_its_words() {
    let world = World::with_prod();
    let prod = world.prod();
    world.server.always(|_| true, HttpFault::Status(503));
    let said = run(&world, &["current", &prod, "--json", "--retry-for", "4s"], &[], 6);
    let want = format!("{}: still trying, for ", world.server.host());
    assert!(said.err.starts_with(&want) && said.err.contains("the registry answered 503"), "{}", said.err);
    assert!(said.err.contains("at most; --retry-for TIME gives up sooner: "), "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["registry"]["state"], "unknown");
    assert_eq!(run(&world, &["current", &prod, "--retry-for", "1s"], &[], 6).err, "");
}

#[test]
fn promotion_on_a_registry_that_never_answers_moves_nothing() {
    let world = World::with_prod();
    let prod = world.prod();
    world.server.always(|_| true, HttpFault::Silent);
    let args = ["promote", &prod, "--source", "1.4.1", "--retry-for", "1s"];
    let down = run(&world, &[&args[..], &TIMES[..]].concat(), &[], 6);
    assert!(down.err.contains("[REGISTRY_UNAVAILABLE]"), "{}", down.err);
    assert_eq!(world.digest("prod"), world.digest("1.4.0"));
}
