//! The gateway's time, and how people read it.

use patchbay_plugin::{Call, Fields as _};

/// Milliseconds since 1970 UTC.
pub(crate) fn now_ms(call: &Call) -> Option<i64> {
    whole(call.extras.value("now_ms")?)
}

/// Milliseconds as the gateway writes them: a number that may have a fraction.
pub(crate) fn whole(text: &str) -> Option<i64> {
    let value: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be a time")]
    (value.abs() < 8e15).then_some(value as i64)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age")]
pub(crate) fn milliseconds(whole: i64) -> f64 {
    whole as f64
}

/// RFC 3339 in UTC, to the second.
pub(crate) fn written(at_ms: i64) -> String {
    let seconds = at_ms.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// The date of a day since 1970, counted in eras of 400 years that begin in March.
fn date(days: i64) -> (i64, i64, i64) {
    let day = days + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (at_ms, words) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_764_000_000_123, "2025-11-24T16:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(written(at_ms), words);
        }
    }
}
