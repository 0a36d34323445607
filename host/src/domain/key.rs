//! API keys: who may do what.

use super::words;
use crate::clock::At;

words! {
    /// What a key may do; each one includes those before it.
    pub enum Scope {
        Read = "read",
        Send = "send",
        Manage = "manage",
        Admin = "admin",
    }
}

impl Scope {
    fn rank(self) -> u8 {
        match self {
            Scope::Read => 0,
            Scope::Send => 1,
            Scope::Manage => 2,
            Scope::Admin => 3,
        }
    }

    pub fn includes(self, wanted: Scope) -> bool {
        self.rank() >= wanted.rank()
    }
}

#[derive(Debug, Clone)]
pub struct ApiKey {
    pub id: String,
    /// None: the operator's, for all organisations.
    pub organization_id: Option<String>,
    pub name: String,
    /// The first characters, by which a person knows it.
    pub prefix: String,
    pub scope: Scope,
    pub created_at: At,
    pub expires_at: Option<At>,
    pub revoked_at: Option<At>,
    /// Within a minute.
    pub last_used_at: Option<At>,
    /// When its text was last replaced.
    pub rotated_at: Option<At>,
    /// The text before, which may still work.
    pub previous: Option<Previous>,
}

/// A text that a key had before it was rotated.
#[derive(Debug, Clone)]
pub struct Previous {
    pub prefix: String,
    /// It works until then.
    pub until: At,
}

words! {
    /// Whether a key opens something.
    pub enum KeyState {
        Valid = "valid",
        Expired = "expired",
        Revoked = "revoked",
    }
}

impl ApiKey {
    pub fn state(&self, now: At) -> KeyState {
        if self.revoked_at.is_some() {
            return KeyState::Revoked;
        }
        if self.expires_at.is_some_and(|expires| expires <= now) { KeyState::Expired } else { KeyState::Valid }
    }
}
