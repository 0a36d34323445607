//! The text of a notice: who tells, and of what. `01976… events outbox account:0197…`

use std::collections::BTreeSet;

use super::Topic;

/// Accounts named in one notice at most, so that it stays below what PostgreSQL takes; beyond, all of them are meant.
const ACCOUNTS_MAX: usize = 100;
const ACCOUNT: &str = "account:";
const ALL_ACCOUNTS: &str = "accounts";

/// What is told at a time.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) topics: BTreeSet<Topic>,
    pub(super) accounts: BTreeSet<String>,
    pub(super) all_accounts: bool,
}

impl Notice {
    /// Everything there is: after a time in which nothing was heard.
    pub(super) fn everything() -> Notice {
        Notice { topics: Topic::ALL.into(), accounts: BTreeSet::new(), all_accounts: true }
    }

    /// Answers whether that is news.
    pub(super) fn add_account(&mut self, id: &str) -> bool {
        if self.all_accounts || self.accounts.contains(id) {
            return false;
        }
        if self.accounts.len() < ACCOUNTS_MAX {
            return self.accounts.insert(id.to_owned());
        }
        self.accounts.clear();
        self.all_accounts = true;
        true
    }

    /// Answers whether that is news.
    pub(super) fn add_all_accounts(&mut self) -> bool {
        self.accounts.clear();
        !std::mem::replace(&mut self.all_accounts, true)
    }

    /// Adds what another one tells; answers that there is something to tell.
    pub(super) fn take_up(&mut self, mut other: Notice) -> bool {
        self.topics.append(&mut other.topics);
        self.all_accounts |= other.all_accounts;
        for id in other.accounts {
            self.add_account(&id);
        }
        true
    }

    pub(super) fn write(&self, sender: &str) -> String {
        let mut text = sender.to_owned();
        let mut add = |word: &str| {
            text.push(' ');
            text.push_str(word);
        };
        self.topics.iter().for_each(|topic| add(topic.word()));
        if self.all_accounts {
            add(ALL_ACCOUNTS);
        }
        self.accounts.iter().for_each(|id| add(&format!("{ACCOUNT}{id}")));
        text
    }

    /// Who tells, and what. Words that this version doesn't know are a newer one's: they are passed over.
    pub(super) fn read(text: &str) -> (&str, Notice) {
        let mut words = text.split(' ');
        let sender = words.next().unwrap_or_default();
        let mut notice = Notice::default();
        for word in words {
            if let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.word() == word) {
                notice.topics.insert(topic);
            } else if word == ALL_ACCOUNTS {
                notice.all_accounts = true;
            } else if let Some(id) = word.strip_prefix(ACCOUNT) {
                notice.accounts.insert(id.to_owned());
            }
        }
        (sender, notice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::notices::NOTICE_MAX;

    const ID: &str = "01976f00-0000-7000-8000-000000000000";

    #[test]
    fn what_is_written_is_read_the_same() {
        let mut notice = Notice { topics: [Topic::Events, Topic::Plugins].into(), ..Notice::default() };
        notice.add_account("a");
        notice.add_account("b");
        assert_eq!(Notice::read(&notice.write("node-1")), ("node-1", notice));
        assert_eq!(Notice::read(&Notice::everything().write("n")), ("n", Notice::everything()));
        assert_eq!(Notice::read("n"), ("n", Notice::default()));
    }

    #[test]
    fn a_newer_versions_words_are_passed_over() {
        let (sender, notice) = Notice::read("node-2 weather jobs moon:full");
        assert_eq!((sender, notice), ("node-2", Notice { topics: [Topic::Jobs].into(), ..Notice::default() }));
    }

    #[test]
    fn however_many_accounts_change_the_notice_is_short() {
        let mut notice = Notice { topics: Topic::ALL.into(), ..Notice::default() };
        let mut longest = 0;
        for n in 0..1000 {
            notice.add_account(&format!("{n:04}{}", &ID[4..]));
            longest = longest.max(notice.write(ID).len());
        }
        assert!(notice.all_accounts && notice.accounts.is_empty(), "all of them are meant");
        assert!(longest > 4000 && longest <= NOTICE_MAX, "{longest}");
    }
}
