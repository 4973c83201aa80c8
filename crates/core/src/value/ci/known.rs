//! The known CI systems and their environment variables.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The environment; an empty variable counts as not set.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A CI system and the environment variables that it sets.
#[derive(Debug)]
pub(super) struct Ci {
    pub(super) name: &'static str,
    pub(super) provider: &'static str,
    /// The variable that is set in every run of this system, to a value other than `false` and `0`.
    pub(super) marker: &'static str,
    /// Markers of other systems that this system sets too, so that their actions and scripts run on it.
    pub(super) poses_as: &'static [&'static str],
    /// Variables whose values, joined by `#`, are the run's id.
    pub(super) run_id: &'static [&'static str],
    pub(super) attempt: Option<&'static str>,
    /// Variables with the actor; the first one that is set is used.
    pub(super) actor: &'static [&'static str],
    pub(super) commit: &'static str,
    pub(super) url: Said,
    pub(super) repository_url: Said,
    pub(super) workflow: Option<&'static str>,
    /// The variables with the job's id and with its name.
    pub(super) job: Option<(&'static str, Option<&'static str>)>,
    /// True if a person pressed a button for this run.
    pub(super) pressed: fn(Env) -> bool,
}

/// The source of a URL.
#[derive(Debug)]
pub(super) enum Said {
    /// One variable contains the URL.
    In(&'static str),
    /// The URL is composed from several variables.
    Composed(fn(Env) -> Option<String>),
}

/// True if the variable `name` has one of these values.
fn is(env: Env, name: &str, values: &[&str]) -> bool {
    env(name).is_some_and(|value| values.contains(&value.as_str()))
}

/// True if a marker is set.
pub(super) fn set(env: Env, marker: &str) -> bool {
    env(marker).is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
}

const GITHUB: Ci = Ci {
    name: "GitHub Actions",
    provider: "github-actions",
    marker: "GITHUB_ACTIONS",
    poses_as: &[],
    run_id: &["GITHUB_RUN_ID"],
    attempt: Some("GITHUB_RUN_ATTEMPT"),
    actor: &["GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"],
    commit: "GITHUB_SHA",
    url: Said::Composed(|env| Some(format!("{}/actions/runs/{}", github(env)?, env("GITHUB_RUN_ID")?))),
    repository_url: Said::Composed(github),
    workflow: Some("GITHUB_WORKFLOW"),
    // The job's key in the workflow: GitHub does not put the job's number into the environment.
    job: Some(("GITHUB_JOB", None)),
    pressed: |env| is(env, "GITHUB_EVENT_NAME", &["workflow_dispatch", "release"]),
};

/// Gitea's run pages are addressed by the run's number in the repository, not by the run's id.
const GITEA: Ci = Ci {
    name: "Gitea Actions",
    provider: "gitea-actions",
    marker: "GITEA_ACTIONS",
    poses_as: &["GITHUB_ACTIONS"],
    url: Said::Composed(|env| Some(format!("{}/actions/runs/{}", github(env)?, env("GITHUB_RUN_NUMBER")?))),
    ..GITHUB
};

pub(super) static KNOWN: [Ci; 8] = [
    GITHUB,
    GITEA,
    Ci {
        name: "Forgejo Actions",
        provider: "forgejo-actions",
        marker: "FORGEJO_ACTIONS",
        poses_as: &["GITHUB_ACTIONS", "GITEA_ACTIONS"],
        ..GITEA
    },
    Ci {
        name: "GitLab CI",
        provider: "gitlab-ci",
        marker: "GITLAB_CI",
        poses_as: &[],
        run_id: &["CI_PIPELINE_ID"],
        attempt: None,
        // In a manual job, the person who started the job; otherwise the one who started the pipeline.
        actor: &["GITLAB_USER_LOGIN"],
        commit: "CI_COMMIT_SHA",
        url: Said::In("CI_PIPELINE_URL"),
        repository_url: Said::In("CI_PROJECT_URL"),
        workflow: Some("CI_PIPELINE_NAME"),
        job: Some(("CI_JOB_ID", Some("CI_JOB_NAME"))),
        pressed: |env| is(env, "CI_PIPELINE_SOURCE", &["web"]) || is(env, "CI_JOB_MANUAL", &["true"]),
    },
    Ci {
        name: "CircleCI",
        provider: "circleci",
        marker: "CIRCLECI",
        poses_as: &[],
        run_id: &["CIRCLE_WORKFLOW_ID"],
        attempt: None,
        actor: &["CIRCLE_USERNAME"],
        commit: "CIRCLE_SHA1",
        url: Said::In("CIRCLE_BUILD_URL"),
        repository_url: Said::In("CIRCLE_REPOSITORY_URL"),
        workflow: None,
        job: Some(("CIRCLE_WORKFLOW_JOB_ID", Some("CIRCLE_JOB"))),
        pressed: |_| false,
    },
    Ci {
        name: "Azure Pipelines",
        provider: "azure-pipelines",
        marker: "TF_BUILD",
        poses_as: &[],
        run_id: &["BUILD_BUILDID"],
        attempt: None,
        actor: &["BUILD_REQUESTEDFOR"],
        commit: "BUILD_SOURCEVERSION",
        url: Said::Composed(azure),
        repository_url: Said::In("BUILD_REPOSITORY_URI"),
        workflow: Some("BUILD_DEFINITIONNAME"),
        job: Some(("SYSTEM_JOBID", Some("SYSTEM_JOBDISPLAYNAME"))),
        pressed: |env| is(env, "BUILD_REASON", &["Manual"]),
    },
    Ci {
        name: "Buildkite",
        provider: "buildkite",
        marker: "BUILDKITE",
        poses_as: &[],
        run_id: &["BUILDKITE_BUILD_ID"],
        attempt: None,
        // The person who unblocked the build at a block step comes first: that person decided, and the creator of the
        // build may be a machine.
        actor: &["BUILDKITE_UNBLOCKER", "BUILDKITE_BUILD_CREATOR"],
        commit: "BUILDKITE_COMMIT",
        url: Said::In("BUILDKITE_BUILD_URL"),
        repository_url: Said::In("BUILDKITE_REPO"),
        workflow: Some("BUILDKITE_PIPELINE_SLUG"),
        job: Some(("BUILDKITE_JOB_ID", Some("BUILDKITE_LABEL"))),
        pressed: |env| env("BUILDKITE_UNBLOCKER").is_some(),
    },
    Ci {
        name: "Jenkins",
        provider: "jenkins",
        marker: "JENKINS_URL",
        poses_as: &[],
        run_id: &["JOB_NAME", "BUILD_NUMBER"],
        attempt: None,
        // The plugin build-user-vars sets it; Jenkins itself does not name the person who started a build.
        actor: &["BUILD_USER_ID"],
        commit: "GIT_COMMIT",
        url: Said::In("BUILD_URL"),
        repository_url: Said::In("GIT_URL"),
        // In Jenkins, a job is the pipeline, and its name is part of the run's id.
        workflow: None,
        job: None,
        pressed: |_| false,
    },
];

fn github(env: Env) -> Option<String> {
    let server = env("GITHUB_SERVER_URL")?;
    Some(format!("{}/{}", server.trim_end_matches('/'), env("GITHUB_REPOSITORY")?))
}

fn azure(env: Env) -> Option<String> {
    let (server, project) = (env("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")?, env("SYSTEM_TEAMPROJECT")?);
    let (project, build) = (utf8_percent_encode(&project, &SEGMENT), env("BUILD_BUILDID")?);
    Some(format!("{}/{project}/_build/results?buildId={build}", server.trim_end_matches('/')))
}

/// The characters of a path's segment that are percent-encoded: all but the unreserved ones of RFC 3986, section 2.3.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
