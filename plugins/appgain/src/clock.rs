//! Times as the session API writes them: `2026-11-27T19:05:00Z`.

/// Milliseconds since 1970 of a time in ISO 8601 with its zone; none where it is anything else.
#[must_use]
pub fn iso_ms(written: &str) -> Option<f64> {
    let written = written.trim();
    let (date, time) = written.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(whole);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, zone_s) = zone(time)?;
    let mut parts = time.splitn(3, ':');
    let (hour, minute) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let second: f64 = parts.next().map_or(Some(0.0), |second| second.parse().ok())?;
    let known = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !known || !(0.0..61.0).contains(&second) {
        return None;
    }
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute;
    #[expect(clippy::cast_precision_loss, reason = "minutes until the year 9999 are exact")]
    Some(((minutes * 60 - zone_s) as f64 + second) * 1000.0)
}

/// The time without its zone, and the zone's seconds to the east.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let sign = time.rfind(['+', '-'])?;
    let (time, zone) = (time.get(..sign)?, time.get(sign..)?);
    let digits = zone.get(1..)?.replace(':', "");
    let (hours, minutes) = (whole(digits.get(..2)?)?, whole(digits.get(2..4).unwrap_or("0"))?);
    let east = (hours * 60 + minutes) * 60;
    Some((time, if zone.starts_with('-') { -east } else { east }))
}

fn whole(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Days since 1970, by Hinnant's algorithm: years begin in March, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_milliseconds_since_1970() {
        for (written, wanted) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2025-11-24T16:00:00Z", 1_764_000_000_000.0),
            ("2025-11-24T16:00:00.250Z", 1_764_000_000_250.0),
            ("2025-11-24T18:00:00+02:00", 1_764_000_000_000.0),
            ("2025-11-24 13:30:00-0230", 1_764_000_000_000.0),
            ("2024-02-29T12:00Z", 1_709_208_000_000.0),
        ] {
            assert_eq!(iso_ms(written), Some(wanted), "{written}");
        }
    }

    #[test]
    fn what_is_no_time_has_none() {
        for written in [
            "",
            "soon",
            "2025-11-24",
            "2025-13-24T16:00:00Z",
            "2025-11-24T16:00:00",
            "2025-11-24T25:00:00Z",
            "x-y-zT1:2Z",
            "T+",
            "1e9-01-01T00:00Z",
        ] {
            assert_eq!(iso_ms(written), None, "{written}");
        }
    }
}
