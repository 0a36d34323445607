//! How often somebody may ask, and how often somebody may fail to say who it is. Each node counts for itself.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};

use crate::{browser::Calls, error::ApiError};

/// Seconds of a window.
const WINDOW_S: u64 = 60;
/// Between two looks at who is idle.
const SWEEP_EVERY: u32 = 1024;
/// Callers that are counted each by itself. Where more are busy at the same time, they share places.
const KEPT_MAX: usize = 100_000;
/// Places that they share then.
const PLACES: u64 = 1 << 16;

/// The requests of late, by caller, and the failures of late, by address.
pub struct Limits {
    /// None where there is no limit.
    requests: Option<Requests>,
    failures: Calls,
}

impl Limits {
    /// So many a minute each, and as many at once; 0 for any number.
    pub fn new(requests_per_min: u32, failures_per_min: u32) -> Limits {
        Limits { requests: NonZeroU32::new(requests_per_min).map(Requests::new), failures: Calls::new(failures_per_min) }
    }

    /// Counts a request of the caller's. None where there is no limit.
    pub fn count(&self, caller: &str) -> Option<Standing> {
        self.requests.as_ref().map(|requests| requests.count(caller))
    }

    /// Counts a request of somebody who is nobody.
    ///
    /// # Errors
    /// 429 where there were too many from that address. Whoever has a valid key is let in all the same: an address may be many
    /// people's.
    pub fn count_failure(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        self.failures.check(address).map_err(|wait_s| {
            let mut error = ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_failures",
                "Too many requests came from this address without a key or a token that is valid.",
            )
            .hint("auth.failures_per_min is the bound. Behind a proxy, http.client_ip_header has to name its header.");
            error.headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
            error
        })
    }
}

struct Requests {
    limiter: RateLimiter<u64, HashMapStateStore<u64>, DefaultClock, StateInformationMiddleware>,
    /// Of its own for each process: nobody can tell who shares a place.
    hasher: RandomState,
    per_min: u32,
    counted: AtomicU32,
    crowded: AtomicBool,
}

impl Requests {
    fn new(per_min: NonZeroU32) -> Requests {
        Requests {
            limiter: RateLimiter::hashmap(Quota::per_minute(per_min)).with_middleware::<StateInformationMiddleware>(),
            hasher: RandomState::new(),
            per_min: per_min.get(),
            counted: AtomicU32::new(0),
            crowded: AtomicBool::new(false),
        }
    }

    fn count(&self, caller: &str) -> Standing {
        if self.counted.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
            self.sweep(KEPT_MAX);
        }
        let (remaining, retry_s) = match self.limiter.check_key(&self.place(caller)) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(until.wait_time_from(DefaultClock::default().now()).as_secs_f64().ceil().max(1.0) as u64)),
        };
        let used = u64::from(self.per_min.saturating_sub(remaining));
        Standing { limit: self.per_min, remaining, reset_s: (used * WINDOW_S).div_ceil(u64::from(self.per_min)), retry_s }
    }

    fn place(&self, caller: &str) -> u64 {
        let hash = self.hasher.hash_one(caller);
        if self.crowded.load(Ordering::Relaxed) { hash % PLACES } else { hash }
    }

    /// Forgets who has all of its requests left.
    fn sweep(&self, most: usize) {
        self.limiter.retain_recent();
        self.crowded.store(self.limiter.len() > most, Ordering::Relaxed);
    }
}

/// Where a caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    limit: u32,
    remaining: u32,
    /// Seconds until all of them are there again.
    reset_s: u64,
    /// The request is one too many; seconds until there is one again.
    retry_s: Option<u64>,
}

impl Standing {
    /// # Errors
    /// 429 where it is one too many.
    pub fn check(&self) -> Result<(), ApiError> {
        let Some(retry_s) = self.retry_s else { return Ok(()) };
        let message = format!("More than {} requests a minute came with this key or token.", self.limit);
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
            .hint(format!("Ask again in {retry_s} s. The operator's setting auth.requests_per_min is the bound."));
        error.headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_s));
        Err(error)
    }

    /// As the IETF's draft has it (draft-ietf-httpapi-ratelimit-headers), and as most have it.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let Standing { limit, remaining, reset_s, .. } = self;
        let texts = [
            ("ratelimit-policy", format!("\"default\";q={limit};w={WINDOW_S}")),
            ("ratelimit", format!("\"default\";r={remaining};t={reset_s}")),
            ("x-ratelimit-limit", limit.to_string()),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset", reset_s.to_string()),
        ];
        for (name, text) in texts {
            if let Ok(text) = HeaderValue::try_from(text) {
                headers.insert(HeaderName::from_static(name), text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_is_counted_and_told_where_it_stands() {
        let limits = Limits::new(3, 0);
        let stands: Vec<Standing> = (0..4).map(|_| limits.count("a").unwrap()).collect();
        assert_eq!(stands.iter().map(|standing| standing.remaining).collect::<Vec<_>>(), [2, 1, 0, 0]);
        assert!(stands[..3].iter().all(|standing| standing.check().is_ok()));
        let refused = stands[3].check().unwrap_err();
        assert_eq!((refused.status, refused.body.code), (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"));
        assert!(refused.headers.contains_key(header::RETRY_AFTER));
        assert_eq!(limits.count("b").unwrap().remaining, 2);
        let mut headers = HeaderMap::new();
        stands[0].tell(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"default\";q=3;w=60");
        assert_eq!(
            (&headers["ratelimit"], &headers["x-ratelimit-reset"]),
            (&HeaderValue::from_static("\"default\";r=2;t=20"), &HeaderValue::from(20))
        );
    }

    #[test]
    fn what_is_kept_of_callers_has_its_bound() {
        let requests = Requests::new(NonZeroU32::new(1).unwrap());
        for n in 0..10 {
            requests.count(&n.to_string());
        }
        requests.sweep(100);
        assert!(!requests.crowded.load(Ordering::Relaxed));
        requests.sweep(9);
        assert!(requests.crowded.load(Ordering::Relaxed));
        assert!((0..100).all(|n| requests.place(&n.to_string()) < PLACES));
    }

    #[test]
    fn no_limit_is_none() {
        let limits = Limits::new(0, 0);
        assert_eq!(limits.count("a"), None);
        assert!((0..1000).all(|_| limits.count_failure(None).is_ok()));
    }

    #[test]
    fn failures_are_counted_by_address() {
        let limits = Limits::new(0, 2);
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        assert!(limits.count_failure(address).is_ok() && limits.count_failure(address).is_ok());
        assert_eq!(limits.count_failure(address).unwrap_err().body.code, "too_many_failures");
    }
}
