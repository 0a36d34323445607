//! One item: whose account, which person, when.

use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::messages::{Conversation, ConversationKind, Custom, Event, Happening, Identity, Party};
use serde_json::Value;

use super::Dialect;
use crate::json::Json as _;

/// Fields that say who, where and when, never what.
const ENVELOPE: [&str; 5] = ["sender", "recipient", "timestamp", "prior_message", "is_self"];

pub(super) struct Item<'a> {
    dialect: Dialect,
    pub(super) value: &'a Value,
    /// The id of the Page or the Instagram account.
    account: Option<String>,
    /// The other side.
    person: Option<String>,
    pub(super) at_ms: Option<f64>,
    /// Whether the account has said or done it.
    pub(super) own: bool,
    /// Whether another app has the conversation now.
    pub(super) standby: bool,
}

impl<'a> Item<'a> {
    /// `account` is the entry's id, which names the account whichever way the item goes.
    pub(super) fn new(dialect: Dialect, account: Option<&str>, entry: &Value, value: &'a Value, standby: bool) -> Self {
        let id = |side: &str| value.get(side).and_then(|side| side.id("id"));
        let (sender, recipient) = (id("sender"), id("recipient"));
        let echo = value.get("message").is_some_and(|message| message.flag("is_echo"));
        let account = account.map(str::to_owned).or_else(|| if echo { sender.clone() } else { recipient.clone() });
        let own = echo || (sender.is_some() && sender == account);
        let at_ms = value.time_ms("timestamp").or_else(|| entry.time_ms("time"));
        Self { dialect, value, account, person: if own { recipient } else { sender }, at_ms, own, standby }
    }

    /// `key` is unique among the facts of the account.
    pub(super) fn event(&self, key: &str, what: Happening) -> Event {
        let mut event = Event::new(format!("{}:{}:{key}", self.dialect.prefix, self.account.as_deref().unwrap_or_default()), what);
        event.account.clone_from(&self.account);
        event.conversation = self.conversation();
        event.actor = if self.own { None } else { self.person() };
        event.at_ms = self.at_ms;
        event
    }

    pub(super) fn person_id(&self) -> &str {
        self.person.as_deref().unwrap_or_default()
    }

    /// The conversation has the person's id: these channels have no groups.
    pub(super) fn conversation(&self) -> Option<Conversation> {
        let external_id = self.person.clone()?;
        Some(Conversation { external_id, kind: ConversationKind::Direct, title: None })
    }

    fn person(&self) -> Option<Party> {
        self.person.as_ref().map(|id| self.party(id, "sender"))
    }

    /// Who has said it.
    pub(super) fn speaker(&self) -> Party {
        match if self.own { &self.account } else { &self.person } {
            Some(id) => self.party(id, "sender"),
            None => Party { identities: Vec::new(), name: None },
        }
    }

    /// Some items tell a name besides the id.
    fn party(&self, id: &str, side: &str) -> Party {
        let side = self.value.get(side).unwrap_or(&Value::Null);
        let mut identities = vec![Identity::new(self.dialect.scheme, id)];
        let username = side.text("username").filter(|username| !username.is_empty());
        identities.extend(username.map(|username| Identity::new(format!("{}_username", self.dialect.scheme), username)));
        Party { identities, name: side.text("name").or(username).map(str::to_owned) }
    }

    /// The item's time, as a part of a key.
    pub(super) fn time_words(&self) -> String {
        self.at_ms.map(|at| format!("{at:.0}")).unwrap_or_default()
    }

    /// What an item of an unknown kind is about.
    pub(super) fn unknown_key(&self) -> &'a str {
        let mut fields = self.value.as_object().into_iter().flatten();
        fields.find(|(name, _)| !ENVELOPE.contains(&name.as_str())).map_or("empty", |(name, _)| name.as_str())
    }
}

pub(super) fn custom(kind: &str, json: &Value) -> Happening {
    Happening::Custom(Custom::new(kind, json))
}

/// Stands for a value in a key.
pub(super) fn fingerprint(value: &Value) -> String {
    let digest = crypto::digest(HashAlgorithm::Sha256, value.to_string().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
