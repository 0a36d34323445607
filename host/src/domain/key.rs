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
}
