//! `Lookup`: the search for the login of a repository, through every place.

use std::path::PathBuf;

use super::ci;
use super::file::Stored;
use super::key::{host, same_host};
use super::known::Found;
use super::login::{Credentials, invalid};
use super::places::{Place, containers};
use super::variables::{NOT_SET, REGISTRY, Variables, for_which};
use crate::error::Result;

/// The places in which credentials are looked up for a registry that asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// No place: credentials are not looked up.
    Nowhere,
    /// The environment: `TAGWARDEN_USERNAME` and `TAGWARDEN_PASSWORD`, or `TAGWARDEN_IDENTITY_TOKEN`. They are for the
    /// registry that `TAGWARDEN_REGISTRY` names, or else for the one that the caller names as the login's registry;
    /// with neither they are CONFIG_INVALID. Then the token of the CI: `GITHUB_TOKEN` for ghcr.io in GitHub Actions,
    /// `CI_JOB_TOKEN` for `CI_REGISTRY` in GitLab CI.
    Environment,
    /// The logins that docker, podman, skopeo, buildah and helm stored, including credential helpers.
    Docker,
    /// The environment, then the stored logins, and the token of the CI last.
    EnvironmentThenDocker,
}

/// A look-up for the repositories of one registry.
#[derive(Clone, Debug)]
pub(in super::super) struct Lookup {
    pub(in super::super) source: CredentialSource,
    /// The registry as the caller wrote it.
    pub(in super::super) registry: String,
    /// The registry of the login in the environment, unless `TAGWARDEN_REGISTRY` names another one.
    pub(in super::super) login_registry: Option<String>,
    /// The variables that the configuration names for this registry.
    pub(in super::super) variables: Option<(String, String)>,
    /// The only file to read; none for all.
    pub(in super::super) file: Option<PathBuf>,
}

/// The parts of this machine that a look-up reads.
pub(super) struct Machine {
    pub(super) variables: Variables,
    /// The directory that podman uses without a runtime directory.
    pub(super) containers: Option<PathBuf>,
}

impl Machine {
    fn this() -> Machine {
        Machine { variables: Variables::of_process(), containers: containers() }
    }
}

impl Lookup {
    /// The credentials for the repository `path`; [`Credentials::Anonymous`] if there are none. The call blocks: it
    /// reads files and may run a credential helper. CONFIG_INVALID if the credentials cannot be used; the error
    /// contains no secret and no text of a file or helper.
    pub(in super::super) fn find(&self, path: &str) -> Result<Found> {
        self.find_on(&Machine::this(), path)
    }

    pub(super) fn find_on(&self, machine: &Machine, path: &str) -> Result<Found> {
        let (variables, host) = (&machine.variables, host(&self.registry));
        let mut looked = Vec::new();
        if self.source == CredentialSource::Nowhere {
            return Ok(Found::at("", Credentials::Anonymous, true));
        }
        if self.reads_environment() {
            match variables.login()? {
                Some((names, login)) => match variables.get(REGISTRY).or(self.login_registry.as_deref()) {
                    Some(only) if same_host(only, &self.registry) => return Ok(Found::at(names, login, true)),
                    Some(only) => looked.push(format!("{names} (for {only} alone)")),
                    None => return Err(for_which(names, &format!("{} asks for a login", self.registry))),
                },
                None => looked.push(NOT_SET.to_owned()),
            }
        }
        if let Some((user, password)) = &self.variables {
            match variables.login_in(&self.registry, user, password)? {
                Some(login) => return Ok(Found::at(format_args!("{user} and {password}"), login, true)),
                None => looked.push(format!("{user} and {password} (not set)")),
            }
        }
        let (mut whole, mut missing) = (true, None);
        for place in self.places(machine) {
            let Some(file) = place.read()? else {
                looked.push(format!("{place} (no such file)"));
                continue;
            };
            whole &= !file.has_paths(&host);
            match file.find(&self.registry, &host, path, variables).map_err(|error| place.about(&error))? {
                Stored::Login(login) => return Ok(Found::at(place, login, whole)),
                Stored::Nothing => looked.push(format!("{place} (not in it)")),
                Stored::NoHelper(helper) => {
                    missing.get_or_insert_with(|| {
                        invalid(format!(
                            "{place} names {helper}, which is not installed, for the login of {}: install the program, \
                             or log in again without a helper",
                            self.registry
                        ))
                    });
                }
            }
        }
        if self.reads_environment()
            && let Some((variable, login)) = ci::login(&self.registry, variables)
        {
            return Ok(Found::at(variable, login, whole));
        }
        match missing {
            Some(missing) => Err(missing),
            None => Ok(Found { looked, ..Found::at("", Credentials::Anonymous, whole) }),
        }
    }

    /// Checks what can be checked without a request and without a credential helper: the logins of the environment, and
    /// the files. `registries` are all that a command uses. CONFIG_INVALID if something is broken, or if the login of
    /// the environment may be for several registries.
    pub(in super::super) fn check<'r>(
        source: CredentialSource,
        registries: &[&'r str],
        file: Option<PathBuf>,
    ) -> Result<Option<&'r str>> {
        let lookup = Lookup { source, registry: String::new(), login_registry: None, variables: None, file };
        lookup.check_on(&Machine::this(), registries)
    }

    /// Like [`Lookup::check`]. Returns the registry of the environment's login.
    pub(super) fn check_on<'r>(&self, machine: &Machine, registries: &[&'r str]) -> Result<Option<&'r str>> {
        let mut only = None;
        if self.reads_environment()
            && let Some((names, _)) = machine.variables.login()?
            && machine.variables.get(REGISTRY).is_none()
        {
            for registry in registries {
                match only {
                    None => only = Some(*registry),
                    Some(first) if same_host(first, registry) => {}
                    Some(first) => {
                        return Err(for_which(names, &format!("the channels are on {first} and {registry}")));
                    }
                }
            }
        }
        for place in self.places(machine) {
            let Some(file) = place.read()? else { continue };
            for registry in registries {
                file.check(&host(registry)).map_err(|error| place.about(&error))?;
            }
        }
        Ok(only)
    }

    fn reads_environment(&self) -> bool {
        matches!(self.source, CredentialSource::Environment | CredentialSource::EnvironmentThenDocker)
    }

    fn places(&self, machine: &Machine) -> Vec<Place> {
        match (self.source, &self.file) {
            (CredentialSource::Nowhere | CredentialSource::Environment, _) => Vec::new(),
            (_, Some(file)) => vec![Place::File(file.clone())],
            (_, None) => Place::all(&machine.variables, machine.containers.as_deref()),
        }
    }
}
