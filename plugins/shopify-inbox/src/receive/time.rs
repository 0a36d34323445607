//! Times as Shopify writes them: RFC 3339, in UTC or in the shop's own zone.

const DAY_S: i64 = 86_400;

/// Milliseconds since 1970 UTC of `2026-11-22T06:00:00Z` or `2026-11-22T01:00:00.250-05:00`.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (date, rest) = text.trim().split_once(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = (rest.get(..zone_at)?, rest.get(zone_at..)?);
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    // A leap second is 60.
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let milliseconds = milliseconds(fraction)?;
    let seconds = days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset_s(zone)?;
    #[expect(clippy::cast_precision_loss, reason = "a time of four-digit years fits a double")]
    Some((seconds * 1000 + milliseconds) as f64)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn milliseconds(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let three: String = fraction.chars().chain("000".chars()).take(3).collect();
    three.parse().ok()
}

fn offset_s(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, clock) = match zone.strip_prefix('-') {
        Some(clock) => (-1, clock),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = clock.split_once(':')?;
    Some(sign * (number(hours, 2)? * 3600 + number(minutes, 2)? * 60))
}

/// Days since 1970 of a date of the Gregorian calendar: years are counted from March, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn times_of_every_zone_are_read() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(parse("2026-11-22T06:00:00Z"), Some(1_795_327_200_000.0));
        assert_eq!(parse("2026-11-22T01:00:00.25-05:00"), Some(1_795_327_200_250.0));
        assert_eq!(parse("2026-11-22T08:30:00+02:30"), Some(1_795_327_200_000.0));
        assert_eq!(parse("2000-02-29T00:00:00Z"), Some(951_782_400_000.0));
        assert_eq!(parse("1969-12-31T23:59:59.999Z"), Some(-1.0));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "today",
            "2026-11-22",
            "2026-13-01T00:00:00Z",
            "2026-11-22T06:00Z",
            "2026-11-22T06:00:00",
            "2026-11-22T06:00:00+2",
            "2026-11-22T06:00:00.xZ",
            "٢٠٢٦-11-22T06:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
