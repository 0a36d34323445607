//! Who may send, and what was sent.

use serde::{Deserialize, Serialize};

/// An account at VictoryLink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// `UserName`.
    pub name: String,
    /// `Password`.
    pub password: String,
    /// Parts of messages that it may still send.
    pub credit: i64,
    /// Sender names that operators know; empty is any.
    pub senders: Vec<String>,
    /// Whether it may ask for receipts.
    pub dlr_allowed: bool,
    /// Answer everything with this code: -7 inactive, -11 expired, -2 wrong address, -21 invalid.
    pub refused_with: Option<i64>,
}

impl Default for User {
    fn default() -> Self {
        Self { name: String::new(), password: String::new(), credit: 1_000, senders: Vec::new(), dlr_allowed: true, refused_with: None }
    }
}

impl User {
    /// A user with a thousand parts of credit, any sender, and receipts.
    #[must_use]
    pub fn new(name: &str, password: &str) -> Self {
        Self { name: name.into(), password: password.into(), ..Self::default() }
    }
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sms {
    /// Whose it is.
    pub user: String,
    /// `SMSID`, as it was written.
    pub id: String,
    /// The number, digits.
    pub to: String,
    /// The sender's name.
    pub sender: String,
    /// The text.
    pub text: String,
    /// `E` or `A`.
    pub language: String,
    /// How many parts it took.
    pub parts: usize,
    /// Sent as `E` though it holds what GSM hasn't: the phone shows question marks.
    pub garbled: bool,
    /// Where receipts go.
    pub dlr_url: Option<String>,
    /// `Validity`, as it was written.
    pub validity: Option<String>,
    /// `CampaignID`.
    pub campaign: Option<String>,
    /// The latest receipt.
    pub status: String,
    /// Milliseconds since 1970 UTC.
    pub at_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) users: Vec<User>,
    pub(crate) sent: Vec<Sms>,
}

impl Accounts {
    pub(crate) fn set(&mut self, user: User) {
        self.users.retain(|known| known.name != user.name);
        self.users.push(user);
    }

    pub(crate) fn user_mut(&mut self, name: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.name == name)
    }

    /// Ids are UUIDs, alike in any case.
    pub(crate) fn sms_mut(&mut self, id: &str) -> Option<&mut Sms> {
        self.sent.iter_mut().find(|sms| sms.id.eq_ignore_ascii_case(id))
    }
}
