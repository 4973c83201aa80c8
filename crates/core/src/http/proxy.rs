//! `Proxies`: the HTTP proxies that the environment names.

use std::net::IpAddr;

use reqwest::{ClientBuilder, Url};

use super::near::is_near;
use crate::error::{Error, ErrorKind, Result};

/// The proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, and the hosts of `NO_PROXY`, as curl reads them: in upper
/// or lower case, the first that is set. In a CGI program (`REQUEST_METHOD` is set) there are none, because a client's
/// header could set them there.
#[derive(Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Named>,
    https: Option<Named>,
    except: Vec<String>,
}

/// The proxy that a variable names, or the variable whose value names none that can be used.
type Named = Result<Proxy, &'static str>;

/// One proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// The URL, which may have a user and a password.
    url: Url,
    /// The variable that named it.
    variable: &'static str,
}

impl Proxies {
    /// The proxies of this process's environment.
    pub(crate) fn of_environment() -> Proxies {
        // A value that is not UTF-8 must not count as none: it gets characters that no URL of a proxy has.
        Proxies::of(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    pub(crate) fn of(variable: impl Fn(&str) -> Option<String>) -> Proxies {
        if variable("REQUEST_METHOD").is_some() {
            return Proxies::default();
        }
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
        let proxy = |names| first(names).and_then(|(variable, text)| named(variable, &text));
        let all = proxy(["ALL_PROXY", "all_proxy"]);
        let except = first(["NO_PROXY", "no_proxy"]).map(|(_, hosts)| hosts).unwrap_or_default();
        Proxies {
            http: proxy(["HTTP_PROXY", "http_proxy"]).or_else(|| all.clone()),
            https: proxy(["HTTPS_PROXY", "https_proxy"]).or(all),
            except: except.split(',').map(|host| host.trim().to_ascii_lowercase()).collect(),
        }
    }

    /// The proxy through which a URL is requested; none if it is requested directly. A loopback host and the link-local
    /// addresses of instance metadata are never behind a proxy.
    pub(crate) fn to(&self, url: &Url) -> Option<&Proxy> {
        self.named(url)?.as_ref().ok()
    }

    /// CONFIG_INVALID if a URL is to be requested through a proxy, and the variable that names it has another value than
    /// the URL of an http or https proxy: a direct request might go around a rule of the network. The message does not
    /// show the value, which may have a password.
    pub(crate) fn check(&self, url: &Url) -> Result<()> {
        let Some(Err(variable)) = self.named(url) else { return Ok(()) };
        let host = url.host_str().unwrap_or_default();
        let message = format!(
            "{variable} is not the URL of a proxy that can be used: write http://HOST:PORT or https://HOST:PORT, with \
             USER:PASSWORD@ before HOST if it wants a login (other kinds, such as socks5 and ftp, cannot be used); or, to \
             reach {host} directly, unset it, or name {host} in NO_PROXY"
        );
        Err(Error::new(ErrorKind::ConfigInvalid, message).with_context("variable", variable))
    }

    fn named(&self, url: &Url) -> Option<&Named> {
        let (host, port) = (url.host_str()?.to_ascii_lowercase(), url.port_or_known_default());
        if is_near(&host) || self.except.iter().any(|except| is_excepted(&host, port, except)) {
            return None;
        }
        if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }

    /// A client that uses these proxies. If the environment names none, it uses those of the system's settings (on
    /// macOS and Windows).
    pub(crate) fn set(self, builder: ClientBuilder) -> ClientBuilder {
        if self.http.is_none() && self.https.is_none() {
            return builder;
        }
        builder.no_proxy().proxy(reqwest::Proxy::custom(move |url| self.to(url).map(|proxy| proxy.url.clone())))
    }
}

impl Proxy {
    /// The advice for a proxy that wants a login.
    pub(crate) fn login(&self) -> String {
        let Proxy { url, variable } = self;
        match url.username().is_empty() {
            true => format!("it wants a login: write it into {variable}, as in http://USER:PASSWORD@HOST:PORT"),
            false => format!(
                "it does not take the user and the password in {variable}; a character other than a letter, a digit, '-', \
                 '.', '_' or '~' is written there as % and two hex digits"
            ),
        }
    }
}

impl std::fmt::Display for Proxy {
    /// `http://proxy.example.com:3128 (HTTPS_PROXY)`, without user and password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, host) = (self.url.scheme(), self.url.host_str().unwrap_or_default());
        let port = self.url.port_or_known_default().unwrap_or_default();
        write!(f, "{scheme}://{host}:{port} ({})", self.variable)
    }
}

/// The proxy in the value of a variable; without a scheme its URL is http. None if the value is empty: then there is no
/// proxy.
fn named(variable: &'static str, text: &str) -> Option<Named> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&text).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    Some(url.map(|url| Proxy { url, variable }).ok_or(variable))
}

/// True if an entry of `NO_PROXY` covers this port of a host: `HOST` all ports, `HOST:PORT` one, as programs in Go read
/// it.
fn is_excepted(host: &str, port: Option<u16>, except: &str) -> bool {
    match except.rsplit_once(':').map(|(name, only)| (name, only.parse::<u16>())) {
        // An IPv6 address has colons of its own, except inside of brackets.
        Some((name, Ok(only))) if !name.contains(':') || name.ends_with(']') => {
            port == Some(only) && is_covered(host, name)
        }
        _ => is_covered(host, except),
    }
}

/// True if an entry of `NO_PROXY` covers a host: `*`, the same address, a network with the address, the same name, or
/// a name above it, with or without a dot before it.
fn is_covered(host: &str, except: &str) -> bool {
    let ip = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let name = except.trim_start_matches('.');
    match (ip(host), except.split_once('/')) {
        _ if except == "*" => true,
        _ if name.is_empty() => false,
        (Some(host), Some((network, bits))) => ip(network).is_some_and(|network| is_within(host, network, bits)),
        (Some(host), None) => ip(except) == Some(host),
        (None, _) => host.strip_suffix(name).is_some_and(|above| above.is_empty() || above.ends_with('.')),
    }
}

fn is_within(host: IpAddr, network: IpAddr, bits: &str) -> bool {
    let (host, network, width) = match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => (u128::from(host.to_bits()), u128::from(network.to_bits()), 32),
        (IpAddr::V6(host), IpAddr::V6(network)) => (host.to_bits(), network.to_bits(), 128_u32),
        _ => return false,
    };
    let others = bits.parse().ok().and_then(|bits: u32| width.checked_sub(bits));
    others.is_some_and(|others| others >= width || host >> others == network >> others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(set: &[(&str, &str)]) -> Proxies {
        Proxies::of(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    fn shown(proxies: &Proxies, url: &str) -> String {
        proxies.to(&url.parse().unwrap()).map_or_else(|| "direct".to_owned(), ToString::to_string)
    }

    #[test]
    fn scheme_decides_the_proxy_and_all_proxy_stands_in() {
        let both = proxies(&[("HTTPS_PROXY", "http://ci:canary@proxy.corp:3128"), ("ALL_PROXY", "other.corp")]);
        assert_eq!(shown(&both, "https://reg.io/"), "http://proxy.corp:3128 (HTTPS_PROXY)");
        assert_eq!(shown(&both, "http://reg.io/"), "http://other.corp:80 (ALL_PROXY)");
        let lower = proxies(&[("https_proxy", "https://proxy.corp")]);
        assert_eq!(shown(&lower, "https://reg.io/"), "https://proxy.corp:443 (https_proxy)");
        assert_eq!(shown(&lower, "http://reg.io/"), "direct");
        assert_eq!(shown(&proxies(&[("HTTPS_PROXY", "")]), "https://reg.io/"), "direct");
        let cgi = proxies(&[("HTTP_PROXY", "http://evil.test"), ("REQUEST_METHOD", "GET")]);
        assert_eq!(shown(&cgi, "http://reg.io/"), "direct");
    }

    #[test]
    fn value_that_names_no_usable_proxy_is_refused_where_it_counts() {
        for value in ["ftp://ci:canary@proxy.corp", "socks5://proxy.corp", "http://", "ci:canary@proxy.corp:x", "a b"] {
            let set = [("HTTPS_PROXY", value), ("ALL_PROXY", "http://proxy.corp"), ("NO_PROXY", "direct.io")];
            let proxies = proxies(&set);
            let error = proxies.check(&"https://reg.io/".parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{value}");
            assert!(error.to_string().starts_with("HTTPS_PROXY is not the URL of a proxy that can be used"), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            for passes in ["http://reg.io/", "https://direct.io/", "https://localhost:5000/"] {
                assert!(proxies.check(&passes.parse().unwrap()).is_ok(), "{value} {passes}");
            }
        }
        for value in ["", " ", "proxy.corp", "proxy.corp:3128", "https://ci:canary@proxy.corp"] {
            let url = "https://reg.io/".parse().unwrap();
            assert!(proxies(&[("HTTPS_PROXY", value)]).check(&url).is_ok(), "{value}");
        }
    }

    #[test]
    fn no_proxy_and_near_hosts_are_reached_directly() {
        let set = |except| proxies(&[("HTTPS_PROXY", "http://proxy.corp"), ("NO_PROXY", except)]);
        for (except, host, direct) in [
            ("reg.io", "reg.io", true),
            ("REG.io", "a.reg.io", true),
            (".reg.io", "a.reg.io", true),
            ("reg.io", "areg.io", false),
            ("a.io, reg.io", "reg.io", true),
            ("*", "reg.io", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("10.0.0.0/33", "10.1.2.3", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("fd00::/8", "[fd00::1]", true),
            ("fd00::1", "[fd00::1]", true),
            ("[fd00::1]:443", "[fd00::1]", true),
            ("[fd00::1]:5000", "[fd00::1]", false),
            ("reg.io:5000", "reg.io:5000", true),
            (".reg.io:5000", "a.reg.io:5000", true),
            ("reg.io:443", "reg.io", true),
            ("reg.io:5000", "reg.io", false),
            ("reg.io:5000", "reg.io:5001", false),
            ("reg.io", "reg.io:5000", true),
            ("10.1.2.3:5000", "10.1.2.3:5000", true),
            ("", "reg.io", false),
            (",", "reg.io", false),
            ("", "localhost", true),
            ("", "127.0.0.1", true),
            ("", "[::1]", true),
            ("", "169.254.169.254", true),
        ] {
            assert_eq!(shown(&set(except), &format!("https://{host}/")) == "direct", direct, "{except} {host}");
        }
    }
}
