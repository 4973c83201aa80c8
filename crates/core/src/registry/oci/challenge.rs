//! The challenge of a registry: the `WWW-Authenticate` header (RFC 9110, section 11.6.1).
//!
//! Registries break the grammar of this header: values have no quotes, or a parameter is there twice. Such a header is
//! accepted if its meaning is clear.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use super::cursor::{Cursor, Unquoted, unusable};
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
    /// The token server's URL as the registry gave it, which may be relative. It is not trusted.
    pub(super) realm: String,
    /// The service for which the token is valid.
    pub(super) service: Option<String>,
    /// The access that was missing from the request.
    pub(super) scope: Option<String>,
}

impl Challenge {
    /// The challenge in the headers of an answer; none if they have none, or an empty one.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Challenge>> {
        Challenge::select(headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()))
    }

    /// Selects the challenge to answer from all `WWW-Authenticate` headers of an answer. Bearer is preferred to Basic.
    pub(super) fn select<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Option<Challenge>> {
        let (mut basic, mut other) = (false, None);
        for header in headers {
            for (scheme, mut params) in parse(header)? {
                match scheme.as_str() {
                    "bearer" => {
                        let realm = params.remove("realm").filter(|realm| !realm.is_empty());
                        let realm = realm.ok_or_else(|| unusable(NAME, "a Bearer challenge names no realm"))?;
                        let (service, scope) = (params.remove("service"), params.remove("scope"));
                        return Ok(Some(Challenge::Bearer(Bearer { realm, service, scope })));
                    }
                    "basic" => basic = true,
                    _ => other = other.or(Some(scheme)),
                }
            }
        }
        match other {
            _ if basic => Ok(Some(Challenge::Basic)),
            Some(scheme) => Err(unusable(NAME, format!("\"{scheme}\" is not supported; Bearer and Basic are"))),
            None => Ok(None),
        }
    }

    /// True if a request to the repository with this path gets the same login by this challenge as by the other.
    pub(super) fn is_answered_as(&self, other: &Challenge, path: &str) -> bool {
        match (self, other) {
            (Challenge::Basic, Challenge::Basic) => true,
            (Challenge::Bearer(one), Challenge::Bearer(two)) => {
                let asked = |bearer: &Bearer| bearer.scope_of(path, TokenScope::Pull);
                one.realm == two.realm && one.service == two.service && asked(one) == asked(two)
            }
            _ => false,
        }
    }
}

impl Bearer {
    /// The scope to request. It names the repository as the challenge does, if that name is the path with a prefix:
    /// behind some front ends the registry's name of a repository is longer than its path.
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
    // True after a scope without quotes: the ',' between its actions looks like the end of the parameter.
    let mut in_scope = false;
    while cursor.next_member() {
        let (start, count) = (cursor.at(), all.len());
        if let (true, Some((_, params)), Some((action, after))) = (in_scope, all.last_mut(), action(cursor)) {
            params.entry("scope".to_owned()).and_modify(|scope| *scope = format!("{scope},{action}"));
            cursor = after;
            continue;
        }
        // A name before '=' is that of a parameter of the last challenge, and any other name is the scheme of a new
        // one.
        match all.last_mut() {
            Some((_, params)) if at_parameter(cursor) => {
                in_scope = is_unquoted_scope(cursor);
                let (name, value) = cursor.parameter(Unquoted::Anything)?;
                if params.len() == MAX_ITEMS {
                    return Err(cursor.broken(format!("more than {MAX_ITEMS} parameters, with \"{name}\""), start));
                }
                // Of two parameters of one name, the first counts. Two different token servers are an error.
                let known = params.entry(name.clone()).or_insert_with(|| value.clone());
                if name == "realm" && *known != value {
                    return Err(cursor.broken("another \"realm\"", start));
                }
                if !cursor.ends() {
                    return Err(cursor.broken("no ',' after a parameter", cursor.at()));
                }
            }
            _ if count == MAX_ITEMS => return Err(cursor.broken(format!("more than {MAX_ITEMS} challenges"), start)),
            _ => {
                in_scope = false;
                all.push((scheme(&mut cursor)?, BTreeMap::new()));
            }
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

fn is_unquoted_scope(mut ahead: Cursor<'_>) -> bool {
    ahead.token().eq_ignore_ascii_case("scope") && ahead.take('=') && !ahead.take('"')
}

/// An action of a scope that is a whole list member, and the cursor after it.
fn action(mut ahead: Cursor<'_>) -> Option<(&str, Cursor<'_>)> {
    let action = ahead.token();
    ahead.spaces();
    (matches!(action, "pull" | "push" | "delete" | "*") && ahead.ends()).then_some((action, ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: &str| text.to_owned();
        Challenge::Bearer(Bearer { realm: owned(realm), service: service.map(owned), scope: scope.map(owned) })
    }

    fn select(header: &str) -> Challenge {
        Challenge::select([header]).unwrap().unwrap()
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
        assert_eq!(Challenge::select(["Negotiate", r#"Bearer realm="https://a/t""#]).unwrap(), Some(want));
        assert_eq!(select("Negotiate YWJj, Basic"), Challenge::Basic);
    }

    #[test]
    fn headers_that_break_the_grammar_are_read_if_their_meaning_is_clear() {
        let want = bearer("https://a/t?x=1", Some("reg"), Some("repository:a/b:pull,push"));
        for header in [
            "Bearer realm=https://a/t?x=1,service=reg,scope=repository:a/b:pull,push",
            "Bearer scope=repository:a/b:pull, push , realm=https://a/t?x=1 ,service=reg",
            r#"Bearer realm="https://a/t?x=1",realm=https://a/t?x=1,service=reg,service="",scope="repository:a/b:pull,push",scope=x"#,
        ] {
            assert_eq!(select(header), want, "{header}");
        }
        assert_eq!(select("Bearer realm=/t, Basic"), bearer("/t", None, None));
        assert_eq!(select("Bearer realm=/t,scope=a,pull,Basic realm=b"), bearer("/t", None, Some("a,pull")));
        for header in
            ["Basic realm=/", "Basic realm=", "Basic realm=Docker Registry, Negotiate", "BASIC Realm=\"a\",realm=a"]
        {
            assert_eq!(select(header), Challenge::Basic, "{header}");
        }
        for header in ["", " ", ",, "] {
            assert_eq!(Challenge::select([header]).unwrap(), None, "{header:?}");
        }
    }

    #[test]
    fn hostile_headers_are_errors_with_their_place() {
        assert_eq!(error("=x"), "WWW-Authenticate: no scheme at byte 0");
        assert_eq!(
            error(r#"Bearer realm="https://a"#),
            "WWW-Authenticate: a quoted string has no end; it begins at byte 13"
        );
        assert_eq!(error(r#"Bearer realm="a" x"#), "WWW-Authenticate: no ',' after a parameter at byte 17");
        assert_eq!(error(r#"Bearer realm="a",realm="b""#), "WWW-Authenticate: another \"realm\" at byte 17");
        assert_eq!(error("Bearer scope=a"), "WWW-Authenticate: a Bearer challenge names no realm");
        assert_eq!(error("Bearer b=c,realm="), "WWW-Authenticate: a Bearer challenge names no realm");
        assert_eq!(error("NTLM"), "WWW-Authenticate: \"ntlm\" is not supported; Bearer and Basic are");
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
        fn what_is_quoted_comes_back(value in "[ -~]{1,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{quoted}\"");
            proptest::prop_assert_eq!(select(&header), bearer(&value, None, None));
        }
    }
}
