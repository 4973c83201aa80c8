//! The hosts that are never reached through a proxy: loopback, and link-local addresses.

use std::net::IpAddr;

/// True for the hosts that are never reached through a proxy.
pub(super) fn is_near(host: &str) -> bool {
    is_loopback(host) || host.starts_with("169.254.")
}

/// True for `localhost`, 127.0.0.0/8 and `::1`, with or without brackets.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}
