//! Allow-list for the hosts to which a registry may send us: token servers and redirects.
//!
//! The hosts come from a registry's answer, so they are checked before anything is sent to them.

use std::net::{IpAddr, Ipv4Addr};

use psl::Psl;
use reqwest::Url;

use crate::http::Proxies;

/// The network zone of an address. The order matters: a later zone is further inside a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Zone {
    Public,
    Private,
    Loopback,
    /// Link-local, metadata services, multicast, unspecified: no registry or token server has such an address.
    Never,
}

/// The URL of a token server. A relative URL is relative to the registry. The error is the reason why the server must
/// never be asked: the URL is not http or https, has a user, or is http. Plain HTTP is allowed only on the registry's
/// own host, or from loopback to loopback, and only if the connection to the registry itself is plain HTTP.
pub(super) fn realm(registry: &Url, realm: &str) -> Result<Url, String> {
    if realm.contains(|char: char| char.is_whitespace() || char.is_control()) {
        return Err("it is not a URL: it has white space".to_owned());
    }
    let root = registry.join("/").map_err(|e| e.to_string())?;
    let url = root.join(realm).map_err(|e| format!("it is not a URL: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err("it is not an http or https URL without a user".to_owned());
    }
    let both_loopback = literal(&url) == Some(Zone::Loopback) && literal(registry) == Some(Zone::Loopback);
    let near = url.host_str() == registry.host_str() || both_loopback;
    if url.scheme() == "http" && !(registry.scheme() == "http" && near) {
        return Err("it is on plain HTTP, on which the network could read the credentials".to_owned());
    }
    Ok(url)
}

/// Checks that a token server is on the registry's own site: the same host, or the same registrable domain by the
/// public suffix list (`auth.docker.io` for `registry-1.docker.io`).
///
/// This check does not protect the password from the registry itself, which could ask for it with Basic.
pub(super) fn same_site(registry: &Url, token_server: &Url) -> Result<(), String> {
    let same_host = token_server.host_str() == registry.host_str();
    match same_host || site(registry).is_some_and(|own| site(token_server) == Some(own)) {
        true => Ok(()),
        false => Err("it is on another site than the registry".to_owned()),
    }
}

/// Checks the URL of a redirect or link that leads away from the registry. Credentials are never sent along it.
pub(super) fn redirect(from: &Url, to: &Url) -> Result<(), String> {
    match (from.scheme(), to.scheme()) {
        ("https", "http") => Err("it leads from https to http".to_owned()),
        (_, "http" | "https") if to.username().is_empty() && to.password().is_none() => Ok(()),
        _ => Err("it does not lead to an http or https URL without a user".to_owned()),
    }
}

/// Checks that the addresses of `target` are not further inside a network than the registry's own. Link-local and
/// metadata addresses are never allowed, private ones only from a private registry, loopback only from loopback.
///
/// Behind a proxy no name is resolved here, because the proxy does that. A name that cannot be resolved is allowed: the
/// connection to it fails later.
pub(super) async fn addresses(registry: &Url, target: &Url) -> Result<(), String> {
    if registry.host_str() == target.host_str() {
        return Ok(());
    }
    match reachable(target).await? {
        Zone::Public => Ok(()),
        inner if inner > zone(registry).await => Err("its address is private, and the registry's is not".to_owned()),
        _ => Ok(()),
    }
}

/// The zone of `target`. An error for a link-local or metadata address, also if the host is a name.
async fn reachable(target: &Url) -> Result<Zone, String> {
    match zone(target).await {
        Zone::Never => Err("its address is link-local, or of a metadata service".to_owned()),
        zone => Ok(zone),
    }
}

/// Checks the addresses of a token server that the caller named.
pub(super) async fn named(target: &Url) -> Result<(), String> {
    reachable(target).await.map(|_| ())
}

async fn zone(url: &Url) -> Zone {
    if let Some(zone) = literal(url) {
        return zone;
    }
    let Some(host) = url.host_str() else { return Zone::Never };
    if Proxies::of_environment().to(url).is_some() {
        return Zone::Public;
    }
    let found = tokio::net::lookup_host((host, url.port_or_known_default().unwrap_or(443))).await.ok();
    found.and_then(|addresses| addresses.map(|address| zone_of(address.ip())).max()).unwrap_or(Zone::Public)
}

/// The zone of a URL, if its host shows the zone without a look-up.
fn literal(url: &Url) -> Option<Zone> {
    let host = url.host_str()?;
    match host.trim_end_matches('.') {
        "metadata.google.internal" | "metadata" | "instance-data" => Some(Zone::Never),
        name if name == "localhost" || name.ends_with(".localhost") => Some(Zone::Loopback),
        _ => host.trim_start_matches('[').trim_end_matches(']').parse().ok().map(zone_of),
    }
}

fn zone_of(ip: IpAddr) -> Zone {
    match ip.to_canonical() {
        IpAddr::V4(ip) => zone_of_v4(ip),
        IpAddr::V6(ip) => match ip.segments() {
            // NAT64 (RFC 6052) has an IPv4 address in the last 32 bits.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                zone_of_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
            }
            // The metadata service of AWS.
            [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Zone::Never,
            _ if ip.is_loopback() => Zone::Loopback,
            _ if ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() => Zone::Never,
            _ if ip.is_unique_local() => Zone::Private,
            _ => Zone::Public,
        },
    }
}

fn zone_of_v4(ip: Ipv4Addr) -> Zone {
    match ip.octets() {
        // The metadata services of Alibaba and Oracle; those of other clouds are link-local.
        [100, 100, 100, 200] | [192, 0, 0, 192] => Zone::Never,
        [0, ..] | [224..=255, ..] | [169, 254, ..] => Zone::Never,
        [127, ..] => Zone::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Zone::Private,
        _ => Zone::Public,
    }
}

/// The registrable domain of a host: one label more than its public suffix. The last label counts as the suffix of a
/// name that the list does not have, such as `auth.corp.internal`.
fn site(url: &Url) -> Option<&[u8]> {
    let host = url.host_str()?.trim_end_matches('.');
    match literal(url) {
        Some(_) => None,
        None => psl::List.domain(host.as_bytes()).map(|domain| domain.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// The reason why a token server is not asked, unless it is allowed by name.
    fn refused(registry: &str, token_server: &str) -> Option<String> {
        let registry = url(registry);
        realm(&registry, token_server).and_then(|url| same_site(&registry, &url)).err()
    }

    #[test]
    fn token_servers_of_real_registries_are_allowed() {
        for (registry, token_server) in [
            ("https://registry-1.docker.io/", "https://auth.docker.io/token"),
            ("https://ghcr.io/", "https://ghcr.io/token"),
            ("https://registry.gitlab.com/", "https://gitlab.com/jwt/auth"),
            ("https://registry.digitalocean.com/", "https://api.digitalocean.com/v2/registry/auth"),
            ("https://registry.dev.example.co.uk/", "https://auth.example.co.uk/"),
            ("https://registry.dev.example.com.au/", "https://auth.example.com.au/"),
            ("https://registry.corp.internal/", "https://auth.corp.internal./"),
            ("https://acme.azurecr.io/", "https://acme.azurecr.io/oauth2/token"),
            ("https://10.0.0.1:5000/", "https://10.0.0.1:5001/token"),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5001/token"),
            ("http://reg.example.com/", "http://reg.example.com:5001/token"),
            ("http://reg.example.com/", "https://auth.example.com/token"),
        ] {
            assert_eq!(refused(registry, token_server), None, "{registry} → {token_server}");
        }
    }

    #[test]
    fn relative_token_server_is_relative_to_the_registry() {
        let registry = url("https://reg.example.com:5000/v2/acme/shop/");
        for (given, want) in [
            ("/token", "https://reg.example.com:5000/token"),
            ("token?x=1", "https://reg.example.com:5000/token?x=1"),
            ("//auth.example.com/token", "https://auth.example.com/token"),
        ] {
            assert_eq!(realm(&registry, given).unwrap().as_str(), want);
        }
    }

    #[test]
    fn other_token_servers_are_refused_with_the_reason() {
        let site = "it is on another site than the registry";
        let plain = "it is on plain HTTP, on which the network could read the credentials";
        let not_plain = "it is not an http or https URL without a user";
        for (registry, token_server, why) in [
            ("https://reg.example.com/", "http://reg.example.com/token", plain),
            ("http://reg.example.com/", "http://auth.example.com/token", plain),
            ("http://127.0.0.1/", "http://10.0.0.1/token", plain),
            ("http://localhost:5000/", "http://127.0.0.1:5001/token", site),
            ("https://reg.example.com/", "https://evil.test/token", site),
            ("https://reg.example.com/", "//evil.test/token", site),
            ("https://reg.example.co.uk/", "https://evil.co.uk/token", site),
            ("https://a.github.io/", "https://b.github.io/token", site),
            ("https://registry/", "https://auth/token", site),
            ("https://reg.example.com/", "https://169.254.169.254/latest", site),
            ("https://reg.example.com/", "https://127.0.0.1/token", site),
            ("https://reg.example.com/", "https://user@reg.example.com/", not_plain),
            ("https://reg.example.com/", "file:///etc/passwd", not_plain),
            ("https://reg.example.com/", "https://a b/", "it is not a URL: it has white space"),
        ] {
            assert_eq!(refused(registry, token_server).as_deref(), Some(why), "{registry} → {token_server}");
        }
    }

    #[tokio::test]
    async fn addresses_further_inside_than_the_registry_are_refused() {
        for (registry, target, passes) in [
            ("https://8.8.8.8/", "https://9.9.9.9/", true),
            ("https://8.8.8.8/", "https://10.0.0.1/", false),
            ("https://8.8.8.8/", "https://localhost/", false),
            ("https://10.0.0.1/", "https://192.168.0.9/", true),
            ("https://10.0.0.1/", "https://127.0.0.1/", false),
            ("http://127.0.0.1:1/", "http://127.0.0.1:2/", true),
            ("http://127.0.0.1/", "http://169.254.169.254/", false),
            ("http://127.0.0.1/", "http://metadata.google.internal/", false),
            ("https://8.8.8.8/", "https://[::ffff:10.0.0.1]/", false),
            ("https://8.8.8.8/", "https://[64:ff9b::a9fe:a9fe]/", false),
            ("https://8.8.8.8/", "https://[fd00:ec2::254]/", false),
            ("https://[fd00::1]/", "https://[fd00:ec2::254]/", false),
            ("https://8.8.8.8/", "https://[2001:4860:4860::8888]/", true),
        ] {
            assert_eq!(addresses(&url(registry), &url(target)).await.is_ok(), passes, "{registry} → {target}");
        }
    }

    #[test]
    fn redirects_never_leave_tls() {
        let error = |to: &str| redirect(&url("https://reg.io/"), &url(to)).err();
        assert_eq!(error("http://reg.io/").unwrap(), "it leads from https to http");
        let why = "it does not lead to an http or https URL without a user";
        assert_eq!(error("https://user:pw@cdn.io/").unwrap(), why);
        assert_eq!(error("https://cdn.io/"), None);
        assert!(redirect(&url("http://127.0.0.1/"), &url("http://127.0.0.1:81/")).is_ok());
    }
}
