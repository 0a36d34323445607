//! Codes, and pairs of tokens. A refresh token is good once: its use makes a new pair, and its second use ends the whole chain.

use std::collections::HashMap;

use serde::Serialize;

use crate::tiktok::answer::Refusal;

/// Milliseconds that a code can be changed for tokens.
const CODE_MS: u64 = 600_000;

/// A pair of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Minted {
    /// Good for a day.
    pub access_token: String,
    /// Good for a year, and once.
    pub refresh_token: String,
}

/// Who authorised which app, with which scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) app_id: String,
    pub(crate) business_id: String,
    pub(crate) scopes: Vec<String>,
}

impl Grant {
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

#[derive(Debug)]
struct Code {
    grant: Grant,
    redirect_uri: String,
    expires_ms: u64,
}

#[derive(Debug)]
struct Chain {
    grant: Grant,
    alive: bool,
    access: String,
    access_expires_ms: u64,
    refresh: String,
    refresh_expires_ms: u64,
}

/// How long tokens live, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lives {
    pub(crate) access_s: u64,
    pub(crate) refresh_s: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    codes: HashMap<String, Code>,
    chains: Vec<Chain>,
    /// Refresh tokens that were used, each with its chain.
    used: HashMap<String, usize>,
    number: u64,
}

impl Tokens {
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Real codes have characters that a query has to escape.
    pub(crate) fn code(&mut self, grant: Grant, redirect_uri: &str, now_ms: u64) -> String {
        let code = format!("code{}*0!{}.va", self.next(), now_ms);
        self.codes.insert(code.clone(), Code { grant, redirect_uri: redirect_uri.to_owned(), expires_ms: now_ms + CODE_MS });
        code
    }

    pub(crate) fn redeem(&mut self, code: &str, app_id: &str, redirect_uri: &str, now_ms: u64) -> Result<Grant, Refusal> {
        let gone = || Refusal::parameter("auth_code: The code is invalid, was used, or has expired.");
        let known = self.codes.get(code).filter(|known| known.grant.app_id == app_id).ok_or_else(gone)?;
        if known.redirect_uri != redirect_uri {
            return Err(Refusal::parameter("redirect_uri: It isn't the one that the authorization was asked for with."));
        }
        let known = self.codes.remove(code).ok_or_else(gone)?;
        if known.expires_ms < now_ms { Err(gone()) } else { Ok(known.grant) }
    }

    pub(crate) fn mint(&mut self, grant: Grant, lives: Lives, now_ms: u64) -> Minted {
        let minted = self.pair();
        self.chains.push(Chain {
            grant,
            alive: true,
            access: minted.access_token.clone(),
            access_expires_ms: now_ms + lives.access_s * 1000,
            refresh: minted.refresh_token.clone(),
            refresh_expires_ms: now_ms + lives.refresh_s * 1000,
        });
        minted
    }

    fn pair(&mut self) -> Minted {
        let (access, refresh) = (self.next(), self.next());
        Minted { access_token: format!("act.standin{access}!va"), refresh_token: format!("rft.standin{refresh}!va") }
    }

    /// The grant of a living access token.
    pub(crate) fn grant(&self, access: &str, now_ms: u64) -> Result<&Grant, Refusal> {
        let chain = self.chains.iter().find(|chain| chain.access == access && chain.alive && chain.access_expires_ms > now_ms);
        chain.map(|chain| &chain.grant).ok_or_else(|| Refusal::of(40_105))
    }

    pub(crate) fn refresh(&mut self, refresh: &str, app_id: &str, lives: Lives, now_ms: u64) -> Result<(Grant, Minted), Refusal> {
        let dead = || Refusal::new(40_105, "Refresh token is invalid or has expired.");
        if let Some(index) = self.used.get(refresh) {
            // Whoever uses it twice may have stolen it.
            if let Some(chain) = self.chains.get_mut(*index) {
                chain.alive = false;
            }
            return Err(dead());
        }
        let minted = self.pair();
        let living =
            |chain: &Chain| chain.refresh == refresh && chain.alive && chain.grant.app_id == app_id && chain.refresh_expires_ms > now_ms;
        let index = self.chains.iter().position(living).ok_or_else(dead)?;
        let chain = self.chains.get_mut(index).ok_or_else(dead)?;
        chain.access.clone_from(&minted.access_token);
        chain.refresh.clone_from(&minted.refresh_token);
        chain.access_expires_ms = now_ms + lives.access_s * 1000;
        let grant = chain.grant.clone();
        self.used.insert(refresh.to_owned(), index);
        Ok((grant, minted))
    }

    /// Ends the chain of an access token.
    pub(crate) fn revoke(&mut self, access: &str, app_id: &str) -> Result<(), Refusal> {
        let chain = self.chains.iter_mut().find(|chain| chain.access == access && chain.alive && chain.grant.app_id == app_id);
        chain.ok_or_else(|| Refusal::of(40_105))?.alive = false;
        Ok(())
    }

    pub(crate) fn expire(&mut self, business_id: &str) {
        self.of(business_id).for_each(|chain| chain.access_expires_ms = 0);
    }

    pub(crate) fn withdraw(&mut self, business_id: &str) {
        self.of(business_id).for_each(|chain| chain.alive = false);
    }

    fn of<'a>(&'a mut self, business_id: &'a str) -> impl Iterator<Item = &'a mut Chain> {
        self.chains.iter_mut().filter(move |chain| chain.grant.business_id == business_id)
    }
}
