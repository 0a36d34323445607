//! The stand-ins' clock: the real one, because the programs they talk to are real.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day.
pub(crate) const DAY_S: u64 = 86_400;

/// Milliseconds since 1970 UTC.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Seconds since 1970 UTC, as most providers write times.
pub(crate) fn now_s() -> u64 {
    now_ms() / 1000
}

/// `2025-11-24T16:00:00.000Z`.
pub(crate) fn iso(ms: u64) -> String {
    let (year, month, day) = date(ms);
    let of_day = ms / 1000 % DAY_S;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// `24 Nov 2025 16:00:00 +0000`, as letters have it; the day of the week may be left out.
pub(crate) fn rfc2822(ms: u64) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (year, month, day) = date(ms);
    let of_day = ms / 1000 % DAY_S;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let at = usize::try_from(month - 1).unwrap_or_default() * 3;
    let month = MONTHS.get(at..at + 3).unwrap_or_default();
    format!("{day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month and day.
fn date(ms: u64) -> (u64, u64, u64) {
    let days = ms / 1000 / DAY_S;
    // Eras of 400 years that begin in March, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{iso, rfc2822};

    #[test]
    fn times_are_written_as_iso_8601_has_them() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_764_000_000_000), "2025-11-24T16:00:00.000Z");
        assert_eq!(rfc2822(1_764_000_000_000), "24 Nov 2025 16:00:00 +0000");
        assert_eq!(iso(1_709_164_799_999), "2024-02-28T23:59:59.999Z");
        assert_eq!(iso(1_709_164_800_000), "2024-02-29T00:00:00.000Z");
    }
}
