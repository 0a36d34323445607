//! The identity provider's public keys, by its URL (JWKS): kept, looked at again every ten minutes, and once where a token names a
//! key that isn't among them. While the URL is away the keys from before go on.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::http;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{app::App, clock::At, egress::Terms, error::ApiError};

/// How long keys are kept before they are looked at again.
const FRESH: Duration = Duration::from_secs(600);
/// Between two looks, whatever tokens say: a stranger may send any number of names.
const AGAIN: Duration = Duration::from_secs(30);
/// The same while there are no keys at all.
const AGAIN_AT_FIRST: Duration = Duration::from_secs(2);
/// How long the URL may take, and how much it may answer.
const WITHIN: Duration = Duration::from_secs(5);
const ANSWER_MAX: usize = 256 * 1024;
/// Keys that are read.
const KEYS_MAX: usize = 100;

/// A key that may have signed a token, and the one algorithm that it signs by.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl Key {
    /// A key without a name.
    pub(super) fn of(algorithm: Algorithm, key: DecodingKey) -> Key {
        Key { id: None, algorithm, key }
    }
}

#[derive(Default)]
struct Kept {
    keys: Vec<Key>,
    /// None: never.
    fetched_at: Option<At>,
}

impl Kept {
    /// The keys that a token may be signed by: the one that it names; where it names none, each of that algorithm.
    fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<Key> {
        let fits = |key: &&Key| key.algorithm == algorithm && id.is_none_or(|id| key.id.as_deref() == Some(id));
        self.keys.iter().filter(fits).cloned().collect()
    }

    fn is_fresh(&self, now: At) -> bool {
        self.fetched_at.is_some_and(|at| now.since(at).is_none_or(|age| age < FRESH))
    }
}

pub(super) struct Jwks {
    url: String,
    kept: ArcSwap<Kept>,
    /// When the URL was last asked. Whoever asks holds it.
    asked_at: Mutex<Option<At>>,
}

impl Jwks {
    pub(super) fn new(url: &str) -> Jwks {
        Jwks { url: url.to_owned(), kept: ArcSwap::default(), asked_at: Mutex::default() }
    }

    /// The keys that may have signed such a token; none where the provider knows no such key.
    ///
    /// # Errors
    /// 503 where there are none yet, because the URL doesn't answer.
    pub(super) async fn find(&self, app: &Arc<App>, id: Option<&str>, algorithm: Algorithm) -> Result<Vec<Key>, ApiError> {
        let now = app.clock.now();
        let kept = self.kept.load_full();
        let found = kept.fitting(id, algorithm);
        if !found.is_empty() {
            if !kept.is_fresh(now) {
                let looking = Arc::clone(app);
                app.tasks.spawn(async move { looking.auth.tokens.look_again(&looking).await });
            }
            return Ok(found);
        }
        match self.look(app, kept.fetched_at).await {
            Ok(()) => Ok(self.kept.load().fitting(id, algorithm)),
            Err(_) if kept.fetched_at.is_some() => Ok(Vec::new()),
            Err(reason) => {
                Err(ApiError::unavailable("jwks_unavailable", format!("The keys that tokens are signed by can't be had: {reason}"))
                    .hint("auth.jwt.jwks_url has to be the identity provider's. API keys work meanwhile."))
            }
        }
    }

    /// Looks at the URL, unless somebody has just done so or does.
    pub(super) async fn look_again(&self, app: &App) {
        let before = self.kept.load().fetched_at;
        if let Err(reason) = self.look(app, before).await {
            tracing::debug!(%reason, "the keys that tokens are signed by were not looked at");
        }
    }

    /// One at a time. Answers without asking where somebody has got newer keys than those of `before` meanwhile.
    async fn look(&self, app: &App, before: Option<At>) -> Result<(), String> {
        let mut asked_at = self.asked_at.lock().await;
        if self.kept.load().fetched_at != before {
            return Ok(());
        }
        let now = app.clock.now();
        let pause = if before.is_some() { AGAIN } else { AGAIN_AT_FIRST };
        if asked_at.is_some_and(|last| now.since(last).is_none_or(|since| since < pause)) {
            return Err("they were asked for a moment ago".to_owned());
        }
        *asked_at = Some(now);
        match self.fetch(app).await {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the keys that tokens are signed by were fetched");
                self.kept.store(Arc::new(Kept { keys, fetched_at: Some(now) }));
                Ok(())
            }
            Err(reason) => {
                tracing::warn!(url = %self.url, %reason, "the keys that tokens are signed by can't be fetched; those from before go on");
                Err(reason)
            }
        }
    }

    async fn fetch(&self, app: &App) -> Result<Vec<Key>, String> {
        let request = http::Request::get(&self.url).header(http::header::ACCEPT, "application/json").body(Vec::new());
        let request = request.map_err(|error| error.to_string())?;
        // The operator names it in the configuration: it may be on the operator's own network.
        let terms = Terms { within: WITHIN, most: ANSWER_MAX, named_by_operator: true };
        let answer = app.egress.ask_on(request, terms).await.map_err(|error| error.to_string())?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("the URL answers {}", answer.status()));
        }
        read(answer.body())
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The keys of a set that can be used. Others (of other algorithms, for encryption, shared secrets) are passed over.
fn read(text: &[u8]) -> Result<Vec<Key>, String> {
    let set: Set = serde_json::from_slice(text).map_err(|error| format!("the URL answers no JWKS: {error}"))?;
    Ok(set.keys.into_iter().take(KEYS_MAX).filter_map(|key| usable(&serde_json::from_value(key).ok()?)).collect())
}

fn usable(jwk: &Jwk) -> Option<Key> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|meant| *meant == PublicKeyUse::Signature);
    let is_of_it = jwk.common.key_algorithm.is_none_or(|named| named == algorithm.into());
    let key = DecodingKey::from_jwk(jwk).ok().filter(|_| signs && is_of_it)?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, key })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn kept(keys: &Value) -> Kept {
        Kept { keys: read(json!({"keys": keys}).to_string().as_bytes()).unwrap(), fetched_at: None }
    }

    #[test]
    fn a_key_signs_by_the_one_algorithm_of_its_kind() {
        let kept = kept(&json!([
            {"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "ed"},
            {"kty": "EC", "crv": "P-256", "x": X, "y": X, "kid": "ec", "use": "sig", "alg": "ES256"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa-512", "alg": "RS512"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "enc", "use": "enc"},
            {"kty": "EC", "crv": "P-384", "x": X, "y": X, "kid": "ec-384"},
            {"kty": "oct", "k": X, "kid": "shared"},
            {"kty": "new", "kid": "unknown"},
            "nothing",
        ]));
        let told: Vec<_> = kept.keys.iter().map(|key| (key.id.as_deref().unwrap(), key.algorithm)).collect();
        assert_eq!(told, [("ed", Algorithm::EdDSA), ("ec", Algorithm::ES256), ("rsa", Algorithm::RS256)]);
    }

    #[test]
    fn a_token_is_for_the_key_that_it_names_or_for_those_of_its_algorithm() {
        let kept =
            kept(&json!([{"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "1"}, {"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "2"}]));
        assert_eq!(kept.fitting(Some("2"), Algorithm::EdDSA).len(), 1);
        assert_eq!(kept.fitting(None, Algorithm::EdDSA).len(), 2);
        assert!(kept.fitting(Some("2"), Algorithm::RS256).is_empty() && kept.fitting(Some("3"), Algorithm::EdDSA).is_empty());
        // A public key is never a shared secret.
        assert!(kept.fitting(None, Algorithm::HS256).is_empty());
    }

    #[test]
    fn what_is_no_set_is_told() {
        assert!(read(b"<html>").is_err() && read(b"{}").is_err());
        assert!(read(b"{\"keys\": []}").unwrap().is_empty());
    }
}
