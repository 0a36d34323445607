//! A version that runs for some accounts of its type, while another runs for the rest.

use std::collections::BTreeSet;

use ring::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::At;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Canary {
    pub digest: String,
    /// Percent of the accounts; none where it runs for chosen ones.
    pub share: Option<u8>,
    /// The chosen ones.
    pub accounts: BTreeSet<String>,
    /// When it began.
    pub since: At,
    /// The generation it began with: what it did is counted from there.
    pub generation: i64,
}

impl Canary {
    /// Whether it runs for the account. The same account always falls on the same side of a share, and one that was in a share is in
    /// every larger one.
    pub fn takes(&self, account_id: &str) -> bool {
        match self.share {
            Some(share) => place(account_id) < share,
            None => self.accounts.contains(account_id),
        }
    }

    /// For whom it runs, in words.
    pub fn whom(&self) -> String {
        match (self.share, self.accounts.len()) {
            (Some(share), _) => format!("{share} % of the accounts"),
            (None, 1) => "one account".to_owned(),
            (None, many) => format!("{many} accounts"),
        }
    }
}

/// Where the account stands among all, from 0 to 99: spread evenly, and forever the same. Ids that were made at the same time look
/// alike, hashes don't.
fn place(account_id: &str) -> u8 {
    let hash = digest::digest(&digest::SHA256, account_id.as_bytes());
    let first = hash.as_ref().iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    u8::try_from(first % 100).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(share: Option<u8>, accounts: &[&str]) -> Canary {
        let accounts = accounts.iter().map(|id| (*id).to_owned()).collect();
        Canary { digest: "d".to_owned(), share, accounts, since: At::from_micros(0), generation: 1 }
    }

    #[test]
    fn a_list_takes_those_on_it() {
        let canary = canary(None, &["a"]);
        assert!(canary.takes("a") && !canary.takes("b"));
    }

    #[test]
    fn a_share_is_even_stable_and_grows_by_adding() {
        let ids: Vec<String> = (0..10_000).map(|n| format!("01939f3a-0000-7000-8000-{n:012}")).collect();
        let taken = |share| ids.iter().filter(|id| canary(Some(share), &[]).takes(id)).collect::<BTreeSet<_>>();
        for (share, expected) in [(1, 100), (10, 1_000), (50, 5_000)] {
            let found = taken(share).len();
            assert!((expected * 8 / 10..=expected * 12 / 10).contains(&found), "{share} % took {found}");
        }
        assert!(taken(10).is_subset(&taken(30)));
        assert!(taken(0).is_empty());
        assert_eq!(taken(100).len(), ids.len());
        // As it was computed when the first canary ran: a change here would move accounts from one version to the other.
        assert_eq!(place("01939f3a-0000-7000-8000-000000000000"), 7);
    }
}
