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
    let text = |text: &Option<Line>| -> &str {
        // Leak the text, so that the result is an array of `&str`.
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
    let given = ProvenanceParts { actor: Some(Line::lossy("ada")), ..Default::default() };
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
            "provenance: no CI was found (by GITHUB_ACTIONS, GITEA_ACTIONS, FORGEJO_ACTIONS, GITLAB_CI, \
                 CIRCLECI, TF_BUILD, BUILDKITE, JENKINS_URL), nor a person in a terminal; give the run id (--run-id) and the actor (--actor)"
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
    let given = ProvenanceParts { provider: Some(Line::lossy("jenkins")), ..Default::default() };
    let error = given.fill(env("GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1")).unwrap().build().unwrap_err().to_string();
    let want = "provenance: this is a CI, and no CI of provider jenkins that is known was found (by GITHUB_ACTIONS";
    assert!(error.starts_with(want), "{error}");
}

#[test]
fn odd_values_are_named_by_their_variable() {
    let github = |rest: &'static str| {
        let words = format!("GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1\nGITHUB_ACTOR=ada\n{rest}");
        error(Box::leak(words.into_boxed_str()))
    };
    assert_eq!(
        github("GITHUB_TRIGGERING_ACTOR=a\u{1b}[31m").1,
        "GITHUB_TRIGGERING_ACTOR: text: control or bidirectional character U+001B at byte 1"
    );
    assert_eq!(github("GITHUB_JOB=a\u{7}").0, "VALUE_INVALID");
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
        run_id: Some(Line::lossy("incident-7")),
        commit: Some(SHA.parse().unwrap()),
        actor: Some(Line::lossy("ada")),
        actor_kind: Some(ActorKind::Human),
        ..Default::default()
    };
    let found = given.fill(env(words)).unwrap().build().unwrap();
    assert_eq!(shown(&found), ["github-actions", "incident-7", "ada", SHA, "", "https://github.com/acme/shop"]);
    assert_eq!((found.pipeline.attempt, found.actor.kind), (None, ActorKind::Human), "the attempt is another run's");
}

/// Malformed parts that only help to find the run never stop a release.
#[test]
fn odd_commit_attempt_and_names_never_stop_a_release() {
    let words = "GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1\nGITHUB_ACTOR=ada";
    for sha in ["HEAD", "main", "refs/heads/main", "01234", "0123456789ABCDEF0123456789ABCDEF01234567"] {
        let words = format!("{words}\nGITHUB_SHA={sha}\nGITHUB_RUN_ATTEMPT=0\nGITHUB_WORKFLOW=a\u{7}");
        let found = provenance(Box::leak(words.into_boxed_str()));
        assert_eq!((found.commit, found.pipeline.attempt), (None, None), "{sha}");
        assert_eq!(found.pipeline.workflow.unwrap().as_str(), "a\u{fffd}");
    }
    for attempt in ["two", "-1", "1.5", "4294967296"] {
        let words = format!("{words}\nGITHUB_RUN_ATTEMPT={attempt}");
        assert_eq!(provenance(Box::leak(words.into_boxed_str())).pipeline.attempt, None, "{attempt}");
    }
}

#[test]
fn workflow_and_job_are_those_of_the_run() {
    let shown = |words: &'static str| {
        let Run { workflow, job, .. } = provenance(words).pipeline;
        let (id, name) =
            job.map_or((None, None), |job| (Some(job.id.to_string()), job.name.map(|name| name.to_string())));
        [workflow.map(|workflow| workflow.to_string()), id, name].map(Option::unwrap_or_default)
    };
    let github = "GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1\nGITHUB_ACTOR=a\nGITHUB_WORKFLOW=Release\nGITHUB_JOB=prod";
    assert_eq!(shown(github), ["Release", "prod", ""]);
    let gitlab = "GITLAB_CI=true\nCI_PIPELINE_ID=1\nGITLAB_USER_LOGIN=a\nCI_PIPELINE_NAME=Release\nCI_JOB_ID=99\n\
                  CI_JOB_NAME=promote";
    assert_eq!(shown(gitlab), ["Release", "99", "promote"]);
    let circle = "CIRCLECI=true\nCIRCLE_WORKFLOW_ID=1\nCIRCLE_USERNAME=a\nCIRCLE_WORKFLOW_JOB_ID=7\nCIRCLE_JOB=promote";
    assert_eq!(shown(circle), ["", "7", "promote"]);
    let azure = "TF_BUILD=True\nBUILD_BUILDID=1\nBUILD_REQUESTEDFOR=a\nBUILD_DEFINITIONNAME=Release\nSYSTEM_JOBID=7\n\
                 SYSTEM_JOBDISPLAYNAME=Promote to prod";
    assert_eq!(shown(azure), ["Release", "7", "Promote to prod"]);
    let buildkite = "BUILDKITE=true\nBUILDKITE_BUILD_ID=1\nBUILDKITE_BUILD_CREATOR=a\nBUILDKITE_PIPELINE_SLUG=shop\n\
                     BUILDKITE_JOB_ID=7\nBUILDKITE_LABEL=:rocket: prod";
    assert_eq!(shown(buildkite), ["shop", "7", ":rocket: prod"]);
    let nameless = "GITLAB_CI=true\nCI_PIPELINE_ID=1\nGITLAB_USER_LOGIN=a\nCI_JOB_NAME=promote";
    assert_eq!(shown(nameless), ["", "", ""], "a job without an id is none");
    let given = ProvenanceParts { run_id: Some(Line::lossy("2")), ..Default::default() };
    let found = given.fill(env(github)).unwrap().build().unwrap();
    assert_eq!((found.pipeline.workflow, found.pipeline.job), (None, None), "they are another run's");
}

#[test]
fn gitea_and_forgejo_are_never_github() {
    let words = "GITHUB_ACTIONS=true\nGITEA_ACTIONS=true\nGITHUB_RUN_ID=7\nGITHUB_RUN_NUMBER=3\nGITHUB_ACTOR=ada\n\
                 GITHUB_SERVER_URL=https://git.example.com/\nGITHUB_REPOSITORY=acme/shop";
    let url = "https://git.example.com/acme/shop/actions/runs/3";
    let repository = "https://git.example.com/acme/shop";
    assert_eq!(shown(&provenance(words)), ["gitea-actions", "7", "ada", "", url, repository]);
    let words = Box::leak(format!("{words}\nFORGEJO_ACTIONS=true").into_boxed_str());
    assert_eq!(shown(&provenance(words)), ["forgejo-actions", "7", "ada", "", url, repository]);
    let given = ProvenanceParts { provider: Some(Line::lossy("github-actions")), ..Default::default() };
    assert!(given.fill(env(words)).unwrap().build().is_err());
}

/// The actor is a person if a person pressed a button for the run; otherwise it is a workload.
#[test]
fn kind_is_human_only_where_a_button_was_pressed() {
    let github = "GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1\nGITHUB_ACTOR=";
    let gitea = "GITHUB_ACTIONS=true\nGITEA_ACTIONS=true\nGITHUB_RUN_ID=1\nGITHUB_ACTOR=";
    let gitlab = "GITLAB_CI=true\nCI_PIPELINE_ID=1\nGITLAB_USER_LOGIN=";
    let azure = "TF_BUILD=True\nBUILD_BUILDID=1\nBUILD_REQUESTEDFOR=";
    let buildkite = "BUILDKITE=true\nBUILDKITE_BUILD_ID=1\nBUILDKITE_BUILD_CREATOR=ada\nBUILDKITE_UNBLOCKER=";
    let circle = "CIRCLECI=true\nCIRCLE_WORKFLOW_ID=1\nCIRCLE_USERNAME=";
    for (ci, rest, human) in [
        (github, "ada\nGITHUB_EVENT_NAME=workflow_dispatch", true),
        (github, "ada\nGITHUB_EVENT_NAME=release", true),
        (github, "renovate[bot]\nGITHUB_EVENT_NAME=workflow_dispatch", false),
        (github, "ada\nGITHUB_EVENT_NAME=push", false),
        (github, "ada\nGITHUB_EVENT_NAME=schedule", false),
        (github, "ada", false),
        (gitea, "ada\nGITHUB_EVENT_NAME=workflow_dispatch", true),
        (gitea, "ada\nGITHUB_EVENT_NAME=push", false),
        (gitlab, "ada\nCI_PIPELINE_SOURCE=web", true),
        (gitlab, "ada\nCI_PIPELINE_SOURCE=push\nCI_JOB_MANUAL=true", true),
        (gitlab, "project_1_bot[bot]\nCI_PIPELINE_SOURCE=web", false),
        (gitlab, "ada\nCI_PIPELINE_SOURCE=push", false),
        (gitlab, "ada\nCI_PIPELINE_SOURCE=schedule\nCI_JOB_MANUAL=false", false),
        (azure, "Ada\nBUILD_REASON=Manual", true),
        (azure, "Ada\nBUILD_REASON=IndividualCI", false),
        (buildkite, "bob", true),
        (buildkite, "", false),
        (circle, "ada", false),
    ] {
        let words = Box::leak(format!("{ci}{rest}").into_boxed_str());
        let kind = if human { ActorKind::Human } else { ActorKind::Workload };
        assert_eq!(provenance(words).actor.kind, kind, "{words}");
        for given in [ActorKind::Human, ActorKind::Workload] {
            let parts = ProvenanceParts { actor_kind: Some(given), ..Default::default() };
            assert_eq!(parts.fill(env(words)).unwrap().build().unwrap().actor.kind, given, "what is given wins");
        }
    }
    let parts = ProvenanceParts { run_id: Some(Line::lossy("2")), ..Default::default() };
    let words = "GITHUB_ACTIONS=true\nGITHUB_ACTOR=ada\nGITHUB_EVENT_NAME=workflow_dispatch";
    let kind = parts.fill(env(words)).unwrap().build().unwrap().actor.kind;
    assert_eq!(kind, ActorKind::Workload, "the button was for another run");
}

fn in_terminal(login: Option<&str>) -> ProvenanceParts {
    let terminal = Terminal { login: login.map(str::to_owned), run_id: Line::lossy("generated") };
    ProvenanceParts { terminal: Some(terminal), ..Default::default() }
}

#[test]
fn person_in_a_terminal_needs_to_say_nothing() {
    let by = |parts: ProvenanceParts, words| {
        let found = parts.fill(env(words)).unwrap().build().unwrap();
        assert_eq!(shown(&found)[..2], ["manual", "generated"]);
        assert_eq!((found.actor.kind, found.identity), (ActorKind::Human, None));
        found.actor.id.to_string()
    };
    assert_eq!(by(in_terminal(Some("ada")), ""), "ada");
    assert_eq!(by(in_terminal(Some("root")), "LOGNAME=ada\nUSER=bob"), "ada");
    assert_eq!(by(in_terminal(None), "USER=bob\nCI=false"), "bob");
    assert_eq!(by(in_terminal(None), "USER=bob\nTAGWARDEN_ACTOR=ada@example.com"), "ada@example.com");
    let mut parts = in_terminal(Some("ada"));
    (parts.actor, parts.provider) = (Some(Line::lossy("eve")), Some(Line::lossy("manual")));
    assert_eq!(by(parts, "TAGWARDEN_ACTOR=ada"), "eve");
    let mut parts = in_terminal(Some("ada"));
    parts.run_id = Some(Line::lossy("incident-7"));
    assert_eq!(parts.fill(env("")).unwrap().build().unwrap().pipeline.run_id.as_str(), "incident-7");
}

#[test]
fn person_without_a_name_is_asked_for_one() {
    let error = |parts: ProvenanceParts, words| {
        let error = parts.fill(env(words)).and_then(ProvenanceParts::build).unwrap_err();
        (error.code(), error.to_string())
    };
    assert_eq!(
        error(in_terminal(None), ""),
        (
            "PROVENANCE_INCOMPLETE",
            "provenance: no login name was found (TAGWARDEN_ACTOR, LOGNAME, USER not set); give the actor (--actor)"
                .to_owned()
        )
    );
    assert_eq!(
        error(in_terminal(Some("a\nb")), "").1,
        "the login name: text: control or bidirectional character U+000A at byte 1"
    );
}

/// A CI may give a terminal to its jobs.
#[test]
fn terminal_in_a_ci_is_no_person() {
    for words in ["CI=true", "CI=1", "CI=woodpecker"] {
        let error = in_terminal(Some("ada")).fill(env(words)).unwrap().build().unwrap_err();
        assert_eq!(error.code(), "PROVENANCE_INCOMPLETE");
        let text = error.to_string();
        assert!(text.starts_with("provenance: this is a CI, and no CI that is known was found (by "), "{text}");
        assert!(text.ends_with("; give the run id (--run-id) and the actor (--actor)"), "{text}");
    }
    let found = in_terminal(Some("ada")).fill(env("GITHUB_ACTIONS=true\nGITHUB_RUN_ID=1\nGITHUB_ACTOR=bob")).unwrap();
    let found = found.build().unwrap();
    assert_eq!((found.actor.id.as_str(), found.actor.kind), ("bob", ActorKind::Workload));
    let mut manual = in_terminal(Some("ada"));
    manual.provider = Some(Line::lossy("manual"));
    assert!(manual.fill(env("GITHUB_ACTIONS=true")).unwrap().build().is_err(), "the terminal is the CI's");
    let mut other = in_terminal(Some("ada"));
    other.provider = Some(Line::lossy("woodpecker"));
    assert!(other.fill(env("")).unwrap().build().is_err(), "it is another's run");
}

#[test]
fn run_of_a_terminal_is_a_new_uuid_of_its_time() {
    let one = Terminal::of(None, &crate::SystemClock).unwrap().run_id;
    let other = Terminal::of(None, &crate::SystemClock).unwrap().run_id;
    assert_ne!(one, other);
    assert_eq!(uuid::Uuid::parse_str(one.as_str()).unwrap().get_version_num(), 7);
}

#[test]
fn without_a_ci_and_a_terminal_it_can_all_be_said() {
    let given = ProvenanceParts {
        run_id: Some(Line::lossy("incident-7")),
        actor: Some(Line::lossy("ada")),
        url: Some(Line::lossy("https://ada:canary@wiki.example.com/7?page=1")),
        ..Default::default()
    };
    let found = given.fill(env("")).unwrap().build().unwrap();
    assert_eq!(shown(&found), ["manual", "incident-7", "ada", "", "https://wiki.example.com/7?page=1", ""]);
    assert_eq!(found.actor.kind, ActorKind::Workload, "nothing says that it is a person");
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
    let given = ProvenanceParts { provider: Some(Line::lossy("buildkite")), ..Default::default() };
    let found = given.fill(env(words)).unwrap().build().unwrap();
    assert_eq!(shown(&found), ["buildkite", "2", "bob", "", "", ""]);
}
