//! `Credential`: the login for a Git server. It is passed to Git in the environment, never in an argument.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::Result;
use crate::ledger::url::remote::Remote;
use crate::ledger::url::text::bad;
use crate::secret::Secret;

/// The variable with a token for the Git server.
pub(super) const TOKEN: &str = "TAGWARDEN_GIT_TOKEN";

/// The environment. An empty variable counts as not set.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The source of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The caller gave a token.
    Given,
    /// The URL has a password.
    Url,
    /// The variable TAGWARDEN_GIT_TOKEN.
    Variable,
    /// Git in the working directory sends a header, for example after actions/checkout.
    Checkout,
    /// The token of a GitLab job.
    JobToken,
    /// Git's own helpers, for the user of the URL.
    Helper,
}

impl Source {
    /// The source, for errors.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Source::Given => "the token that was given",
            Source::Url => "the password in the ledger's URL",
            Source::Variable => "the token in TAGWARDEN_GIT_TOKEN",
            Source::Checkout => "the header that Git sends in the working directory (http.extraheader)",
            Source::JobToken => "the token in CI_JOB_TOKEN",
            Source::Helper => "the credential that Git has for the user in the ledger's URL",
        }
    }
}

/// A credential for one remote. Its `Debug` output shows the source only.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    source: Source,
    offer: Offer,
    secrets: Vec<Secret>,
}

/// The form in which the server gets the credential.
#[derive(Clone, Debug)]
enum Offer {
    /// A whole header line.
    Header(Secret),
    /// The name of a user; Git finds the password.
    User(Secret),
}

impl Credential {
    /// The first of: `token`, the password in the URL, TAGWARDEN_GIT_TOKEN, the header of Git in the working directory
    /// (`asked` answers with the value of `git config --get-urlmatch http.extraheader URL`), and CI_JOB_TOKEN for the
    /// own server of the GitLab job. Without these, and for every remote that is not `http` or `https`, Git uses its
    /// own helpers and keys. Then the result is none, or only the user of the URL.
    ///
    /// CONFIG_INVALID for a token or user that cannot be sent.
    pub(super) fn find(
        remote: &Remote,
        token: Option<&Secret>,
        env: Env,
        asked: &dyn Fn() -> Option<String>,
    ) -> Result<Option<Credential>> {
        if !remote.is_web() {
            return Ok(None);
        }
        let env: Env = &|name| env(name).filter(|value| !value.is_empty());
        let basic = |source, token: &Secret| Credential::basic(source, user(remote, token, env), token).map(Some);
        if let Some(token) = token {
            return basic(Source::Given, token);
        }
        if let Some(password) = &remote.password {
            return basic(Source::Url, password);
        }
        if let Some(token) = env(TOKEN) {
            return basic(Source::Variable, &Secret::new(token));
        }
        if let Some(credential) = asked().and_then(|line| Credential::header(&line)) {
            return Ok(Some(credential));
        }
        match env("CI_JOB_TOKEN").filter(|_| is_own_gitlab(remote, env)) {
            Some(token) => basic(Source::JobToken, &Secret::new(token)),
            None => Ok(remote.user.as_ref().map(Credential::helper)),
        }
    }

    fn basic(source: Source, user: &str, token: &Secret) -> Result<Credential> {
        let (name, token_text) = (source.as_str(), token.reveal());
        if token_text.contains(char::is_control) {
            return Err(bad(format!("git: {name} has a control character, such as a line feed")));
        }
        if user.contains(|char: char| char == ':' || char.is_control()) {
            return Err(bad("git: the user in the URL has a : or a control character".to_owned()));
        }
        let encoded = STANDARD.encode(format!("{user}:{token_text}"));
        let header = Secret::new(format!("Authorization: Basic {encoded}"));
        let secrets = vec![header.clone(), Secret::new(encoded), token.clone()];
        Ok(Credential { source, offer: Offer::Header(header), secrets })
    }

    /// The credential in a header line; none if the line is not an `Authorization` header.
    fn header(line: &str) -> Option<Credential> {
        let line = line.trim_end_matches(['\r', '\n']);
        let (name, value) = line.split_once(':')?;
        if !name.trim().eq_ignore_ascii_case("authorization") || line.contains(char::is_control) {
            return None;
        }
        let value = value.trim().split_once(' ').map_or(value.trim(), |(_, value)| value.trim());
        let mut secrets = vec![Secret::new(line), Secret::new(value)];
        let decoded = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        secrets.extend(decoded.as_deref().and_then(|login| login.split_once(':')).map(|(_, token)| Secret::new(token)));
        Some(Credential { source: Source::Checkout, offer: Offer::Header(Secret::new(line)), secrets })
    }

    fn helper(user: &Secret) -> Credential {
        // Git prints the user as `user@host`. Redacting the user alone could hide a common word everywhere.
        let shown = Secret::new(format!("{}@", user.reveal()));
        Credential { source: Source::Helper, offer: Offer::User(user.clone()), secrets: vec![shown] }
    }

    pub(super) fn source(&self) -> Source {
        self.source
    }

    /// The texts that no message may contain.
    pub(super) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }
}

/// The Git configuration for requests to `remote`, as names and values in order. The values are secret, so they are
/// passed in the environment ([`appended`]).
///
/// Each name contains the whole URL. Git prefers the value with the longest matching URL, so a value for the host alone
/// could not remove a header that the user configured for the repository. No redirect is followed, because Git would
/// send the header to the other host as well.
pub(super) fn settings(remote: &Remote, credential: Option<&Credential>) -> Vec<(String, String)> {
    if !remote.is_web() {
        return Vec::new();
    }
    let url = &remote.url;
    let mut settings = vec![(format!("http.{url}.followRedirects"), "false".to_owned())];
    match credential.map(|credential| &credential.offer) {
        Some(Offer::Header(header)) => settings.extend([
            // Servers refuse two Authorization headers. The empty value removes those of the user's configuration.
            (format!("http.{url}.extraHeader"), String::new()),
            (format!("http.{url}.extraHeader"), header.reveal().to_owned()),
            // After a 401 Git would ask the user's helper, which may open a window.
            (format!("credential.{url}.helper"), String::new()),
        ]),
        Some(Offer::User(user)) => settings.push((format!("credential.{url}.username"), user.reveal().to_owned())),
        None => {}
    }
    settings
}

/// The variables that stop Git from asking for a password when it was given a header.
pub(super) fn environment(credential: Option<&Credential>) -> &'static [(&'static str, &'static str)] {
    match credential.map(|credential| &credential.offer) {
        Some(Offer::Header(_)) => &[("GIT_ASKPASS", "")],
        _ => &[],
    }
}

/// The variables that add `settings` to those that the user passes in the environment (Git 2.31 or later).
/// CONFIG_INVALID if GIT_CONFIG_COUNT is not a number.
pub(super) fn appended(env: Env, settings: &[(String, String)]) -> Result<Vec<(String, String)>> {
    let before = match env("GIT_CONFIG_COUNT").filter(|count| !count.is_empty()) {
        None => 0,
        Some(count) => count.parse().map_err(|_| bad("git: GIT_CONFIG_COUNT is not a number".to_owned()))?,
    };
    let mut variables = vec![("GIT_CONFIG_COUNT".to_owned(), (before + settings.len()).to_string())];
    for (number, (key, value)) in settings.iter().enumerate() {
        variables.push((format!("GIT_CONFIG_KEY_{}", before + number), key.clone()));
        variables.push((format!("GIT_CONFIG_VALUE_{}", before + number), value.clone()));
    }
    Ok(variables)
}

/// The user under which a token is sent: that of the URL, or a name that the host expects.
fn user<'r>(remote: &'r Remote, token: &Secret, env: Env) -> &'r str {
    let is_job_token = env("CI_JOB_TOKEN").as_deref() == Some(token.reveal());
    match &remote.user {
        Some(user) => user.reveal(),
        None if is_job_token && is_own_gitlab(remote, env) => "gitlab-ci-token",
        None if remote.url.starts_with("https://bitbucket.org/") => "x-token-auth",
        None => "x-access-token",
    }
}

/// True if the remote is on the server that runs this GitLab job: the same protocol, host and port.
fn is_own_gitlab(remote: &Remote, env: Env) -> bool {
    let Some((scheme, rest)) = remote.url.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let default = if scheme == "https" { "443" } else { "80" };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, port),
        _ => (authority, default),
    };
    env("CI_SERVER_HOST").is_some_and(|own| own.eq_ignore_ascii_case(host))
        && env("CI_SERVER_PROTOCOL").is_none_or(|own| own == scheme)
        && env("CI_SERVER_PORT").is_none_or(|own| own == port)
}

#[cfg(test)]
mod tests;
