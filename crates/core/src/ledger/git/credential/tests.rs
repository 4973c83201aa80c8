use super::*;
use crate::error::ErrorKind;

const CANARY: &str = "c4n4ry";

fn remote(text: &str) -> Remote {
    Remote::of(text).unwrap()
}

fn shop() -> Remote {
    remote("https://git.example.com/acme/shop")
}

/// The credential, with `set` as the environment and `asked` as the answer of Git in the working directory.
fn find(remote: &Remote, token: Option<&str>, set: &[(&str, &str)], asked: Option<&str>) -> Result<Option<Credential>> {
    let env = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Credential::find(remote, token.map(Secret::new).as_ref(), &env, &|| asked.map(str::to_owned))
}

/// The source and the login of a credential.
fn login(credential: Option<Credential>) -> Option<(Source, String)> {
    let credential = credential?;
    let shown = match &credential.offer {
        Offer::User(user) => user.reveal().to_owned(),
        Offer::Header(header) => {
            let encoded = header.reveal().split(' ').next_back().unwrap();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        }
    };
    Some((credential.source, shown))
}

const GITLAB: [(&str, &str); 2] = [("CI_JOB_TOKEN", "job"), ("CI_SERVER_HOST", "git.example.com")];

#[test]
fn sources_are_asked_in_their_order() {
    let checkout = format!("AUTHORIZATION: basic {}", STANDARD.encode("x-access-token:checkout"));
    let with_password = remote("https://ada:url@git.example.com/acme/shop");
    let variable = [("TAGWARDEN_GIT_TOKEN", "variable"), GITLAB[0], GITLAB[1]];
    for (remote, token, set, asked, source, want) in [
        (&with_password, Some("given"), &variable[..], Some(&checkout), Source::Given, "ada:given"),
        (&with_password, None, &variable, Some(&checkout), Source::Url, "ada:url"),
        (&shop(), None, &variable, Some(&checkout), Source::Variable, "x-access-token:variable"),
        (&shop(), None, &GITLAB, Some(&checkout), Source::Checkout, "x-access-token:checkout"),
        (&shop(), None, &GITLAB, None, Source::JobToken, "gitlab-ci-token:job"),
        (&remote("https://ada@git.example.com/x"), None, &[], None, Source::Helper, "ada"),
    ] {
        let found = find(remote, token, set, asked.map(String::as_str)).unwrap();
        assert_eq!(login(found), Some((source, want.to_owned())));
    }
    let empty = [("TAGWARDEN_GIT_TOKEN", ""), ("CI_JOB_TOKEN", "")];
    assert!(find(&shop(), None, &empty, None).unwrap().is_none(), "an empty variable is not set");
}

#[test]
fn token_is_sent_under_the_user_that_its_host_knows() {
    for (url, token, set, want) in [
        ("https://github.com/a/b", "t", &[][..], "x-access-token:t"),
        ("https://bitbucket.org/a/b", "t", &[], "x-token-auth:t"),
        ("https://deploy@git.example.com/a/b", "t", &[], "deploy:t"),
        ("https://git.example.com/a/b", "job", &GITLAB, "gitlab-ci-token:job"),
    ] {
        let found = find(&remote(url), Some(token), set, None).unwrap();
        assert_eq!(login(found), Some((Source::Given, want.to_owned())));
    }
}

#[test]
fn job_token_is_for_the_server_of_the_job_only() {
    let with = |more: &[(&'static str, &'static str)]| [&GITLAB[..], more].concat();
    for (url, set, own) in [
        ("https://git.example.com/x", with(&[]), true),
        ("https://GIT.example.com:443/x", with(&[("CI_SERVER_PORT", "443"), ("CI_SERVER_PROTOCOL", "https")]), true),
        ("https://git.example.com/x", with(&[("CI_SERVER_PORT", "8443")]), false),
        ("http://git.example.com/x", with(&[("CI_SERVER_PROTOCOL", "https")]), false),
        ("https://git.example.com.evil.example/x", with(&[]), false),
        ("https://github.com/x", with(&[]), false),
        ("https://git.example.com/x", vec![GITLAB[0]], false),
    ] {
        assert_eq!(find(&remote(url), None, &set, None).unwrap().is_some(), own, "{url} {set:?}");
    }
}

#[test]
fn remote_that_is_not_on_the_web_gets_no_token() {
    for url in ["ssh://git@git.example.com/x", "git@git.example.com:x", "file:///srv/x"] {
        let remote = remote(url);
        let asked = || -> Option<String> { panic!("nothing is asked") };
        let found = Credential::find(&remote, Some(&Secret::new(CANARY)), &|_| Some(CANARY.to_owned()), &asked);
        assert!(found.unwrap().is_none(), "{url}");
        assert_eq!(settings(&remote, None), []);
    }
}

#[test]
fn header_that_is_no_login_is_not_a_credential() {
    for line in ["X-Proxy: c4n4ry", "Authorization", "", "Authorization: basic a\tb"] {
        assert!(find(&shop(), None, &[], Some(line)).unwrap().is_none(), "{line}");
    }
}

#[test]
fn header_is_sent_to_its_repository_only_and_along_no_redirect() {
    let found = find(&shop(), Some("t"), &[], None).unwrap();
    let encoded = STANDARD.encode("x-access-token:t");
    let key = |name: &str| format!("http.https://git.example.com/acme/shop.{name}");
    let want = [
        (key("followRedirects"), "false".to_owned()),
        (key("extraHeader"), String::new()),
        (key("extraHeader"), format!("Authorization: Basic {encoded}")),
        ("credential.https://git.example.com/acme/shop.helper".to_owned(), String::new()),
    ];
    assert_eq!(settings(&shop(), found.as_ref()), want);
    assert_eq!(environment(found.as_ref()), [("GIT_ASKPASS", "")]);
    assert_eq!(settings(&shop(), None), want[..1]);
    assert_eq!(environment(None), []);
    let user = find(&remote("https://ada@git.example.com/acme/shop"), None, &[], None).unwrap();
    let name = ("credential.https://git.example.com/acme/shop.username".to_owned(), "ada".to_owned());
    assert_eq!(settings(&shop(), user.as_ref()), [want[0].clone(), name]);
}

#[test]
fn settings_follow_those_of_the_user() {
    let settings = [("a.b".to_owned(), "1".to_owned()), ("c.d".to_owned(), String::new())];
    let with = |count: &'static str| {
        let env = move |name: &str| (name == "GIT_CONFIG_COUNT").then(|| count.to_owned());
        appended(&env, &settings)
    };
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        with("2").unwrap(),
        [
            variable("GIT_CONFIG_COUNT", "4"),
            variable("GIT_CONFIG_KEY_2", "a.b"),
            variable("GIT_CONFIG_VALUE_2", "1"),
            variable("GIT_CONFIG_KEY_3", "c.d"),
            variable("GIT_CONFIG_VALUE_3", ""),
        ]
    );
    assert_eq!(with("").unwrap()[0], variable("GIT_CONFIG_COUNT", "2"));
    assert_eq!(with("-1").unwrap_err().kind(), ErrorKind::ConfigInvalid);
}

#[test]
fn token_that_cannot_be_sent_is_refused_and_not_shown() {
    for (remote, token) in [
        (shop(), "c4n4ry\n"),
        (shop(), "c4n4ry\u{7f}"),
        (remote("https://c4n4ry%3Ax@h/x"), CANARY),
        (remote("https://c4n4ry%0Ax@h/x"), CANARY),
    ] {
        let error = find(&remote, Some(token), &[], None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    }
}

#[test]
fn secrets_are_all_forms_of_the_token_and_debug_shows_none() {
    let encoded = STANDARD.encode(format!("x-access-token:{CANARY}"));
    let checkout = format!("AUTHORIZATION: basic {encoded}");
    for found in [find(&shop(), Some(CANARY), &[], None), find(&shop(), None, &[], Some(&checkout))] {
        let found = found.unwrap().unwrap();
        let secrets: Vec<&str> = found.secrets().iter().map(Secret::reveal).collect();
        for form in [CANARY, &encoded] {
            assert!(secrets.contains(&form), "{form}");
        }
        let shown = format!("{found:?}");
        assert!(!shown.contains(CANARY) && !shown.contains(&encoded), "{shown}");
    }
    let user = find(&remote("https://c4n4ry@h/x"), None, &[], None).unwrap().unwrap();
    assert_eq!(crate::secret::redact("for 'https://c4n4ry@h'", user.secrets()), "for 'https://***h'");
}
