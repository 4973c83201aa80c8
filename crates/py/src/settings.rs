//! The settings of a promoter and of a retention plan.

use pyo3::prelude::*;
use pyo3::types::PyMapping;
use tagwarden_bind::args::{self, TimesArgs};

use crate::args::{Number, Seconds, duration, number};
use crate::host::List;
use crate::value::{Channel, Environment};

type Given = Option<Seconds>;

/// Defines a class of settings: each is an argument, and an attribute. One without a default is needed.
macro_rules! settings {
    ($(
        $(#[$about:meta])*
        $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty $(= $default:expr)?,)+ } $({ $($own:tt)* })?
    )+) => {$(
        $(#[$about])*
        #[pyclass(frozen, get_all, eq, hash, from_py_object, module = "tagwarden")]
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub(crate) struct $name { $($(#[$doc])* $field: $type,)+ }

        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = ($($field $(= $default)?),+))]
            fn new($($field: $type),+) -> $name {
                $name { $($field),+ }
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let given = self.__getnewargs__().into_pyobject(py)?;
                Ok(format!("{}{}", stringify!($name), given.repr()?))
            }

            fn __getnewargs__(&self) -> ($($type,)+) {
                ($(self.$field.clone(),)+)
            }

            $($($own)*)?
        }
    )+};
}

settings! {
    /// Times that a promoter writes into the log with each move, and the timeout of one put.
    ///
    /// Each is in seconds or a timedelta, from 1 ms to 1 h; None is the default.
    ///
    /// - ``ttl``: the time to live of a move. After it, its worker sends no put. 60 s by default.
    /// - ``grace``: how long after ``ttl`` another worker may take the move over. 30 s by default.
    /// - ``quiet``: how long a put whose answer was lost may still land. 30 s by default.
    /// - ``put``: the timeout of one put: shorter than ``ttl``, not longer than ``grace`` and ``quiet``. 15 s by default.
    /// - ``settle``: how long after a write a read of the tag may answer an older value; not shorter than ``quiet``. 30 s
    ///   by default, 10 min for ``ghcr.io``, 2 min for ``*.azurecr.io``.
    ///
    /// A promoter raises InvalidValueError CONFIG_INVALID for times that contradict each other.
    Times {
        /// The time to live of a move, in seconds.
        ttl: Given = None,
        /// How long after that another worker may take the move over, in seconds.
        grace: Given = None,
        /// How long a put whose answer was lost may still land, in seconds.
        quiet: Given = None,
        /// The timeout of one put, in seconds.
        put: Given = None,
        /// How long a read may answer an older value, in seconds.
        settle: Given = None,
    }

    /// How far back a channel can be rolled back. A digest inside *either* window is kept, on each channel by itself.
    ///
    /// - ``keep_last``: how many distinct digests are kept, the live one included. At least 1; 10 by default.
    /// - ``keep_for``: how long a digest is kept after it stopped being live, or after the last move to it was closed
    ///   without effect: seconds or a timedelta, 0 keeps by number alone. 30 days by default.
    ///
    /// InvalidValueError VALUE_INVALID for a number out of range.
    RetentionRule {
        /// How many distinct digests are kept.
        keep_last: Option<Number> = None,
        /// How long a digest is kept, in seconds.
        keep_for: Given = None,
    }

    /// An ``environment`` and its ``channel``.
    Stage {
        /// The environment.
        environment: Environment,
        /// Its channel.
        channel: Channel,
    }

    /// The environments that a release goes through: ``stages``, in their order. ``Pipeline.of`` makes one.
    ///
    /// A promoter raises InvalidValueError for an empty one, and for one that names an environment or a channel twice.
    Pipeline {
        /// The stages.
        stages: List<Stage>,
    } {
        /// From names and channels in order: ``Pipeline.of({"dev": "reg.io/a:dev", "prod": "reg.io/a:prod"})``, or
        /// pairs.
        #[staticmethod]
        #[pyo3(signature = (
            stages: "Mapping[str, str | Channel] | Iterable[tuple[str | Environment, str | Channel]]"
        ))]
        fn of(stages: &Bound<'_, PyAny>) -> PyResult<Pipeline> {
            let pairs: List<(Environment, Channel)> = match stages.cast::<PyMapping>() {
                Ok(mapping) => mapping.items()?.extract()?,
                Err(_) => stages.extract()?,
            };
            let stage = |(environment, channel)| Stage { environment, channel };
            Ok(Pipeline { stages: List(pairs.0.into_iter().map(stage).collect()) })
        }
    }
}

impl Times {
    pub(crate) fn args(self) -> tagwarden::Result<TimesArgs> {
        Ok(TimesArgs {
            ttl: duration("ttl", self.ttl)?,
            grace: duration("grace", self.grace)?,
            quiet: duration("quiet", self.quiet)?,
            put: duration("put", self.put)?,
            settle: duration("settle", self.settle)?,
        })
    }
}

impl RetentionRule {
    pub(crate) fn core(rule: Option<RetentionRule>) -> tagwarden::Result<tagwarden::retention::RetentionRule> {
        let (keep_last, keep_for) = rule.map_or((None, None), |rule| (rule.keep_last, rule.keep_for));
        args::rule(number("keep_last", keep_last)?, duration("keep_for", keep_for)?)
    }
}

impl From<tagwarden::retention::RetentionRule> for RetentionRule {
    fn from(core: tagwarden::retention::RetentionRule) -> RetentionRule {
        let tagwarden::retention::RetentionRule { keep_last, keep_for } = core;
        let (keep_last, keep_for) = (keep_last.get().into(), Seconds(keep_for.as_secs_f64()));
        RetentionRule { keep_last: Some(keep_last), keep_for: Some(keep_for) }
    }
}

impl Pipeline {
    pub(crate) fn core(self) -> tagwarden::Result<tagwarden::Pipeline> {
        let stage = |stage: Stage| tagwarden::Stage { environment: stage.environment.0, channel: stage.channel.0 };
        let stages = self.stages.0.into_iter().map(stage).collect();
        tagwarden::Pipeline::new(stages).map_err(|error| args::wrong("pipeline", error))
    }
}
