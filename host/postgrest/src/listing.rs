//! Which rows of a list are shown, and what the answer says of it.

use crate::{error::Error, query::Query};

/// The part of a list that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub offset: u64,
    pub limit: u64,
}

impl Window {
    /// The window that `limit`, `offset` and the header `Range` ask for; the header wins. Without any it has `usual` rows, and never
    /// more than `most`.
    ///
    /// # Errors
    /// 416 for a range that ends before it begins.
    pub fn of(query: &Query, range: Option<&str>, usual: u64, most: u64) -> Result<Window, Error> {
        let (offset, limit) = match range.and_then(read_range) {
            Some((from, Some(to))) if to < from => {
                return Err(Error::out_of_range(
                    "The lower boundary must be lower than or equal to the upper boundary in the Range header.",
                ));
            }
            Some((from, to)) => (from, to.map(|to| to.saturating_sub(from).saturating_add(1))),
            None => (query.offset, query.limit),
        };
        // Databases count with signed numbers.
        Ok(Window { offset: offset.min(i64::MAX as u64), limit: limit.unwrap_or(usual).min(most) })
    }
}

/// `0-24`, `25-`; what is written otherwise (`bytes=0-1`) is none of ours, and is ignored as HTTP has it.
fn read_range(header: &str) -> Option<(u64, Option<u64>)> {
    let range = header.trim();
    let (from, to) = range.strip_prefix("items=").unwrap_or(range).split_once('-')?;
    let to = if to.is_empty() { None } else { Some(to.parse().ok()?) };
    Some((from.parse().ok()?, to))
}

/// A list as it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    pub offset: u64,
    /// Rows in the answer.
    pub rows: u64,
    /// Rows in all, where they were counted.
    pub total: Option<u64>,
}

impl Listing {
    /// 200 where all there is is shown, 206 where it is a part of what was counted.
    ///
    /// # Errors
    /// 416 for an offset behind the last row.
    pub fn status(&self) -> Result<u16, Error> {
        match self.total {
            Some(total) if self.offset > total => {
                Err(Error::out_of_range(format!("An offset of {} was requested, but there are only {total} rows.", self.offset)))
            }
            Some(total) if self.rows < total => Ok(206),
            _ => Ok(200),
        }
    }

    /// The header `Content-Range`: `0-14/120`, `*/*`.
    pub fn content_range(&self) -> String {
        let total = self.total.map_or("*".to_owned(), |total| total.to_string());
        match self.rows {
            0 => format!("*/{total}"),
            rows => format!("{}-{}/{total}", self.offset, self.offset.saturating_add(rows).saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_statuses_are_postgrests() {
        let cases = [
            ((0, 15, None), Ok(200), "0-14/*"),
            ((0, 0, None), Ok(200), "*/*"),
            ((0, 15, Some(120)), Ok(206), "0-14/120"),
            ((0, 15, Some(15)), Ok(200), "0-14/15"),
            ((0, 0, Some(0)), Ok(200), "*/0"),
            ((10, 5, Some(15)), Ok(206), "10-14/15"),
            ((121, 0, Some(120)), Err("PGRST103"), "*/120"),
        ];
        for ((offset, rows, total), status, range) in cases {
            let listing = Listing { offset, rows, total };
            assert_eq!(listing.status().map_err(|error| error.code), status);
            assert_eq!(listing.content_range(), range);
        }
    }

    #[test]
    fn only_a_range_of_items_is_read() {
        assert_eq!(read_range("0-24"), Some((0, Some(24))));
        assert_eq!(read_range("25-"), Some((25, None)));
        assert_eq!(read_range("items=1-1"), Some((1, Some(1))));
        assert_eq!(read_range("bytes=0-1"), None);
        assert_eq!(read_range("-5"), None);
    }
}
