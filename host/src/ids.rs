//! Ids: UUIDv7 text, made from the clock's time, so that they sort by when they were made.

use std::sync::atomic::{AtomicI64, Ordering};

use ring::rand::{SecureRandom, SystemRandom};

use crate::clock::At;

/// Makes ids and other random values.
pub struct Ids {
    random: SystemRandom,
    /// The microsecond that the last id stands for.
    last: AtomicI64,
}

impl Default for Ids {
    fn default() -> Ids {
        Ids { random: SystemRandom::new(), last: AtomicI64::new(i64::MIN) }
    }
}

impl Ids {
    /// A new id for something made `now`. It sorts behind every id that was made before it: what one transaction makes at
    /// one time keeps its order.
    pub fn next(&self, now: At) -> String {
        let follow = |last: i64| now.micros().max(last.saturating_add(1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(follow(last))).unwrap_or_else(|last| last);
        let now = At::from_micros(follow(last));
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        // Below the millisecond the microseconds lead, so that ids of one millisecond keep their order.
        let mut tail = self.bytes::<10>();
        let micros = u16::try_from(now.micros().rem_euclid(1000)).unwrap_or(0) * 4;
        let [high, low] = micros.to_be_bytes();
        tail[0] = high;
        tail[1] = (tail[1] & 0b11) | low;
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid().to_string()
    }

    /// The lowest id that something made at `at` can have.
    pub fn floor(at: At) -> String {
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().to_string()
    }

    /// Random bytes from the operating system.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        // The system's generator fails only before it is seeded at boot; there is no sane way on without it.
        assert!(self.random.fill(&mut bytes).is_ok(), "the operating system gave no random bytes");
        bytes
    }

    /// A number in `0..below`, for jitter: not for secrets.
    pub fn below(&self, below: u64) -> u64 {
        u64::from_be_bytes(self.bytes()) % below.max(1)
    }
}

/// No id made at that time or later sorts before it: a bound for what is read by time.
pub fn lowest_at(at: At) -> String {
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_they_were_made() {
        let ids = Ids::default();
        let start = 1_764_000_000_000_000;
        // Three at each time.
        let made: Vec<String> = (0..5000).map(|n| ids.next(At::from_micros(start + n / 3))).collect();
        let mut sorted = made.clone();
        sorted.sort();
        assert_eq!(made, sorted);
    }

    #[test]
    fn a_floor_is_below_what_is_made_then_and_above_what_was_made_before() {
        let (ids, at) = (Ids::default(), At::from_micros(1_764_000_000_123_000));
        let before = ids.next(At::from_micros(at.micros() - 1000));
        assert!(before < Ids::floor(at));
        assert!(Ids::floor(at) <= ids.next(at));
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7() {
        let id = Ids::default().next(At::from_micros(1_764_000_000_000_000));
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
    }

    #[test]
    fn the_lowest_of_a_time_parts_the_ids() {
        let (ids, at) = (Ids::default(), At::from_micros(1_764_000_000_000_000));
        let earlier = ids.next(at.minus(std::time::Duration::from_micros(1)));
        assert!(earlier < lowest_at(at));
        assert!(lowest_at(at) <= ids.next(at));
    }
}
