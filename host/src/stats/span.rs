//! The time that statistics are asked for: moments, dates and a time zone become stretches of quarters of an hour.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned, civil::Date, tz::TimeZone};

use crate::{
    clock::At,
    domain::{stats::Slot, words},
    error::ApiError,
    store::stats::Stretch,
};

words! {
    pub enum Granularity {
        Hour = "hour",
        Day = "day",
    }
}

impl Granularity {
    /// The longest span in such steps, in days.
    const fn most_days(self) -> i64 {
        match self {
            Granularity::Hour => 31,
            Granularity::Day => DAYS_MAX,
        }
    }

    /// The span that nobody narrowed, in days.
    const fn usual_days(self) -> i64 {
        match self {
            Granularity::Hour => 1,
            Granularity::Day => 7,
        }
    }
}

/// The longest span at all.
const DAYS_MAX: i64 = 400;
/// The span of a summary that nobody narrowed, in days.
const SUMMARY_DAYS: i64 = 30;
const DAY_HOURS: i64 = 24;

/// What a client wrote; what it left out has a default.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// RFC 3339, or a date in the time zone. Included.
    pub from: Option<String>,
    /// Alike. Excluded; now where it is left out.
    pub to: Option<String>,
    /// A name of the IANA database; UTC where it is left out.
    pub time_zone: Option<String>,
}

/// Stretches of time that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub stretches: Vec<Stretch>,
}

impl Span {
    /// Whole hours or days of the time zone, from the one that holds `from` to the one that holds the last moment before `to`.
    ///
    /// # Errors
    /// 400 names what is no time, no zone, out of order or too long.
    pub fn steps(asked: &Asked, granularity: Granularity, now: At) -> Result<Span, ApiError> {
        let zone = zone(asked.time_zone.as_deref())?;
        let (from, to) = ends(asked, &zone, now, granularity.usual_days(), granularity.most_days(), Some(granularity))?;
        let mut stretches = Vec::new();
        let mut begin = begin_of(&from, granularity)?;
        while begin < to {
            let next = after(&begin, granularity)?;
            stretches.push((slot(&begin), slot(&next)));
            begin = next;
        }
        Ok(Span { stretches })
    }

    /// One stretch of whole quarters of an hour.
    ///
    /// # Errors
    /// As for [`Span::steps`].
    pub fn whole(asked: &Asked, now: At) -> Result<Span, ApiError> {
        let zone = zone(asked.time_zone.as_deref())?;
        let (from, to) = ends(asked, &zone, now, SUMMARY_DAYS, DAYS_MAX, None)?;
        Ok(Span { stretches: vec![(slot(&from), slot_end(&to))] })
    }

    /// One stretch of whole quarters of an hour, of any length: all time where it isn't narrowed.
    ///
    /// # Errors
    /// 400 names what is no time or out of order.
    pub fn unbounded(asked: &Asked) -> Result<Stretch, ApiError> {
        let zone = zone(asked.time_zone.as_deref())?;
        let begins = match &asked.from {
            Some(text) => slot(&moment("from", text, &zone)?),
            None => Slot::of(At::from_micros(0)).start(),
        };
        let ends = match &asked.to {
            Some(text) => slot_end(&moment("to", text, &zone)?),
            None => At::from_micros(i64::MAX),
        };
        if begins >= ends {
            return Err(empty());
        }
        Ok((begins, ends))
    }
}

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("bad_span", message)
}

fn empty() -> ApiError {
    bad("from isn't before to: there is nothing in between.").hint("from is included, to is not: one day is from=2026-11-22&to=2026-11-23.")
}

fn zone(name: Option<&str>) -> Result<TimeZone, ApiError> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    TimeZone::get(name).map_err(|_| {
        bad(format!("time_zone: there is no time zone “{name}”."))
            .hint("Write a name of the IANA database, like Africa/Cairo or Asia/Kolkata.")
    })
}

fn moment(name: &str, text: &str, zone: &TimeZone) -> Result<Zoned, ApiError> {
    const DATE_LENGTH: usize = 10;
    let read = if text.len() == DATE_LENGTH {
        text.parse::<Date>().ok().and_then(|date| date.to_zoned(zone.clone()).ok())
    } else {
        text.parse::<Timestamp>().ok().map(|timestamp| timestamp.to_zoned(zone.clone()))
    };
    let read = read.filter(|moment| moment.timestamp() >= Timestamp::UNIX_EPOCH);
    read.ok_or_else(|| {
        bad(format!("{name}: “{text}” is neither a time nor a date since 1970."))
            .hint("Write 2026-11-22 or 2026-11-22T20:15:00Z; in a URL, the + of an offset is written %2B.")
    })
}

/// What lies out of the calendar's range.
fn too_far(_: jiff::Error) -> ApiError {
    bad("from or to is too far from today.").hint("Write years from 1970 to 9998.")
}

fn ends(
    asked: &Asked,
    zone: &TimeZone,
    now: At,
    usual_days: i64,
    most_days: i64,
    granularity: Option<Granularity>,
) -> Result<(Zoned, Zoned), ApiError> {
    let to = match &asked.to {
        Some(text) => moment("to", text, zone)?,
        None => Timestamp::from_microsecond(now.micros()).map_err(too_far)?.to_zoned(zone.clone()),
    };
    let from = match &asked.from {
        Some(text) => moment("from", text, zone)?,
        None => to.checked_sub(SignedDuration::from_hours(usual_days * DAY_HOURS)).map_err(too_far)?,
    };
    if from >= to {
        return Err(empty());
    }
    // An hour more for a change of the clocks.
    if from.duration_until(&to) > SignedDuration::from_hours(most_days * DAY_HOURS + 1) {
        let steps = granularity.map_or(String::new(), |granularity| format!(" by the {granularity}"));
        return Err(bad(format!("from and to are more than {most_days} days apart{steps}.")).hint(match granularity {
            Some(Granularity::Hour) => "Write granularity=day, or ask for less.",
            _ => "Ask for less at a time.",
        }));
    }
    Ok((from, to))
}

fn begin_of(moment: &Zoned, granularity: Granularity) -> Result<Zoned, ApiError> {
    match granularity {
        Granularity::Day => moment.start_of_day(),
        Granularity::Hour => moment.with().minute(0).second(0).subsec_nanosecond(0).build(),
    }
    .map_err(too_far)
}

fn after(begin: &Zoned, granularity: Granularity) -> Result<Zoned, ApiError> {
    match granularity {
        Granularity::Day => begin.tomorrow().and_then(|next| next.start_of_day()),
        Granularity::Hour => begin.checked_add(SignedDuration::from_hours(1)),
    }
    .map_err(too_far)
}

fn at(moment: &Zoned) -> At {
    At::from_micros(moment.timestamp().as_microsecond())
}

fn slot(moment: &Zoned) -> At {
    Slot::of(at(moment)).start()
}

/// The end of the quarter of an hour that holds the last moment before.
fn slot_end(moment: &Zoned) -> At {
    Slot::of(at(moment).minus(Duration::from_micros(1))).start().plus(Slot::SPAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: At = At::from_micros(1_795_000_000_000_000); // 2026-11-18T11:06:40Z

    fn asked(from: &str, to: &str, zone: &str) -> Asked {
        Asked { from: Some(from.to_owned()), to: Some(to.to_owned()), time_zone: Some(zone.to_owned()) }
    }

    fn shown(span: &Span) -> Vec<String> {
        span.stretches.iter().map(|(begins, ends)| format!("{} {}", short(*begins), short(*ends))).collect()
    }

    fn short(at: At) -> String {
        at.to_string().replace(":00.000000Z", "")
    }

    #[test]
    fn days_begin_at_midnight_of_the_zone() {
        let span = Span::steps(&asked("2026-11-22", "2026-11-24", "Asia/Kathmandu"), Granularity::Day, NOW).unwrap();
        assert_eq!(shown(&span), ["2026-11-21T18:15 2026-11-22T18:15", "2026-11-22T18:15 2026-11-23T18:15"]);
    }

    #[test]
    fn a_day_is_as_long_as_the_clocks_make_it() {
        let span = Span::steps(&asked("2026-10-24", "2026-10-27", "Europe/Berlin"), Granularity::Day, NOW).unwrap();
        assert_eq!(
            shown(&span),
            ["2026-10-23T22:00 2026-10-24T22:00", "2026-10-24T22:00 2026-10-25T23:00", "2026-10-25T23:00 2026-10-26T23:00"]
        );
    }

    #[test]
    fn steps_are_whole_and_cover_what_was_asked() {
        let span = Span::steps(&asked("2026-11-22T10:40:00Z", "2026-11-22T12:00:01Z", "Asia/Kolkata"), Granularity::Hour, NOW).unwrap();
        assert_eq!(shown(&span), ["2026-11-22T10:30 2026-11-22T11:30", "2026-11-22T11:30 2026-11-22T12:30"]);
    }

    #[test]
    fn what_is_left_out_ends_now() {
        let days = Span::steps(&Asked::default(), Granularity::Day, NOW).unwrap();
        assert_eq!(days.stretches.len(), 8);
        assert_eq!(shown(&days).pop().unwrap(), "2026-11-18T00:00 2026-11-19T00:00");
        let whole = Span::whole(&Asked::default(), NOW).unwrap();
        assert_eq!(shown(&whole), ["2026-10-19T11:00 2026-11-18T11:15"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            (asked("yesterday", "2026-11-22", "UTC"), "from: “yesterday”"),
            (asked("2026-11-22", "2026-13-01", "UTC"), "to: “2026-13-01”"),
            (asked("1969-12-31", "2026-11-22", "UTC"), "from: “1969-12-31”"),
            (asked("2026-11-22", "2026-11-22", "UTC"), "nothing in between"),
            (asked("2026-11-22", "2026-11-23", "Mars/Olympus"), "“Mars/Olympus”"),
            (asked("2024-11-22", "2026-11-22", "UTC"), "400 days apart by the day"),
        ];
        for (asked, expected) in cases {
            let error = Span::steps(&asked, Granularity::Day, NOW).unwrap_err().body;
            assert!(error.message.contains(expected), "{asked:?}: {}", error.message);
            assert!(error.hint.is_some(), "{asked:?}");
        }
        let long = Span::steps(&asked("2026-01-01", "2026-11-22", "UTC"), Granularity::Hour, NOW).unwrap_err().body;
        assert!(long.message.contains("31 days apart by the hour"), "{}", long.message);
    }
}
