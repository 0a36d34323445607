//! How often somebody may call. Nothing that a page sends is proof of anything, so that its address is all there is to go by.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, header},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::HashMapStateStore,
};

use crate::error::ApiError;

/// Callers share 65,536 places: what is kept of them has its bound, and who shares a place with another shares its rate.
type Place = u16;

/// The calls of late, by caller.
pub struct Calls {
    /// None where there is no limit.
    limiter: Option<RateLimiter<Place, HashMapStateStore<Place>, DefaultClock>>,
    /// Of its own for each process: nobody can tell who shares a place.
    hasher: RandomState,
}

impl Calls {
    /// So many calls a minute of each caller, and as many at once; 0 for any number.
    pub fn new(per_minute: u32) -> Calls {
        let limiter = NonZeroU32::new(per_minute).map(|calls| RateLimiter::hashmap(Quota::per_minute(calls)));
        Calls { limiter, hasher: RandomState::new() }
    }

    /// Counts a call.
    ///
    /// # Errors
    /// 429 where there were too many.
    pub(super) fn take(&self, caller: Option<IpAddr>) -> Result<(), ApiError> {
        self.check(caller).map_err(|wait_s| {
            let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", "Too many calls came from this address.")
                .hint("http.browser_calls_per_min is the bound; behind a proxy, http.client_ip_header has to name its header.");
            error.headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
            error
        })
    }

    /// Counts a call.
    ///
    /// # Errors
    /// Where there were too many: in so many seconds there may be another.
    pub fn check(&self, caller: Option<IpAddr>) -> Result<(), u64> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        // The hash's last bits are as good as any.
        let place = self.hasher.hash_one(caller.map(person)) as Place;
        limiter.check_key(&place).map_err(|until| until.wait_time_from(DefaultClock::default().now()).as_secs_f64().ceil().max(1.0) as u64)
    }
}

/// What one customer of a network has: an IPv4 address, or the 2^64 of IPv6.
fn person(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

/// Who calls: what the operator's proxy notes in its header, else the peer. Of several addresses in a list the last is the proxy's
/// own note: the others are what it was told.
pub fn caller(header: &str, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    if header.is_empty() {
        return peer;
    }
    let noted = headers.get_all(header).iter().next_back().and_then(|value| value.to_str().ok());
    noted.and_then(|list| address(list.rsplit(',').next()?.trim())).or(peer)
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_caller_has_a_rate_and_is_told_when_to_come_back() {
        let calls = Calls::new(3);
        for _ in 0..3 {
            calls.take(Some(ip("192.0.2.1"))).unwrap();
        }
        let refused = calls.take(Some(ip("192.0.2.1"))).unwrap_err();
        let wait: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!(refused.status == StatusCode::TOO_MANY_REQUESTS && (1..=20).contains(&wait), "{wait}");
        // Two callers share a place once in 65,536 times; not all of these do.
        assert!((2..10).any(|n| calls.take(Some(ip(&format!("192.0.2.{n}")))).is_ok()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller_and_a_mapped_address_is_the_ipv4_one() {
        assert_eq!(person(ip("2001:db8:1:2:3:4:5:6")), person(ip("2001:db8:1:2::1")));
        assert_ne!(person(ip("2001:db8:1:2::1")), person(ip("2001:db8:1:3::1")));
        assert_eq!(person(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }

    #[test]
    fn no_rate_is_no_limit() {
        let calls = Calls::new(0);
        assert!((0..10_000).all(|_| calls.take(Some(ip("192.0.2.1"))).is_ok()));
    }

    #[test]
    fn the_peer_is_believed_unless_the_operator_names_a_header() {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 443))));
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("198.51.100.9, 203.0.113.4"));
        headers.append("x-forwarded-for", HeaderValue::from_static("203.0.113.5, [2001:db8::1]:443"));
        headers.append("x-real-ip", HeaderValue::from_static("203.0.113.7"));
        headers.append("x-junk", HeaderValue::from_static("somebody"));
        for (header, told) in [
            ("", "10.0.0.1"),
            ("x-forwarded-for", "2001:db8::1"),
            ("x-real-ip", "203.0.113.7"),
            ("x-junk", "10.0.0.1"),
            ("x-absent", "10.0.0.1"),
        ] {
            assert_eq!(caller(header, &headers, &extensions), Some(ip(told)), "{header}");
        }
        assert_eq!(caller("", &headers, &Extensions::new()), None);
    }
}
