//! How registries ask for a login, under their real names: challenges (`tests/vectors/challenges.json`) and token
//! servers on other hosts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::cases::cases;
use common::real_names::{RealNames, SCALEWAY, Sent, Site};
use common::{Said, WHO, said};
use tagwarden_testing::{AuthKind, AuthMode, Bearer, HttpFault, Login};
use tempfile::TempDir;

const CANARY: &str = "canary-51c9";

/// The login as it is sent.
const BASIC: &str = "Basic ci:canary-51c9";

/// A registry of the real names, with its login in the environment.
struct Field {
    names: RealNames,
    home: TempDir,
    host: &'static str,
}

impl Field {
    fn new(host: &'static str) -> Field {
        let field = Field { names: RealNames::start(), home: tempfile::tempdir().unwrap(), host };
        field.site().demand("ci", CANARY);
        field
    }

    fn site(&self) -> &Site {
        self.names.site(self.host)
    }

    /// From now on the registry's token server is at this URL.
    fn realm(&self, realm: &str) {
        let realm = Some(realm.to_owned());
        self.site().server.access(AuthMode::Bearer(Bearer { realm, ..Bearer::new(Login::new("ci", CANARY)) }));
    }

    fn config(&self, text: &str) {
        std::fs::write(self.home.path().join("tagwarden.toml"), text).unwrap();
    }

    /// A preview of a move with these flags and variables. Returns every credential that was sent, and every host that
    /// was asked. No output shows the password.
    fn preview(&self, flags: &[&str], variables: &[(&str, &str)], exit: i32) -> (Said, Sent, Vec<String>) {
        let channel = format!("{}/acme/shop:prod", self.host);
        let args = [&["bootstrap", &channel, "--source", "1.4.0", "--dry-run"], flags, &WHO[..]].concat();
        let before = self.names.asked().len();
        let mut command = self.names.command(self.home.path(), &args);
        command.env("TAGWARDEN_USERNAME", "ci").env("TAGWARDEN_PASSWORD", CANARY).envs(variables.iter().copied());
        let said = said(command.output().unwrap());
        assert_eq!(said.exit, exit, "{flags:?} {variables:?}\n{}\n{}", said.out, said.err);
        assert!(!format!("{said:?}").contains(CANARY), "{said:?}");
        (said, self.names.sent(), self.names.asked().split_off(before))
    }
}

#[test]
fn every_challenge_is_answered_by_the_login_it_asks_for_or_explained() {
    let field = Field::new("registry.example.com");
    let site = field.site();
    for case in cases(include_str!("../../../tests/vectors/challenges.json"), 16) {
        let expect = &case["expect"];
        let (at, auth) = (site.registry.at.to_owned(), site.registry.token_server().unwrap());
        let sent: Sent = match expect["bearer"]["realm"].as_str() {
            Some("relative to the registry") => [(at.clone(), BASIC.to_owned()), (at, "Bearer".to_owned())].into(),
            Some(realm) => {
                assert_eq!(Some(realm), site.registry.realm, "the cases know one token server");
                [(auth, BASIC.to_owned()), (at, "Bearer".to_owned())].into()
            }
            None if expect["basic"] == true => [(at, BASIC.to_owned())].into(),
            None => Sent::new(),
        };
        match expect["bearer"].is_object() {
            true => field.realm(site.registry.realm.unwrap()),
            false => site.server.access(AuthMode::Basic(Login::new("ci", CANARY))),
        }
        site.server.calm();
        site.server.clear_requests();
        let headers: Vec<_> = case["header"].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        let fault = match headers.is_empty() {
            true => HttpFault::NoHeader("www-authenticate"),
            false => HttpFault::Header("www-authenticate", headers.join(", ")),
        };
        site.server.always(|seen| seen.auth == AuthKind::None, fault);

        let exit = if !sent.is_empty() {
            0
        } else if expect["unusable"] == true {
            6
        } else {
            1
        };
        let (said, got, _) = field.preview(&[], &[], exit);
        assert_eq!(got, sent, "{case}");
        let asked: Vec<_> = site.server.token_requests().into_iter().map(|asked| asked.service).collect();
        let service = expect["bearer"]["service"].as_str().map(str::to_owned);
        assert!(asked.iter().all(|asked| *asked == service || service.is_none()), "{case}: {asked:?}");
        let code = if exit == 6 { "[REGISTRY_UNAVAILABLE]" } else { "[REGISTRY_DENIED]" };
        let words = expect["message_contains"].as_array().into_iter().flatten().map(|word| word.as_str().unwrap());
        for word in words.chain([code]).filter(|_| exit > 0) {
            assert!(said.err.contains(word), "{case}: {word:?} is not in\n{}", said.err);
        }
    }
}

#[test]
fn token_server_of_another_site_gets_the_login_once_it_is_named() {
    let field = Field::new("rg.fr-par.scw.cloud");
    let (at, server) = (SCALEWAY.at, SCALEWAY.token_server().unwrap());
    let table = |host: &str| format!("[registry.\"{host}\"]\ntoken-servers = ['api.scaleway.com']\n");
    let refused = |flags: &[&str], variables: &[(&str, &str)]| {
        let (said, sent, asked) = field.preview(flags, variables, 1);
        assert_eq!((sent, asked.iter().all(|host| host == at)), (Sent::new(), true), "{asked:?}");
        for part in ["it is on another site than the registry", "--token-server api.scaleway.com", "[REGISTRY_DENIED]"]
        {
            assert!(said.err.contains(part), "{part}\n{}", said.err);
        }
    };
    refused(&[], &[]);
    refused(&["--token-server", "scaleway.com"], &[("TAGWARDEN_TOKEN_SERVERS", "api.scaleway.com:8443")]);
    field.config(&table("quay.io"));
    refused(&[], &[]);

    let allowed = |flags: &[&str], variables: &[(&str, &str)]| {
        let (_, sent, asked) = field.preview(flags, variables, 0);
        assert_eq!(sent, field.site().sent_with(BASIC), "{flags:?} {variables:?}");
        assert!(asked.iter().all(|host| host == at || *host == server), "{asked:?}");
    };
    allowed(&["--token-server", "api.scaleway.com"], &[]);
    allowed(&["--token-server", "auth.example.com", "--token-server", "api.scaleway.com:443"], &[]);
    allowed(&[], &[("TAGWARDEN_TOKEN_SERVERS", "auth.example.com, api.scaleway.com")]);
    field.config(&table(field.host));
    allowed(&[], &[]);
}

#[test]
fn token_server_of_the_same_site_is_asked_and_no_other_one() {
    let field = Field::new("registry.example.com");
    let near = |host: &str| -> Sent {
        [(host.to_owned(), BASIC.to_owned()), (field.site().registry.at.to_owned(), "Bearer".to_owned())].into()
    };
    for (realm, host) in [
        ("/token", "registry.example.com:443"),
        ("token", "registry.example.com:443"),
        ("https://auth.example.com:443/token", "auth.example.com:443"),
        ("//auth.example.com/token", "auth.example.com:443"),
    ] {
        field.realm(realm);
        let (_, sent, _) = field.preview(&[], &[], 0);
        assert_eq!(sent, near(host), "{realm}");
    }
    let site = "it is on another site than the registry; if it is right, allow it with `--token-server ";
    let plain = "it is on plain HTTP, on which the network could read the credentials";
    for (realm, why) in [
        ("https://auth.example.net/token", site),
        ("//auth.example.net/token", site),
        ("https://registry.example.com.evil.net/token", site),
        ("https://example.com.au/token", site),
        ("http://auth.example.com/token", plain),
        ("http://registry.example.com/token", plain),
        ("https://ci@auth.example.com/token", "it is not an http or https URL without a user"),
    ] {
        field.realm(realm);
        let (said, sent, asked) = field.preview(&[], &[], 1);
        assert_eq!(sent, Sent::new(), "{realm}");
        assert!(asked.iter().all(|host| host == field.site().registry.at), "{realm}: {asked:?}");
        assert!(said.err.contains(why) && said.err.contains("[REGISTRY_DENIED]"), "{realm}: {}", said.err);
    }
    // Also by name, none of these is asked.
    for (realm, named, why) in [
        ("https://169.254.169.254/token", "169.254.169.254", "its address is link-local, or of a metadata service"),
        ("http://auth.example.com/token", "auth.example.com", plain),
    ] {
        field.realm(realm);
        let (said, sent, asked) = field.preview(&["--token-server", named], &[], 1);
        assert_eq!(sent, Sent::new(), "{realm}");
        assert!(asked.iter().all(|host| host == field.site().registry.at), "{realm}: {asked:?}");
        assert!(said.err.contains(why), "{realm}: {}", said.err);
    }
}
