//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};

/// The network address of whoever asks: the connection's other end; with `trust_proxy`,
/// the last entry of `X-Forwarded-For`, which is the one that the proxy in front wrote
/// (those before it are whatever the client claims).
///
/// Where neither is known, as between a test and a router, all share one address, so that
/// a limit by address still holds.
#[must_use]
pub fn of(headers: &HeaderMap, extensions: &Extensions, trust_proxy: bool) -> IpAddr {
    let peer = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    if !trust_proxy {
        return peer;
    }
    headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok()?.rsplit(',').next())
        .and_then(|last| parse(last.trim()))
        .unwrap_or(peer)
}

/// An address with or without a port, as proxies write it.
fn parse(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[');
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| plain.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_forwarded(values: &[&str], trust_proxy: bool) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        let peer: SocketAddr = "192.0.2.1:5".parse().unwrap();
        extensions.insert(ConnectInfo(peer));
        of(&headers, &extensions, trust_proxy).to_string()
    }

    #[test]
    fn a_proxy_is_believed_only_where_one_is_trusted() {
        assert_eq!(of_forwarded(&["198.51.100.7"], false), "192.0.2.1");
        assert_eq!(of_forwarded(&[], true), "192.0.2.1");
        assert_eq!(of_forwarded(&["nonsense"], true), "192.0.2.1");
        assert_eq!(
            of_forwarded(&["1.1.1.1, 198.51.100.7"], true),
            "198.51.100.7"
        );
        assert_eq!(
            of_forwarded(&["1.1.1.1", "198.51.100.7:80"], true),
            "198.51.100.7"
        );
        assert_eq!(of_forwarded(&["[2001:db8::1]:80"], true), "2001:db8::1");
        assert_eq!(of_forwarded(&["[2001:db8::1]"], true), "2001:db8::1");
    }

    #[test]
    fn without_a_connection_all_share_an_address() {
        let address = of(&HeaderMap::new(), &Extensions::new(), false);
        assert!(address.is_unspecified());
    }
}
