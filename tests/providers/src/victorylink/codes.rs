//! VictoryLink's numbers, and the phone numbers that bring them about.

/// Accepted.
pub(crate) const ACCEPTED: i64 = 0;
pub(crate) const BAD_CREDENTIALS: i64 = -1;
pub(crate) const NO_CREDIT: i64 = -5;
/// Accepted, too: it will go out later.
pub(crate) const QUEUED: i64 = -10;
pub(crate) const EMPTY_TEXT: i64 = -12;
pub(crate) const INVALID_SENDER: i64 = -13;
pub(crate) const NO_DLR: i64 = -16;
pub(crate) const INVALID_NUMBER: i64 = -18;
pub(crate) const ID_EXISTS: i64 = -19;
pub(crate) const NOT_VALIDATED: i64 = -22;
pub(crate) const EMPTY_SENDER: i64 = -23;
pub(crate) const BAD_ID: i64 = -26;
pub(crate) const EMPTY_CREDENTIALS: i64 = -29;

/// All that the tables of both generations hold, but 0.
pub(crate) const ALL: &[i64] = &[-1, -2, -3, -5, -6, -7, -10, -11, -12, -13, -14, -16, -18, -19, -21, -22, -23, -25, -26, -29, -30, -100];

/// A number that ends in `9` and three digits is answered with that code, below zero: `…9025` with -25.
pub(crate) fn of_number(number: &str) -> Option<i64> {
    let end = number.get(number.len().checked_sub(4)?..)?.strip_prefix('9')?;
    let code = -end.parse::<i64>().ok()?;
    ALL.contains(&code).then_some(code)
}

/// How a message to that number ends.
pub(crate) fn end_of(number: &str) -> Option<&'static str> {
    let ends = [("1403", "Rejected"), ("1404", "Undelivered"), ("1408", "Expired"), ("1500", "Unknown")];
    ends.into_iter().find(|(end, _)| number.ends_with(end)).map(|(_, status)| status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_number_and_other_numbers_have_none() {
        for code in ALL {
            assert_eq!(of_number(&format!("20100000{:04}", 9000 - code)), Some(*code));
        }
        assert_eq!(of_number("201001383533"), None);
        assert_eq!(of_number("201000009099"), None, "-99 isn't in the tables");
        assert_eq!(of_number("9"), None);
    }
}
