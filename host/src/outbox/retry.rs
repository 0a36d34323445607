//! When to try again: pure.

use std::time::Duration;

/// The wait before attempt `attempts + 1`, of a schedule whose last wait repeats, ±20 % by `chance` in 0..1000.
pub fn wait(schedule: &[Duration], attempts: i64, chance: u64) -> Duration {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    let base = schedule.get(index).or(schedule.last()).copied().unwrap_or(Duration::from_secs(60));
    let millis = u64::try_from(base.as_millis()).unwrap_or(u64::MAX);
    // 800 to 1200 thousandths.
    let share = 800 + chance.min(999) * 400 / 999;
    Duration::from_millis(millis.saturating_mul(share) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];

    #[test]
    fn waits_grow_and_the_last_one_repeats() {
        let waits: Vec<u64> = (1..=5).map(|attempts| wait(&SCHEDULE, attempts, 500).as_secs()).collect();
        assert_eq!(waits, [5, 30, 120, 120, 120]);
    }

    #[test]
    fn chance_moves_a_wait_by_a_fifth_at_most() {
        for chance in 0..1000 {
            let wait = wait(&SCHEDULE, 2, chance);
            assert!(wait >= Duration::from_secs(24) && wait <= Duration::from_secs(36), "{wait:?}");
        }
    }
}
