//! Allow-list for the hosts to which a registry may send us: token servers and redirects.
//!
//! The hosts come from a registry's answer, so they are checked before anything is sent to them.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::Url;

/// The network zone of an address. The order matters: a later zone is further inside a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Zone {
    Public,
    Private,
    Loopback,
    /// Link-local, metadata services, multicast, unspecified: no registry or token server has such an address.
    Never,
}

/// Checks the URL of a token server; [`addresses`] checks the addresses of its host. The error is the reason why it
/// must not be asked.
///
/// - A host that the caller named (`host[:port]`) is always allowed.
/// - The registry's own origin is allowed.
/// - Plain HTTP is allowed only on the registry's own host, or from loopback to loopback, and only if the connection to
///   the registry itself is plain HTTP.
/// - Any other host must be on the registry's own site: the same registrable domain (`auth.docker.io` for
///   `registry-1.docker.io`), or the same address.
pub(super) fn realm(registry: &Url, realm: &str, named: impl Fn(&Url) -> bool) -> Result<Url, String> {
    let url = Url::parse(realm).map_err(|e| format!("it is not a URL: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err("it is not a plain http or https URL".to_owned());
    }
    if named(&url) || url.origin() == registry.origin() {
        return Ok(url);
    }
    let same_host = url.host_str() == registry.host_str();
    let both_loopback = literal(&url) == Some(Zone::Loopback) && literal(registry) == Some(Zone::Loopback);
    if url.scheme() == "http" && !(registry.scheme() == "http" && (same_host || both_loopback)) {
        return Err("it is on plain HTTP".to_owned());
    }
    if same_host || both_loopback || site(registry).is_some_and(|own| site(&url) == Some(own)) {
        return Ok(url);
    }
    Err("it is on another site than the registry".to_owned())
}

/// Checks the URL of a redirect or link that leads away from the registry. Credentials are never sent along it.
pub(super) fn redirect(from: &Url, to: &Url) -> Result<(), String> {
    match (from.scheme(), to.scheme()) {
        ("https", "http") => Err("it leads from https to http".to_owned()),
        (_, "http" | "https") if to.username().is_empty() && to.password().is_none() => Ok(()),
        _ => Err("it does not lead to a plain http or https URL".to_owned()),
    }
}

/// Checks that the addresses of `target` are not further inside a network than the registry's own. Link-local and
/// metadata addresses are never allowed, private ones only from a private registry, loopback only from loopback.
///
/// A name that cannot be resolved is allowed: then the connection fails, or a proxy resolves the name.
pub(super) async fn addresses(registry: &Url, target: &Url) -> Result<(), String> {
    if registry.host_str() == target.host_str() {
        return Ok(());
    }
    match zone(target).await {
        Zone::Public => Ok(()),
        Zone::Never => Err("its address is link-local, or of a metadata service".to_owned()),
        inner if inner > zone(registry).await => Err("its address is private, and the registry's is not".to_owned()),
        _ => Ok(()),
    }
}

async fn zone(url: &Url) -> Zone {
    if let Some(zone) = literal(url) {
        return zone;
    }
    let Some(host) = url.host_str() else { return Zone::Never };
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

/// The registrable domain of a host: the last two labels, or the last three if the second-last has at
/// most three letters under a country code (`co.uk`). Without the public suffix list this is a guess, and it is too
/// strict rather than too loose for most names. Security does not depend on it alone, because a registry that wants the
/// password could ask for Basic.
fn site(url: &Url) -> Option<&str> {
    let host = url.host_str()?.trim_end_matches('.');
    if literal(url).is_some() {
        return None;
    }
    let mut labels = host.rsplit('.');
    let (last, second) = (labels.next()?, labels.next()?);
    let third = if last.len() == 2 && second.len() <= 3 { labels.next()?.len() + 1 } else { 0 };
    host.get(host.len() - last.len() - 1 - second.len() - third..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn refused(registry: &str, token_server: &str) -> Option<String> {
        realm(&url(registry), token_server, |url| url.host_str() == Some("named.example")).err()
    }

    #[test]
    fn token_servers_of_real_registries_are_allowed() {
        for (registry, token_server) in [
            ("https://registry-1.docker.io/", "https://auth.docker.io/token"),
            ("https://ghcr.io/", "https://ghcr.io/token"),
            ("https://registry.gitlab.com/", "https://gitlab.com/jwt/auth"),
            ("https://registry.digitalocean.com/", "https://api.digitalocean.com/v2/registry/auth"),
            ("https://registry.dev.example.co.uk/", "https://auth.example.co.uk/"),
            ("https://acme.azurecr.io/", "https://acme.azurecr.io/oauth2/token"),
            ("https://10.0.0.1:5000/", "https://10.0.0.1:5001/token"),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5001/token"),
            ("http://localhost:5000/", "http://127.0.0.1:5001/token"),
            ("https://reg.io/", "https://named.example/token"),
            ("https://reg.io/", "http://named.example:81/token"),
        ] {
            assert_eq!(refused(registry, token_server), None, "{registry} → {token_server}");
        }
    }

    #[test]
    fn other_token_servers_are_refused_with_the_reason() {
        let site = "it is on another site than the registry";
        let plain = "it is on plain HTTP";
        for (registry, token_server, why) in [
            ("https://reg.example.com/", "http://reg.example.com/token", plain),
            ("http://reg.example.com/", "http://auth.example.com/token", plain),
            ("https://reg.example.com/", "https://evil.test/token", site),
            ("https://reg.example.co.uk/", "https://evil.co.uk/token", site),
            ("https://reg.example.com/", "https://169.254.169.254/latest", site),
            ("https://reg.example.com/", "https://127.0.0.1/token", site),
            ("https://reg.example.com/", "https://user@reg.example.com/", "it is not a plain http or https URL"),
            ("https://reg.example.com/", "file:///etc/passwd", "it is not a plain http or https URL"),
            ("https://reg.example.com/", "/token", "it is not a URL: relative URL without a base"),
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
        assert_eq!(error("https://user:pw@cdn.io/").unwrap(), "it does not lead to a plain http or https URL");
        assert_eq!(error("https://cdn.io/"), None);
        assert!(redirect(&url("http://127.0.0.1/"), &url("http://127.0.0.1:81/")).is_ok());
    }
}
