//! The challenge of a 401: the `WWW-Authenticate` header (RFC 9110, section 11.6.1).

use super::options::TokenScope;
use crate::error::{Error, ErrorKind, Result};

/// The longest header that is read, in bytes.
const MAX_BYTES: usize = 8 * 1024;
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
        let mut others = Vec::new();
        let mut basic = false;
        for header in headers {
            for offered in parse(header)? {
                match offered.scheme.as_str() {
                    "bearer" => {
                        let param = |name| offered.param(name).map(str::to_owned);
                        let realm =
                            param("realm").ok_or_else(|| unusable("a Bearer challenge names no realm", None))?;
                        return Ok(Challenge::Bearer(Bearer {
                            realm,
                            service: param("service"),
                            scope: param("scope"),
                        }));
                    }
                    "basic" => basic = true,
                    _ => others.push(offered.scheme),
                }
            }
        }
        if basic {
            return Ok(Challenge::Basic);
        }
        Err(match others.first() {
            Some(scheme) => unusable(format!("\"{scheme}\" is asked for; only Bearer and Basic are spoken"), None),
            None => unusable("no challenge at all", None),
        })
    }
}

impl Bearer {
    /// The scope to request. If the registry's own name of the repository ends in ours, with a prefix, it is used:
    /// behind some front ends the repository's name is longer than its path.
    pub(super) fn scope_of(&self, path: &str, access: TokenScope) -> String {
        let scope = self.scope.as_deref();
        let theirs = scope.and_then(|scope| scope.strip_prefix("repository:")?.rsplit_once(':')).map(|(name, _)| name);
        let name = match theirs {
            Some(name) if name.ends_with(&format!("/{path}")) && !name.contains([' ', ':']) => name,
            _ => path,
        };
        let actions = match access {
            TokenScope::Pull => "pull",
            TokenScope::PullPush => "pull,push",
        };
        format!("repository:{name}:{actions}")
    }
}

/// One challenge as written in the header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offered {
    /// The scheme in lower case.
    scheme: String,
    /// The parameters in order, with names in lower case.
    params: Vec<(String, String)>,
}

impl Offered {
    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Every challenge of one header. REGISTRY_UNAVAILABLE with the byte at which the grammar is broken.
pub(super) fn parse(header: &str) -> Result<Vec<Offered>> {
    if header.len() > MAX_BYTES {
        return Err(unusable(format!("{} bytes, the most is {MAX_BYTES}", header.len()), None));
    }
    let mut cursor = Cursor { text: header, at: 0 };
    let mut all = Vec::new();
    cursor.commas();
    while !cursor.done() {
        if all.len() == MAX_ITEMS {
            return Err(unusable(format!("more than {MAX_ITEMS} challenges"), Some(cursor.at)));
        }
        all.push(cursor.challenge()?);
        cursor.commas();
    }
    Ok(all)
}

fn unusable(why: impl std::fmt::Display, at: Option<usize>) -> Error {
    let message = match at {
        Some(at) => format!("WWW-Authenticate: {why} at byte {at}"),
        None => format!("WWW-Authenticate: {why}"),
    };
    Error::new(ErrorKind::RegistryUnavailable, message)
}

/// A position in a header's text. The `Link` parser uses it too, because its parameters have the same grammar.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl Cursor<'_> {
    pub(super) fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(super) fn done(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    pub(super) fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// Skips white space and empty list members (RFC 9110, section 5.6.1).
    pub(super) fn commas(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b',')) {
            self.at += 1;
        }
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &str {
        let rest = self.text.get(self.at..).unwrap_or("");
        let length = rest.bytes().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or("")
    }

    /// A token (RFC 9110, section 5.6.2), empty if there is none.
    pub(super) fn token(&mut self) -> &str {
        self.run(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    }

    /// A token or a quoted string. The error has a reason and a byte.
    pub(super) fn value(&mut self) -> Result<String, (&'static str, usize)> {
        if !self.take(b'"') {
            let at = self.at;
            return match self.token() {
                "" => Err(("a parameter has no value", at)),
                token => Ok(token.to_owned()),
            };
        }
        let start = self.at - 1;
        let mut value = String::new();
        let mut escaped = false;
        for char in self.rest().to_owned().chars() {
            self.at += char.len_utf8();
            match char {
                _ if escaped => {
                    value.push(char);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => return Ok(value),
                _ => value.push(char),
            }
        }
        Err(("a quoted string has no end; it begins", start))
    }

    fn challenge(&mut self) -> Result<Offered> {
        let start = self.at;
        let scheme = self.token().to_ascii_lowercase();
        if scheme.is_empty() {
            return Err(unusable("no scheme", Some(start)));
        }
        let mut offered = Offered { scheme, params: Vec::new() };
        if !matches!(self.peek(), Some(b' ' | b'\t')) {
            return match self.peek() {
                None | Some(b',') => Ok(offered),
                Some(_) => Err(unusable("not a character of a scheme", Some(self.at))),
            };
        }
        self.spaces();
        if self.skip_token68() {
            return Ok(offered);
        }
        while self.at_parameter() {
            let start = self.at;
            let name = self.token().to_ascii_lowercase();
            self.spaces();
            self.take(b'=');
            self.spaces();
            let value = self.value().map_err(|(why, at)| unusable(why, Some(at)))?;
            if offered.param(&name).is_some() || offered.params.len() == MAX_ITEMS {
                return Err(unusable(format!("the parameter \"{name}\" is one too many"), Some(start)));
            }
            offered.params.push((name, value));
            self.spaces();
            match self.peek() {
                None => break,
                Some(b',') => self.commas(),
                Some(_) => return Err(unusable("no ',' after a parameter", Some(self.at))),
            }
        }
        Ok(offered)
    }

    /// Skips a bare value, which some challenges (such as Negotiate) have instead of parameters. False if there is
    /// none.
    fn skip_token68(&mut self) -> bool {
        let mut ahead = *self;
        ahead.run(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        ahead.run(|byte| byte == b'=');
        ahead.spaces();
        let bare = ahead.at > self.at && matches!(ahead.peek(), None | Some(b','));
        if bare {
            self.at = ahead.at;
        }
        bare
    }

    fn at_parameter(&self) -> bool {
        let mut ahead = *self;
        let named = !ahead.token().is_empty();
        ahead.spaces();
        named && ahead.peek() == Some(b'=')
    }
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
