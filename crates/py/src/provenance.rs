//! `Provenance`: who moves a channel, in which pipeline run, for which commit and release.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::PyString;
use serde::{Deserialize, Serialize};
use tagwarden::{Job, Line, ProvenanceParts};
use tagwarden_bind::args::parse;
use tagwarden_bind::convert::{FromCore, to};
use tagwarden_bind::provenance::{Surroundings, build, job};

use crate::args::{Number, Text, number};
use crate::error::Raises;
use crate::host::{Json, Reduced, from_dict, shown, to_dict};
use crate::record::methods;
use crate::records::ActorKind;
use crate::value::{Commit, ReleaseLabel};

/// The actor and the pipeline run. ``Provenance.from_ci``, ``Provenance.manual`` and ``Provenance.of`` make one.
#[pyclass(frozen, eq, hash, from_py_object, module = "tagwarden")]
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Provenance(tagwarden::Provenance);

impl FromCore<tagwarden::Provenance> for Provenance {
    fn from_core(core: tagwarden::Provenance) -> Provenance {
        Provenance(core)
    }
}

impl Provenance {
    /// The provenance of a request.
    pub(crate) fn given(self) -> tagwarden::Result<tagwarden::Provenance> {
        tagwarden_bind::provenance::provenance("provenance", self.0)
    }
}

/// Defines the methods of the class, of which two take the parts of a provenance, each read by a function. The job of the
/// run is two arguments.
macro_rules! provenance {
    (
        { $($part:ident: $type:ty = $read:path,)+ }
        { $($(#[$about:meta])* $getter:ident: $gives:ty = |$core:ident| $value:expr;)+ }
        $($own:tt)*
    ) => {
        /// The parts, as they are given.
        #[allow(clippy::too_many_arguments, reason = "each is a part")]
        fn parts(
            $($part: Option<$type>,)+
            job_id: Option<Text>,
            job_name: Option<Text>,
        ) -> tagwarden::Result<ProvenanceParts> {
            let mut parts = ProvenanceParts::default();
            $(parts.$part = $read(stringify!($part), $part)?;)+
            parts.job = job(line("job_id", job_id)?, line("job_name", job_name)?)?;
            Ok(parts)
        }

        methods! {
            Provenance {
                /// A provenance of the given parts.
                ///
                /// - ``provider``: the CI system of the pipeline; ``manual`` by default.
                /// - ``run_id``: the pipeline run, and ``attempt``: the attempt of it, from 1.
                /// - ``url``: where people can read about the run. A user or password in it is left out.
                /// - ``workflow``: the provider's name of the pipeline; ``job_id`` and ``job_name``: the job of the
                ///   run.
                /// - ``actor``: who asks, and ``actor_kind``: ``human`` or ``workload``; by default ``human`` where the
                ///   provider ``manual`` is given, else ``workload``.
                /// - ``repository_url``, ``commit`` (7 to 64 hex digits) and ``release``: the source and name of the
                ///   release.
                ///
                /// InvalidValueError: PROVENANCE_INCOMPLETE without a run or an actor, VALUE_INVALID for an invalid
                /// value.
                #[staticmethod]
                #[allow(clippy::too_many_arguments, reason = "each is a part")]
                #[pyo3(signature = (*, $($part = None,)+ job_id = None, job_name = None))]
                fn of(
                    $($part: Option<$type>,)+
                    job_id: Option<Text>,
                    job_name: Option<Text>,
                ) -> Raises<Provenance> {
                    Ok(Provenance(build(parts($($part,)+ job_id, job_name)?, None)?))
                }

                /// A provenance of the variables that the CI system sets, or of the terminal. Given parts take
                /// precedence.
                ///
                /// GitHub, Gitea and Forgejo Actions, GitLab CI, CircleCI, Azure Pipelines, Buildkite and Jenkins are
                /// known. The actor is a person if the CI says that a person started exactly this run, else a workload.
                ///
                /// A person in a terminal (standard input or error is one, and ``CI`` is not set) needs to give
                /// nothing: the provider is ``manual``, the actor ``TAGWARDEN_ACTOR`` or the login name, and the run id
                /// a new one.
                ///
                /// - ``environment``: the variables; ``os.environ`` by default. With others, no terminal is looked for.
                ///
                /// All of this is context, not evidence: it is recorded as not verified. A variable that is not UTF-8
                /// counts as not set. The other arguments and the errors are those of ``of``.
                #[staticmethod]
                #[allow(clippy::too_many_arguments, reason = "each is a part")]
                #[pyo3(signature = (
                    environment: "Mapping[str, str] | None" = None, *, $($part = None,)+ job_id = None, job_name = None
                ))]
                fn from_ci(
                    py: Python<'_>,
                    environment: Option<Bound<'_, PyAny>>,
                    $($part: Option<$type>,)+
                    job_id: Option<Text>,
                    job_name: Option<Text>,
                ) -> Raises<Provenance> {
                    let parts = parts($($part,)+ job_id, job_name)?;
                    Ok(Provenance(build(parts, Some(surroundings(py, environment)?))?))
                }

                $(
                    $(#[$about])*
                    #[getter]
                    fn $getter(&self) -> $gives {
                        let $core = &self.0;
                        $value
                    }
                )+

                $($own)*
            }
        }
    };
}

provenance! {
    {
        provider: Text = line,
        run_id: Text = line,
        actor: Text = line,
        actor_kind: ActorKind = kind,
        attempt: Number = number,
        url: Text = line,
        workflow: Text = line,
        repository_url: Text = line,
        commit: Commit = read_commit,
        release: ReleaseLabel = read_release,
    }
    {
        /// The CI system of the pipeline, or ``manual``.
        provider: &str = |core| core.pipeline.provider.as_str();
        /// The pipeline run.
        run_id: &str = |core| core.pipeline.run_id.as_str();
        /// The attempt of the run, from 1, if the provider counts them.
        attempt: Option<u32> = |core| core.pipeline.attempt;
        /// Where people can read about the run.
        url: Option<&str> = |core| core.pipeline.url.as_ref().map(Line::as_str);
        /// The provider's name of the pipeline.
        workflow: Option<&str> = |core| core.pipeline.workflow.as_ref().map(Line::as_str);
        /// The job of the run.
        job_id: Option<&str> = |core| core.pipeline.job.as_ref().map(|Job { id, .. }| id.as_str());
        /// The job's name for people.
        job_name: Option<&str> = |core| core.pipeline.job.as_ref().and_then(|job| job.name.as_ref()).map(Line::as_str);
        /// The person or workload that asks.
        actor: &str = |core| core.actor.id.as_str();
        /// ``human`` or ``workload``.
        actor_kind: ActorKind = |core| to(core.actor.kind);
        /// Where the source is kept.
        repository_url: Option<&str> = |core| core.repository_url.as_ref().map(Line::as_str);
        /// The source commit.
        commit: Option<Commit> = |core| to(core.commit.clone());
        /// The release's name for people.
        release: Option<ReleaseLabel> = |core| to(core.release.clone());
    }

    /// The provenance of a person outside of a CI: the provider is ``manual``, and the run id a new one.
    ///
    /// InvalidValueError VALUE_INVALID if ``actor`` is not one line of 1 to 1,024 characters.
    #[staticmethod]
    fn manual(actor: Text) -> Raises<Provenance> {
        Ok(Provenance(tagwarden::Provenance::manual(&actor.0)?))
    }

    /// The claims of a verified token: ``issuer``, ``subject``, ``audience``, ``claims`` and ``token_sha256``.
    /// None if no token was verified. A caller cannot set it.
    #[getter]
    fn identity(&self, py: Python<'_>) -> PyResult<Option<Json>> {
        self.0.identity.as_ref().map(|identity| to_dict(py, identity)).transpose()
    }
}

type Given<T> = tagwarden::Result<Option<T>>;

fn line(name: &str, given: Option<Text>) -> Given<Line> {
    given.map(|Text(text)| parse(name, &text)).transpose()
}

fn kind(_name: &str, given: Option<ActorKind>) -> Given<tagwarden::ActorKind> {
    Ok(given.map(Into::into))
}

fn read_commit(_name: &str, given: Option<Commit>) -> Given<tagwarden::Commit> {
    Ok(given.map(|Commit(commit)| commit))
}

fn read_release(_name: &str, given: Option<ReleaseLabel>) -> Given<tagwarden::ReleaseLabel> {
    Ok(given.map(|ReleaseLabel(release)| release))
}

/// The given variables, or those of the process and its terminal.
fn surroundings(py: Python<'_>, environment: Option<Bound<'_, PyAny>>) -> PyResult<Surroundings> {
    if let Some(environment) = environment {
        return Ok(Surroundings { environment: texts(&environment)?, ..Surroundings::default() });
    }
    let os = py.import("os")?;
    let is_terminal = |fd: u8| os.call_method1("isatty", (fd,))?.is_truthy();
    // Without a login name, the core's error says which argument to give.
    let login = py.import("getpass").and_then(|module| module.call_method0("getuser"));
    let login = login.and_then(|login| login.extract::<String>()).ok();
    let terminal = is_terminal(0)? || is_terminal(2)?;
    Ok(Surroundings { environment: texts(&os.getattr("environ")?)?, terminal, login })
}

/// The variables that are text: Python maps a byte that is not UTF-8 to a lone surrogate.
pub(crate) fn texts(environment: &Bound<'_, PyAny>) -> PyResult<HashMap<String, String>> {
    let mut texts = HashMap::new();
    for item in environment.call_method0("items")?.try_iter()? {
        let (name, value): (Bound<'_, PyString>, Bound<'_, PyString>) = item?.extract()?;
        if let (Ok(name), Ok(value)) = (name.to_str(), value.to_str()) {
            texts.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(texts)
}
