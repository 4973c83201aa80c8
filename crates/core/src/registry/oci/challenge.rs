//! The challenge of a 401: the `WWW-Authenticate` header (RFC 9110, section 11.6.1).

use std::collections::BTreeMap;

use super::cursor::{Cursor, unusable};
use super::options::TokenScope;
use crate::error::Result;

const NAME: &str = "WWW-Authenticate";
/// The largest number of challenges in a header, and of parameters in a challenge.
const MAX_ITEMS: usize = 32;

/// The authentication that a registry requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// The user and the password in each request (RFC 7617).
    Basic,
    /// A token of a token server (distribution specification, *Token authentication*).
    Bearer(Bearer),
}

/// The parameters of a Bearer challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    /// The token server's URL as the registry gave it. It is not trusted.
    pub(super) realm: String,
    /// The service for which the token is valid.
    pub(super) service: Option<String>,
    /// The access that was missing from the request.
    pub(super) scope: Option<String>,
}

impl Challenge {
    /// Selects the challenge to answer from all `WWW-Authenticate` headers of a 401. Bearer is preferred to Basic.
    pub(super) fn select<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Challenge> {
        let (mut basic, mut other) = (false, None);
        for header in headers {
            for (scheme, mut params) in parse(header)? {
                match scheme.as_str() {
                    "bearer" => {
                        let realm = params.remove("realm");
                        let realm = realm.ok_or_else(|| unusable(NAME, "a Bearer challenge names no realm"))?;
                        let (service, scope) = (params.remove("service"), params.remove("scope"));
                        return Ok(Challenge::Bearer(Bearer { realm, service, scope }));
                    }
                    "basic" => basic = true,
                    _ => other = other.or(Some(scheme)),
                }
            }
        }
        match other {
            _ if basic => Ok(Challenge::Basic),
            Some(scheme) => Err(unusable(NAME, format!("\"{scheme}\" is asked for; only Bearer and Basic are spoken"))),
            None => Err(unusable(NAME, "no challenge at all")),
        }
    }
}

impl Bearer {
    /// The scope to request. If the registry's own name of the repository ends in ours, with a prefix, it is used:
    /// behind some front ends the repository's name is longer than its path.
    pub(super) fn scope_of(&self, path: &str, access: TokenScope) -> String {
        let theirs = self.scope.as_deref().and_then(|scope| scope.strip_prefix("repository:")?.rsplit_once(':'));
        let name = match theirs {
            Some((name, _)) if name.ends_with(&format!("/{path}")) && !name.contains([' ', ':']) => name,
            _ => path,
        };
        let actions = match access {
            TokenScope::Pull => "pull",
            TokenScope::PullPush => "pull,push",
        };
        format!("repository:{name}:{actions}")
    }
}

/// A challenge as written in the header: the scheme, and the parameters by their names; both names are in lower case.
type Offered = (String, BTreeMap<String, String>);

/// Every challenge of one header. REGISTRY_UNAVAILABLE with the byte at which the grammar is broken.
fn parse(header: &str) -> Result<Vec<Offered>> {
    let mut cursor = Cursor::new(NAME, header)?;
    let mut all: Vec<Offered> = Vec::new();
    while cursor.next_member() {
        let (start, count) = (cursor.at(), all.len());
        // A name before '=' is that of a parameter of the last challenge, and any other name is the scheme of a new one.
        match all.last_mut() {
            Some((_, params)) if at_parameter(cursor) => {
                let (name, value) = cursor.parameter()?;
                if params.contains_key(&name) || params.len() == MAX_ITEMS {
                    return Err(cursor.broken(format!("the parameter \"{name}\" is one too many"), start));
                }
                params.insert(name, value);
                if !cursor.ends() {
                    return Err(cursor.broken("no ',' after a parameter", cursor.at()));
                }
            }
            _ if count == MAX_ITEMS => return Err(cursor.broken(format!("more than {MAX_ITEMS} challenges"), start)),
            _ => all.push((scheme(&mut cursor)?, BTreeMap::new())),
        }
    }
    Ok(all)
}

/// A scheme, and the bare value that some of them (such as Negotiate) have instead of parameters.
fn scheme(cursor: &mut Cursor<'_>) -> Result<String> {
    let start = cursor.at();
    let scheme = cursor.token().to_ascii_lowercase();
    if scheme.is_empty() {
        return Err(cursor.broken("no scheme", start));
    }
    if !cursor.ends() && !cursor.rest.starts_with([' ', '\t']) {
        return Err(cursor.broken("not a character of a scheme", cursor.at()));
    }
    cursor.spaces();
    let mut ahead = *cursor;
    ahead.run(|char| char.is_ascii_alphanumeric() || "-._~+/".contains(char));
    ahead.run(|char| char == '=');
    ahead.spaces();
    if ahead.ends() {
        *cursor = ahead;
    }
    Ok(scheme)
}

fn at_parameter(mut ahead: Cursor<'_>) -> bool {
    !ahead.token().is_empty() && ahead.take('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: &str| text.to_owned();
        Challenge::Bearer(Bearer { realm: owned(realm), service: service.map(owned), scope: scope.map(owned) })
    }

    fn select(header: &str) -> Challenge {
        Challenge::select([header]).unwrap()
    }

    fn error(header: &str) -> String {
        Challenge::select([header]).unwrap_err().to_string()
    }

    #[test]
    fn challenges_of_real_registries_are_read() {
        assert_eq!(
            select(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#
            ),
            bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull,push"))
        );
        assert_eq!(select("Basic realm=\"basic-realm\""), Challenge::Basic);
        assert_eq!(select("basic"), Challenge::Basic);
        assert_eq!(
            select(r#"bearer REALM = "https://a/\"t\\" , service=x"#),
            bearer(r#"https://a/"t\"#, Some("x"), None)
        );
    }

    #[test]
    fn bearer_goes_before_basic_and_unknown_schemes_are_passed_over() {
        let want = bearer("https://a/t", None, None);
        assert_eq!(select(r#"Basic realm="x", Bearer realm="https://a/t""#), want);
        assert_eq!(select(r#"Negotiate YWJj==, , Digest qop="auth", algorithm=MD5, Bearer realm="https://a/t""#), want);
        assert_eq!(Challenge::select(["Negotiate", r#"Bearer realm="https://a/t""#]).unwrap(), want);
        assert_eq!(select("Negotiate YWJj, Basic"), Challenge::Basic);
    }

    #[test]
    fn hostile_headers_are_errors_with_their_place() {
        assert_eq!(error(""), "WWW-Authenticate: no challenge at all");
        assert_eq!(error("=x"), "WWW-Authenticate: no scheme at byte 0");
        assert_eq!(
            error(r#"Bearer realm="https://a"#),
            "WWW-Authenticate: a quoted string has no end; it begins at byte 13"
        );
        assert_eq!(error(r#"Bearer realm="a" x"#), "WWW-Authenticate: no ',' after a parameter at byte 17");
        assert_eq!(
            error(r#"Bearer realm="a",realm="b""#),
            "WWW-Authenticate: the parameter \"realm\" is one too many at byte 17"
        );
        assert_eq!(error("Bearer scope=a"), "WWW-Authenticate: a Bearer challenge names no realm");
        assert_eq!(error("Bearer b=c,a="), "WWW-Authenticate: a parameter has no value at byte 13");
        assert_eq!(error("NTLM"), "WWW-Authenticate: \"ntlm\" is asked for; only Bearer and Basic are spoken");
        assert_eq!(error(&"a,".repeat(40)), "WWW-Authenticate: more than 32 challenges at byte 64");
        assert_eq!(error(&"a".repeat(9000)), "WWW-Authenticate: 9000 bytes, the most is 8192");
    }

    #[test]
    fn the_scope_is_all_that_a_move_needs_under_the_registrys_own_name() {
        let scope = |theirs: Option<&str>, access| {
            Bearer { realm: String::new(), service: None, scope: theirs.map(str::to_owned) }
                .scope_of("acme/shop", access)
        };
        assert_eq!(scope(None, TokenScope::PullPush), "repository:acme/shop:pull,push");
        assert_eq!(scope(Some("repository:acme/shop:pull"), TokenScope::PullPush), "repository:acme/shop:pull,push");
        assert_eq!(scope(Some("repository:local/acme/shop:pull"), TokenScope::Pull), "repository:local/acme/shop:pull");
        assert_eq!(scope(Some("repository:victim/other:pull"), TokenScope::Pull), "repository:acme/shop:pull");
        assert_eq!(
            scope(Some("repository:a:* repository:x/acme/shop:pull"), TokenScope::Pull),
            "repository:acme/shop:pull"
        );
        assert_eq!(scope(Some("registry:catalog:*"), TokenScope::Pull), "repository:acme/shop:pull");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~é\"\\\\,=]{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_quoted_comes_back(value in "[ -~]{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{quoted}\"");
            proptest::prop_assert_eq!(select(&header), bearer(&value, None, None));
        }
    }
}
