use super::*;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// An environment of `NAME=value` words.
fn env(words: &'static str) -> impl Fn(&str) -> Option<String> {
    move |name| words.split('\n').find_map(|word| Some(word.trim().strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

fn provenance(words: &'static str) -> Provenance {
    Provenance::from_env(env(words)).unwrap()
}

fn error(words: &'static str) -> (&'static str, String) {
    let error = Provenance::from_env(env(words)).unwrap_err();
    (error.code(), error.to_string())
}

fn shown(provenance: &Provenance) -> [&str; 6] {
    let text = |text: &Option<Text>| -> &str {
        // Leaked so that the table below reads as a table.
        text.as_ref().map_or("", |text| Box::leak(text.to_string().into_boxed_str()))
    };
    [
        provenance.pipeline.provider.as_str(),
        provenance.pipeline.run_id.as_str(),
        provenance.actor.id.as_str(),
        provenance.commit.as_ref().map_or("", |commit| commit.as_str()),
        text(&provenance.pipeline.url),
        text(&provenance.repository_url),
    ]
}

#[test]
fn github_actions() {
    let words = "GITHUB_ACTIONS=true
            GITHUB_RUN_ID=1658821493
            GITHUB_RUN_ATTEMPT=3
            GITHUB_TRIGGERING_ACTOR=ada
            GITHUB_ACTOR=octocat
            GITHUB_SHA=0123456789abcdef0123456789abcdef01234567
            GITHUB_SERVER_URL=https://github.com
            GITHUB_REPOSITORY=acme/shop";
    let found = provenance(words);
    let url = "https://github.com/acme/shop/actions/runs/1658821493";
    assert_eq!(shown(&found), ["github-actions", "1658821493", "ada", SHA, url, "https://github.com/acme/shop"]);
    assert_eq!((found.pipeline.attempt, found.actor.kind), (Some(3), ActorKind::Workload));
    assert_eq!((found.release, found.identity), (None, None), "context is no evidence");
}

#[test]
fn gitlab_ci() {
    let found = provenance(
        "GITLAB_CI=true
            CI_PIPELINE_ID=1000001
            GITLAB_USER_LOGIN=ada
            CI_COMMIT_SHA=0123456789abcdef0123456789abcdef01234567
            CI_PIPELINE_URL=https://gitlab.example.com/acme/shop/-/pipelines/1000001
            CI_PROJECT_URL=https://gitlab.example.com/acme/shop
            CI_REPOSITORY_URL=https://gitlab-ci-token:canary@gitlab.example.com/acme/shop.git",
    );
    let url = "https://gitlab.example.com/acme/shop/-/pipelines/1000001";
    assert_eq!(shown(&found), ["gitlab-ci", "1000001", "ada", SHA, url, "https://gitlab.example.com/acme/shop"]);
    assert_eq!(found.pipeline.attempt, None);
}

#[test]
fn circleci() {
    let found = provenance(
        "CIRCLECI=true
            CIRCLE_WORKFLOW_ID=6f1c2a8e-8a2b-4f6e-9d5e-000000000001
            CIRCLE_USERNAME=ada
            CIRCLE_SHA1=0123456789abcdef0123456789abcdef01234567
            CIRCLE_BUILD_URL=https://circleci.com/gh/acme/shop/17
            CIRCLE_REPOSITORY_URL=git@github.com:acme/shop.git",
    );
    let id = "6f1c2a8e-8a2b-4f6e-9d5e-000000000001";
    let url = "https://circleci.com/gh/acme/shop/17";
    assert_eq!(shown(&found), ["circleci", id, "ada", SHA, url, "git@github.com:acme/shop.git"]);
}

#[test]
fn azure_pipelines() {
    let found = provenance(
        "TF_BUILD=True
            BUILD_BUILDID=77
            BUILD_REQUESTEDFOR=Ada Lovelace
            BUILD_SOURCEVERSION=0123456789abcdef0123456789abcdef01234567
            SYSTEM_TEAMFOUNDATIONCOLLECTIONURI=https://dev.azure.com/acme/
            SYSTEM_TEAMPROJECT=Web Shop
            BUILD_REPOSITORY_URI=https://acme@dev.azure.com/acme/shop/_git/shop",
    );
    let url = "https://dev.azure.com/acme/Web%20Shop/_build/results?buildId=77";
    let repository = "https://dev.azure.com/acme/shop/_git/shop";
    assert_eq!(shown(&found), ["azure-pipelines", "77", "Ada Lovelace", SHA, url, repository]);
}

#[test]
fn buildkite() {
    let words = "BUILDKITE=true
            BUILDKITE_BUILD_ID=4735ba57
            BUILDKITE_BUILD_CREATOR=Ada
            BUILDKITE_COMMIT=0123456789abcdef0123456789abcdef01234567
            BUILDKITE_BUILD_URL=https://buildkite.com/acme/shop/builds/1
            BUILDKITE_REPO=https://ada:canary@git.example.com/acme/shop.git?token=canary";
    let url = "https://buildkite.com/acme/shop/builds/1";
    let found = provenance(words);
    assert_eq!(shown(&found), ["buildkite", "4735ba57", "Ada", SHA, url, "https://git.example.com/acme/shop.git"]);
    assert!(!format!("{found:?}").contains("canary"));
}

#[test]
fn jenkins_needs_an_actor_from_a_plugin_or_from_the_caller() {
    let words = "JENKINS_URL=https://ci.example.com/
            JOB_NAME=acme/shop/main
            BUILD_NUMBER=12
            GIT_COMMIT=0123456789abcdef0123456789abcdef01234567
            BUILD_URL=https://ci.example.com/job/acme/12/
            GIT_URL=git@git.example.com:acme/shop.git";
    assert_eq!(
        error(words),
        (
            "PROVENANCE_INCOMPLETE",
            "provenance: Jenkins does not say it (BUILD_USER_ID not set); give the actor (--actor)".to_owned()
        )
    );
    let given = ProvenanceParts { actor: Some(Text::lossy("ada")), ..Default::default() };
    let found = given.fill(env(words)).unwrap().build().unwrap();
    let url = "https://ci.example.com/job/acme/12/";
    assert_eq!(shown(&found), ["jenkins", "acme/shop/main#12", "ada", SHA, url, "git@git.example.com:acme/shop.git"]);
}

#[test]
fn what_is_missing_is_named_with_what_gives_it() {
    assert_eq!(
        error("PATH=/bin"),
        (
            "PROVENANCE_INCOMPLETE",
            "provenance: no CI was found (by GITHUB_ACTIONS, GITLAB_CI, CIRCLECI, TF_BUILD, BUILDKITE, JENKINS_URL); \
                 give the run id (--run-id) and the actor (--actor)"
                .to_owned()
        )
    );
    assert_eq!(
        error("GITHUB_ACTIONS=true\nGITHUB_RUN_ID=\nGITHUB_ACTOR=ada").1,
        "provenance: GitHub Actions does not say it (GITHUB_RUN_ID not set); give the run id (--run-id)",
        "an empty variable is not set"
    );
    assert_eq!(
        error("JENKINS_URL=x\nJOB_NAME=a").1,
        "provenance: Jenkins does not say it (JOB_NAME, BUILD_NUMBER, BUILD_USER_ID not set); \
             give the run id (--run-id) and the actor (--actor)"
    );
}

#[test]
fn a_provider_that_is_not_there_is_named() {
    let given = ProvenanceParts { provider: Some(Text::lossy("jenkins")), ..Default::default() };
    let error = given.fill(env("GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1")).unwrap().build().unwrap_err().to_string();
    assert!(error.starts_with("provenance: no CI of provider jenkins was found (by GITHUB_ACTIONS"), "{error}");
}

#[test]
fn odd_values_are_named_by_their_variable() {
    let github = |rest: &'static str| {
        let words = format!("GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1\nGITHUB_ACTOR=ada\n{rest}");
        error(Box::leak(words.into_boxed_str()))
    };
    assert_eq!(
        github("GITHUB_SHA=0123456789ABCDEF0123456789ABCDEF01234567"),
        ("VALUE_INVALID", "GITHUB_SHA: commit: not a lower-case hex digit at byte 10".to_owned())
    );
    assert_eq!(github("GITHUB_SHA=01234").1, "GITHUB_SHA: commit: 5 hex digits instead of 7 to 64");
    assert_eq!(github("GITHUB_RUN_ATTEMPT=0").1, "GITHUB_RUN_ATTEMPT: not a number from 1");
    assert_eq!(github("GITHUB_RUN_ATTEMPT=two").1, "GITHUB_RUN_ATTEMPT: not a number from 1");
    assert_eq!(
        github("GITHUB_TRIGGERING_ACTOR=a\u{1b}[31m").1,
        "GITHUB_TRIGGERING_ACTOR: text: control or bidirectional character U+001B at byte 1"
    );
    assert_eq!(
        error("BUILDKITE=true\nBUILDKITE_BUILD_ID=1\nBUILDKITE_BUILD_CREATOR=a\nBUILDKITE_COMMIT=HEAD").1,
        "BUILDKITE_COMMIT: commit: not a lower-case hex digit at byte 0"
    );
}

#[test]
fn what_is_given_is_not_read() {
    let words = "GITHUB_ACTIONS=true
            GITHUB_RUN_ID=1
            GITHUB_RUN_ATTEMPT=2
            GITHUB_ACTOR=octocat
            GITHUB_SHA=ODD
            GITHUB_SERVER_URL=https://github.com
            GITHUB_REPOSITORY=acme/shop";
    let given = ProvenanceParts {
        run_id: Some(Text::lossy("incident-7")),
        commit: Some(SHA.parse().unwrap()),
        actor: Some(Text::lossy("ada")),
        actor_kind: Some(ActorKind::Human),
        ..Default::default()
    };
    let found = given.fill(env(words)).unwrap().build().unwrap();
    assert_eq!(shown(&found), ["github-actions", "incident-7", "ada", SHA, "", "https://github.com/acme/shop"]);
    assert_eq!((found.pipeline.attempt, found.actor.kind), (None, ActorKind::Human), "the attempt is another run's");
}

#[test]
fn without_a_ci_a_person_can_say_it_all() {
    let given = ProvenanceParts {
        run_id: Some(Text::lossy("incident-7")),
        actor: Some(Text::lossy("ada")),
        url: Some(Text::lossy("https://ada:canary@wiki.example.com/7?page=1")),
        ..Default::default()
    };
    let found = given.fill(env("")).unwrap().build().unwrap();
    assert_eq!(shown(&found), ["manual", "incident-7", "ada", "", "https://wiki.example.com/7?page=1", ""]);
    assert_eq!(found.actor.kind, ActorKind::Human);
}

#[test]
fn several_ci_systems_are_told_apart_by_the_provider_only() {
    let words = "GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1\nGITHUB_ACTOR=ada\nBUILDKITE=true\nBUILDKITE_BUILD_ID=2\n\
             BUILDKITE_BUILD_CREATOR=bob\nGITLAB_CI=false\nTF_BUILD=0";
    assert_eq!(
        error(words).1,
        "provenance: several CI systems were found: GitHub Actions (GITHUB_ACTIONS), Buildkite (BUILDKITE); \
             give the provider"
    );
    let given = ProvenanceParts { provider: Some(Text::lossy("buildkite")), ..Default::default() };
    let found = given.fill(env(words)).unwrap().build().unwrap();
    assert_eq!(shown(&found), ["buildkite", "2", "bob", "", "", ""]);
}
