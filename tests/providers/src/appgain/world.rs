//! What Appgain knows: projects with their keys, sessions, quotas, subscribers and what was sent.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::appgain::session::Session;
use crate::clock::DAY_S;

/// What events are about, and so which webhook they go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The session and its messages: the webhook is the session's own.
    WhatsApp,
    /// `sms.status`, `sms.inbound`.
    Sms,
    /// `push.status`.
    Push,
}

impl Kind {
    /// By an event's name.
    pub(crate) fn of(event: &str) -> Self {
        match event.split('.').next() {
            Some("sms") => Self::Sms,
            Some("push") => Self::Push,
            _ => Self::WhatsApp,
        }
    }
}

/// Where events of one kind go, and what signs them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hook {
    /// Left out for WhatsApp: the session's `webhook_url`.
    pub url: Option<String>,
    /// Without one events are unsigned.
    pub secret: Option<String>,
}

/// Something that a `send` was accepted for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// The project.
    pub suit_id: String,
    /// `SMS`, `UOWHATSAPP` or `appPush`.
    pub channel: String,
    /// Numbers or user ids.
    pub to: Vec<String>,
    /// The request named no audience: the whole project got it. No gateway may ever do so.
    pub everybody: bool,
    /// The text.
    pub message: String,
    /// Our id in it.
    pub client_ref: Option<String>,
    /// The id that was given to it; told in the answer where the knobs say so.
    pub id: String,
    /// Everything that the channel's object held.
    pub body: Value,
    /// The campaign's name.
    pub campaign_name: Option<String>,
    /// Milliseconds since 1970 UTC.
    pub at_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Project {
    pub(crate) api_key: String,
    pub(crate) hooks: BTreeMap<Kind, Hook>,
    pub(crate) session: Option<Session>,
    /// Numbers that unsubscribed from SMS.
    pub(crate) unsubscribed: BTreeSet<String>,
    /// Target lists, with who is on them.
    pub(crate) lists: BTreeMap<String, BTreeSet<String>>,
    used: u64,
    used_on: u64,
}

impl Project {
    pub(crate) fn new(api_key: &str) -> Self {
        Self { api_key: api_key.to_owned(), ..Self::default() }
    }

    /// Messages sent through the session since midnight UTC.
    pub(crate) fn used(&self, now_ms: u64) -> u64 {
        if self.used_on == now_ms / 1000 / DAY_S { self.used } else { 0 }
    }

    pub(crate) fn set_used(&mut self, used: u64, now_ms: u64) {
        self.used_on = now_ms / 1000 / DAY_S;
        self.used = used;
    }

    pub(crate) fn hook(&self, kind: Kind) -> Hook {
        let mut hook = self.hooks.get(&kind).cloned().unwrap_or_default();
        if kind == Kind::WhatsApp && hook.url.is_none() {
            hook.url = self.session.as_ref().map(|session| session.webhook_url.clone());
        }
        hook
    }
}

/// When the day's quota comes back: midnight UTC, in seconds since 1970.
pub(crate) fn quota_resets_s(now_ms: u64) -> u64 {
    (now_ms / 1000 / DAY_S + 1) * DAY_S
}

#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) suit_id: String,
    pub(crate) mime_type: String,
    pub(crate) bytes: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) projects: BTreeMap<String, Project>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) files: BTreeMap<String, File>,
    pub(crate) sessions: u64,
}

impl World {
    pub(crate) fn session(&self, suit_id: &str) -> Option<&Session> {
        self.projects.get(suit_id)?.session.as_ref()
    }

    pub(crate) fn session_mut(&mut self, suit_id: &str) -> Option<&mut Session> {
        self.projects.get_mut(suit_id)?.session.as_mut()
    }
}
