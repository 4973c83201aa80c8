//! The keys of the file: the reader refuses every other one, and the JSON Schema is made of them.

use crate::log::Op;
use crate::policy::{GuardrailInfo, Mode, OrderBy, Policy};
use crate::promotion::{AfterRollback, LEDGER_COMPLETE};

/// One key, with the shape of its value and its meaning for people.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) about: String,
    /// True if its table cannot be without it.
    pub(super) needed: bool,
}

/// The shape of a value.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A string that matches this regular expression.
    Text(&'static str),
    /// One of these words.
    Word(Vec<String>),
    /// `true` or `false`.
    Truth,
    /// A whole number from 1.
    Number,
    /// A list of values of one shape.
    List(Box<Shape>),
    /// A table with these keys.
    Table(Vec<Key>),
    /// A table whose keys are names that match this regular expression. Each value is a table with these keys.
    Named(&'static str, Vec<Key>),
    /// One shape or the other.
    Either(Box<Shape>, Box<Shape>),
}

/// A duration, as [`parse_duration`](crate::parse_duration) reads it.
const DURATION: Shape = Shape::Text("^[0-9]+(ms|s|m|h|d)$");

/// The name of an environment variable.
const VARIABLE: Shape = Shape::Text("^[A-Za-z_][A-Za-z0-9_]*$");

/// A host, `host[:port]`.
const HOST: &str = "^[a-z0-9.-]+(:[0-9]+)?$";

fn key(name: &str, shape: Shape, about: impl Into<String>) -> Key {
    Key { name: name.to_owned(), shape, about: about.into(), needed: false }
}

fn words<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Shape {
    Shape::Word(all.iter().map(|word| name(*word).to_owned()).collect())
}

/// The keys of the whole file.
pub(super) fn root() -> Vec<Key> {
    let stages = Shape::List(Box::new(Shape::Table(stage())));
    vec![
        key("ledger", Shape::Text("."), "The ledger: a directory relative to this file, or a URL"),
        key("order", Shape::Table(order()), "The order of releases, which says what is newer"),
        key("pipeline", stages, "The environments, in the order in which a release goes through them"),
        key("retention", Shape::Table(retention()), "The rollback window: a digest inside either limit is kept"),
        key("registry", Shape::Named(HOST, registry()), "Settings of a registry, by its host[:port]"),
    ]
}

pub(super) fn order() -> Vec<Key> {
    let by = words(OrderBy::ALL, OrderBy::as_str);
    vec![
        Key { needed: true, ..key("by", by, "The kind of value by which releases are ordered") },
        key("required", Shape::Truth, "True refuses a release without a value. Default: false"),
    ]
}

pub(super) fn stage() -> Vec<Key> {
    let name = Shape::Text("^[a-z0-9][a-z0-9-]{0,62}$");
    let channel = Shape::Text("^(oci://)?[^/@]+/[^@]+:[^:/@]+$");
    let about = "The tag that the environment consumes: HOST/REPOSITORY:TAG";
    vec![
        Key { needed: true, ..key("environment", name, "The environment's name") },
        Key { needed: true, ..key("channel", channel, about) },
        key("policy", Shape::Table(policy()), "The policy of the environment's moves. Default: the standard policy"),
    ]
}

pub(super) fn policy() -> Vec<Key> {
    let guardrails = guardrails().into_iter().map(|(name, info)| {
        let modes = words(info.modes, Mode::as_str);
        let shape = Shape::Either(Box::new(modes), Box::new(Shape::Table(guardrail(&info))));
        let about = format!("Refuses if {}. Default: {}", info.refuses_if, info.mode.as_str());
        key(&name, shape, about)
    });
    let after = words(AfterRollback::ALL, AfterRollback::as_str);
    let about = "`hold` stops promotions after each rollback, until a person ends the hold. Default: none";
    let others = [
        key("after-rollback", after, about),
        key("override", Shape::Table(overrides()), "The limits on `--override`. Default: none"),
    ];
    guardrails.chain(others).collect()
}

pub(super) fn guardrail(info: &GuardrailInfo) -> Vec<Key> {
    let ops = Shape::List(Box::new(words(Op::ALL, Op::as_str)));
    vec![
        key("mode", words(info.modes, Mode::as_str), "The strongest verdict that it may give. Default: refuse"),
        key("ops", ops, "Operations that it judges besides those that it is meant for. Default: none"),
    ]
}

pub(super) fn overrides() -> Vec<Key> {
    let allowed = Shape::List(Box::new(Shape::Word(overridable())));
    let by = Shape::List(Box::new(Shape::Text("^[^:]+:.+$")));
    vec![
        key("allowed", allowed, "The only guardrails that may be overridden. Default: all that can be"),
        key("by", by, "The only actors who may override, as PROVIDER:ID. Default: everyone"),
    ]
}

pub(super) fn retention() -> Vec<Key> {
    let last = "Distinct digests that are kept for each channel, the live one included. Default: 10";
    let time = "The time for which a digest is kept after it stopped being live. Default: 30d";
    vec![key("keep-last", Shape::Number, last), key("keep-for", DURATION, time)]
}

pub(super) fn registry() -> Vec<Key> {
    let about = "The time for which the registry may answer an older value of a tag, 1ms to 1h. It is never shorter than \
                 the quiet time. Default: 10m for ghcr.io, 2m for *.azurecr.io, 30s for others";
    let ca = "A PEM file of certificates to trust: an authority's, or the registry's own. Relative to this file. Default: none";
    let cert = "A PEM file with the client certificate. Relative to this file. It needs `client-key`. Default: none";
    let client_key = "A PEM file with the key of the client certificate. Relative to this file. Default: none";
    let retry = "The time for which a request is tried again that the registry did not answer, or answered with 429 or 5xx. \
                 Default: 30s for a read, 300s for an upload";
    let tls = "True speaks TLS, false plain HTTP. Default: true, and false for a loopback host without a certificate";
    let user = "The environment variable that has the user of the login. It needs `password-env`. Default: none";
    let token_servers = "Hosts of token servers, HOST or HOST:PORT, that the registry may name though they are on another site. \
                         Default: none";
    let password = "The environment variable that has the password of the login. It needs `user-env`. Default: none";
    vec![
        key("settle", DURATION, about),
        key("user-env", VARIABLE, user),
        key("password-env", VARIABLE, password),
        key("token-servers", Shape::List(Box::new(Shape::Text(HOST))), token_servers),
        key("ca-file", Shape::Text("."), ca),
        key("client-cert", Shape::Text("."), cert),
        key("client-key", Shape::Text("."), client_key),
        key("retry-for", DURATION, retry),
        key("tls", Shape::Truth, tls),
    ]
}

/// The guardrails that a file can name: those of the standard policy.
pub(super) fn guardrails() -> Vec<(String, GuardrailInfo)> {
    let standard = Policy::standard();
    standard.guardrails().iter().map(|guardrail| (guardrail.name().to_owned(), guardrail.info())).collect()
}

/// The names of the guardrails that can be overridden in some operation.
pub(super) fn overridable() -> Vec<String> {
    let guardrails = guardrails().into_iter().filter(|(_, info)| !info.overridable.is_empty());
    std::iter::once(LEDGER_COMPLETE.to_owned()).chain(guardrails.map(|(name, _)| name)).collect()
}
