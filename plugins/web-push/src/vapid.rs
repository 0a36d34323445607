//! Who sends: a token that is signed for each push service (RFC 8292). One is good for hours, so it is kept, and each service's is its own:
//! whoever had another's could push in our name there.

use base64::Engine as _;
use patchbay_plugin::crypto::{SignAlgorithm, public_key, sign};
use patchbay_plugin::{Failure, kv, log};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::encryption::{BASE64URL, parse_point};

/// Name of the secret that signs.
const KEY: &str = "vapid_private_key";
/// Seconds that a token is good for; push services take none that is good for more than a day.
const LIFE_S: u32 = 12 * 60 * 60;
/// Seconds that it is kept: clocks differ, and a push may wait for its turn.
const KEPT_S: u32 = 11 * 60 * 60;
/// How long it is known that a push service takes tokens of the key, in seconds: 90 days.
const PROOF_S: u32 = 90 * 24 * 60 * 60;

/// The account's public key as browsers and push services get it.
///
/// # Errors
/// The secret isn't there, or is no key of the curve P-256.
pub(crate) fn public() -> Result<Vec<u8>, Failure> {
    let key = public_key(KEY)?;
    parse_point(&key).map_err(|why| Failure::unauthorized("vapid_key", format!("the public key of {KEY} {why}")))?;
    Ok(key)
}

/// Signs for one account.
#[derive(Debug)]
pub(crate) struct Signer<'a> {
    subject: &'a str,
    /// Base64url.
    public: String,
    now_s: u64,
}

/// A token, and whether its push service has taken one of this key and subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    jwt: String,
    /// What it was signed by and for: an account may get another key or another subject.
    public: String,
    subject: String,
    until_s: u64,
    /// A push service that took it before means the subscription when it refuses it now.
    pub(crate) is_proven: bool,
}

impl<'a> Signer<'a> {
    pub(crate) fn new(subject: &'a str, now_ms: f64) -> Result<Self, Failure> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time after 1970 in whole seconds")]
        let now_s = (now_ms / 1000.0) as u64;
        Ok(Self { subject, public: BASE64URL.encode(public()?), now_s })
    }

    /// The token for a push service, by its origin.
    pub(crate) fn token(&self, origin: &str) -> Result<Token, Failure> {
        let of_us = |token: &Token| token.public == self.public && token.subject == self.subject;
        let kept = kv::get_json::<Token>(&place(origin)).filter(of_us);
        let is_proven = kept.as_ref().is_some_and(|token| token.is_proven);
        if let Some(token) = kept.filter(|token| token.until_s > self.now_s) {
            return Ok(token);
        }
        let token = Token {
            jwt: self.sign(origin)?,
            public: self.public.clone(),
            subject: self.subject.to_owned(),
            until_s: self.now_s + u64::from(KEPT_S),
            is_proven,
        };
        keep(origin, &token);
        Ok(token)
    }

    fn sign(&self, origin: &str) -> Result<String, Failure> {
        let header = BASE64URL.encode(json!({"typ": "JWT", "alg": "ES256"}).to_string());
        let claims = json!({"aud": origin, "exp": self.now_s + u64::from(LIFE_S), "sub": self.subject});
        let signed = format!("{header}.{}", BASE64URL.encode(claims.to_string()));
        let signature = sign(KEY, SignAlgorithm::Es256, signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64URL.encode(signature)))
    }
}

impl Token {
    /// The header `authorization`.
    pub(crate) fn header(&self) -> String {
        format!("vapid t={}, k={}", self.jwt, self.public)
    }

    /// The push service has taken it.
    pub(crate) fn prove(self, origin: &str) {
        if !self.is_proven {
            keep(origin, &Self { is_proven: true, ..self });
        }
    }
}

/// The push service has refused it: the next attempt signs anew.
pub(crate) fn forget(origin: &str) {
    kv::delete(&place(origin));
}

/// A store that refuses costs a signature for each push, and no push.
fn keep(origin: &str, token: &Token) {
    if let Err(failure) = kv::set_json(&place(origin), token, Some(PROOF_S)) {
        log::warn("a VAPID token could not be kept", &[("failure", &failure.to_string())]);
    }
}

fn place(origin: &str) -> String {
    format!("vapid:{origin}")
}
