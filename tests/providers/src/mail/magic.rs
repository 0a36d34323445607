//! Recipients whose local part says what becomes of a letter to them.

/// What happens to a recipient, or to the whole letter once it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// `RCPT` is answered so.
    Refused(u16, String),
    /// Only the first time.
    Greylisted,
    /// Answered so, and the connection ends.
    Closed(u16, String),
    /// The connection breaks when the letter is announced.
    CutBefore,
    /// The final dot is answered so.
    Rejected(u16, String),
    /// The letter is delivered and the connection breaks in place of an answer.
    CutAfter,
    /// The final dot is answered late.
    Slow,
    /// Taken, and a report of its failure comes back.
    Bounced,
    /// Taken, and a machine answers that its owner is away.
    Away,
    /// Taken, and a report comes back that it was displayed.
    Displayed,
}

/// Every name with what it does, for people.
pub(crate) const NAMES: &[(&str, &str)] = &[
    ("unknown", "RCPT: 550 5.1.1"),
    ("nodomain", "RCPT: 550 5.1.2"),
    ("moved", "RCPT: 551 5.1.6"),
    ("full", "RCPT: 452 4.2.2"),
    ("greylist", "RCPT: 450 4.7.1 once, then taken"),
    ("busy", "RCPT: 421 4.7.0, and the connection ends"),
    ("quota", "RCPT: 550 5.4.5"),
    ("auth", "RCPT: 530 5.7.0"),
    ("spam", "final dot: 554 5.7.1"),
    ("large", "final dot: 552 5.3.4"),
    ("drop-before", "the connection breaks at DATA"),
    ("drop-after", "the letter is delivered and the connection breaks"),
    ("slow", "the final dot is answered after knob slow_ms"),
    ("bounce", "delivered nowhere: a report of its failure comes back"),
    ("away", "delivered, and an absence note comes back"),
    ("displayed", "delivered, and a report that it was read comes back"),
    ("rcpt-450-4.2.1", "RCPT: any code so written; the enhanced one may be left out"),
    ("data-451-4.3.0", "final dot: any code so written"),
];

/// The fate of a letter to that address, if it has one.
pub(crate) fn fate(address: &str) -> Option<Fate> {
    let local = address.split(['@', '+']).next().unwrap_or_default().to_lowercase();
    let refused = |code, words: &str| Some(Fate::Refused(code, words.replace("{}", address)));
    let rejected = |code, words: &str| Some(Fate::Rejected(code, words.to_owned()));
    match local.as_str() {
        "unknown" => refused(550, "5.1.1 <{}>: Recipient address rejected: User unknown"),
        "nodomain" => refused(550, "5.1.2 <{}>: Recipient address rejected: Domain not found"),
        "moved" => refused(551, "5.1.6 <{}>: The recipient has moved"),
        "full" => refused(452, "4.2.2 <{}>: Mailbox full"),
        "greylist" => Some(Fate::Greylisted),
        "busy" => Some(Fate::Closed(421, "4.7.0 Too many connections, try again later".to_owned())),
        "quota" => refused(550, "5.4.5 Daily user sending limit exceeded"),
        "auth" => refused(530, "5.7.0 Authentication required"),
        "spam" => rejected(554, "5.7.1 Message rejected as spam by content filter"),
        "large" => rejected(552, "5.3.4 Message too big"),
        "drop-before" => Some(Fate::CutBefore),
        "drop-after" => Some(Fate::CutAfter),
        "slow" => Some(Fate::Slow),
        "bounce" => Some(Fate::Bounced),
        "away" => Some(Fate::Away),
        "displayed" => Some(Fate::Displayed),
        other => {
            let mut words = other.splitn(3, '-');
            let (moment, code) = (words.next()?, words.next()?.parse().ok().filter(|code| (400..600).contains(code))?);
            let text = words.next().map_or_else(|| "Refused as asked".to_owned(), |enhanced| format!("{enhanced} Refused as asked"));
            match moment {
                "rcpt" => Some(Fate::Refused(code, text)),
                "data" => Some(Fate::Rejected(code, text)),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_fate_and_others_have_none() {
        for (name, _) in NAMES {
            assert!(fate(&format!("{name}@example.test")).is_some(), "{name}");
        }
        assert_eq!(fate("rcpt-450-4.2.1@example.test"), Some(Fate::Refused(450, "4.2.1 Refused as asked".into())));
        assert_eq!(fate("data-451@example.test"), Some(Fate::Rejected(451, "Refused as asked".into())));
        for name in ["mona", "rcpt-1", "data-999", "rcpt-abc-4.2.1"] {
            assert_eq!(fate(&format!("{name}@example.test")), None, "{name}");
        }
    }
}
