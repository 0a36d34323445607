//! Does a webhook come from the provider? The manifest's recipe is checked over the raw bytes, in constant time, before
//! a store exists or code of the plugin runs.
//!
//! Touches nothing. Start at [`verify`].

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::HeaderMap;
use ring::hmac;

use crate::manifest::{Encoding, HmacAlgorithm, HmacRecipe, SecretHeader, Verify};
use crate::secrets::Secret;

/// Why a webhook isn't believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a header that proves the sender is missing")]
    MissingHeader,
    #[error("the proof of the sender is wrong")]
    Mismatch,
    #[error("the request is too old, or from the future")]
    Stale,
    /// The gateway's own lack: the account has no such secret yet.
    #[error("the secret to check the sender with isn't set")]
    SecretMissing,
}

/// Checks a webhook's raw body and headers. `now` is Unix time in seconds.
///
/// # Errors
/// Why it isn't believed.
pub fn verify(recipe: &Verify, headers: &HeaderMap, body: &[u8], secrets: &BTreeMap<String, Secret>, now: i64) -> Result<(), Refusal> {
    match recipe {
        Verify::SecretHeader(recipe) => secret_header(recipe, headers, secrets),
        Verify::Hmac(recipe) => keyed_hash(recipe, headers, body, secrets, now),
        Verify::None {} => Ok(()),
    }
}

fn secret_header(recipe: &SecretHeader, headers: &HeaderMap, secrets: &BTreeMap<String, Secret>) -> Result<(), Refusal> {
    let secret = key(&recipe.secret, secrets)?;
    let given = headers.get(&recipe.header).ok_or(Refusal::MissingHeader)?;
    // Hashing both first makes the comparison take as long whatever is right, the length too.
    let equal = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let wanted = hmac::sign(&equal, secret.expose().as_bytes());
    hmac::verify(&equal, given.as_bytes(), wanted.as_ref()).map_err(|_| Refusal::Mismatch)
}

fn keyed_hash(recipe: &HmacRecipe, headers: &HeaderMap, body: &[u8], secrets: &BTreeMap<String, Secret>, now: i64) -> Result<(), Refusal> {
    // Any of them will do; one that isn't set signs nothing.
    let named = std::iter::once(&recipe.secret).chain(&recipe.alternatives);
    let set: Vec<&Secret> = named.filter_map(|name| key(name, secrets).ok()).collect();
    if set.is_empty() {
        return Err(Refusal::SecretMissing);
    }
    let mut given = headers.get_all(&recipe.header).iter().peekable();
    if given.peek().is_none() {
        return Err(Refusal::MissingHeader);
    }
    let timestamp = match &recipe.timestamp_header {
        Some(name) => headers.get(name).ok_or(Refusal::MissingHeader)?.to_str().map_err(|_| Refusal::Mismatch)?,
        None => "",
    };
    let algorithm = match recipe.algorithm {
        HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha512 => hmac::HMAC_SHA512,
    };
    let keys: Vec<hmac::Key> = set.iter().map(|secret| hmac::Key::new(algorithm, secret.expose().as_bytes())).collect();
    let signed = signed(&recipe.signed, timestamp, body);
    // While a provider changes its key it sends two signatures, in one header or in two.
    let right = given.filter_map(|value| value.to_str().ok()).flat_map(str::split_whitespace).any(|one| {
        one.strip_prefix(recipe.prefix.as_str())
            .and_then(|text| decode(text, recipe.encoding))
            .is_some_and(|tag| keys.iter().any(|key| hmac::verify(key, &signed, &tag).is_ok()))
    });
    if !right {
        return Err(Refusal::Mismatch);
    }
    // The signature first: a stranger learns nothing of our clock.
    if recipe.timestamp_header.is_some() {
        let at: i64 = timestamp.trim().parse().map_err(|_| Refusal::Mismatch)?;
        if now.abs_diff(at) > u64::from(recipe.tolerance()) {
            return Err(Refusal::Stale);
        }
    }
    Ok(())
}

fn key<'a>(name: &str, secrets: &'a BTreeMap<String, Secret>) -> Result<&'a Secret, Refusal> {
    // An empty key would let everybody sign.
    secrets.get(name).filter(|secret| !secret.expose().is_empty()).ok_or(Refusal::SecretMissing)
}

fn signed(template: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    let (before, after) = template.split_once("{body}").unwrap_or((template, ""));
    let text = |part: &str| part.replace("{timestamp}", timestamp).into_bytes();
    [&text(before), body, &text(after)].concat()
}

fn decode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('='))).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_531_420_618;

    fn recipe(value: serde_json::Value) -> Verify {
        serde_json::from_value(value).unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn secrets(value: &str) -> BTreeMap<String, Secret> {
        BTreeMap::from([("key".to_owned(), Secret::from(value))])
    }

    #[test]
    fn a_secret_header_is_compared_whole() {
        let recipe = recipe(json!({ "kind": "secret-header", "header": "X-Telegram-Bot-Api-Secret-Token", "secret": "key" }));
        let check = |value: &str| verify(&recipe, &headers(&[("x-telegram-bot-api-secret-token", value)]), b"", &secrets("abc_123"), NOW);
        assert_eq!(check("abc_123"), Ok(()));
        for wrong in ["abc_12", "abc_1234", "ABC_123", ""] {
            assert_eq!(check(wrong), Err(Refusal::Mismatch), "{wrong}");
        }
        assert_eq!(verify(&recipe, &headers(&[]), b"", &secrets("abc_123"), NOW), Err(Refusal::MissingHeader));
    }

    #[test]
    fn an_absent_or_empty_secret_lets_nobody_in() {
        let recipe = recipe(json!({ "kind": "secret-header", "header": "x-token", "secret": "key" }));
        let given = headers(&[("x-token", "")]);
        assert_eq!(verify(&recipe, &given, b"", &BTreeMap::new(), NOW), Err(Refusal::SecretMissing));
        assert_eq!(verify(&recipe, &given, b"", &secrets(""), NOW), Err(Refusal::SecretMissing));
    }

    /// RFC 4231, test case 2, with a prefix.
    #[test]
    fn a_published_hmac_is_right() {
        let recipe = recipe(json!({ "kind": "hmac", "header": "x-hub-signature-256", "secret": "key", "prefix": "sha256=" }));
        let body = b"what do ya want for nothing?";
        let right = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let check = |value: &str, body: &[u8]| verify(&recipe, &headers(&[("x-hub-signature-256", value)]), body, &secrets("Jefe"), NOW);
        assert_eq!(check(right, body), Ok(()));
        assert_eq!(check(&right.replace("sha256=5BDC", "sha256=5bdc"), body), Ok(()));
        assert_eq!(check(right, b"what do ya want for nothing!"), Err(Refusal::Mismatch));
        assert_eq!(check(&right[7..], body), Err(Refusal::Mismatch), "without its prefix");
        assert_eq!(check(&right[..70], body), Err(Refusal::Mismatch), "a part of it");
        assert_eq!(check("sha256=", body), Err(Refusal::Mismatch));
    }

    /// <https://api.slack.com/authentication/verifying-requests-from-slack>, its own example.
    #[test]
    fn a_published_timestamped_signature_is_right_while_it_is_fresh() {
        let recipe = recipe(json!({ "kind": "hmac", "header": "x-slack-signature", "secret": "key", "prefix": "v0=",
            "signed": "v0:{timestamp}:{body}", "timestamp_header": "x-slack-request-timestamp" }));
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar\
&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F\
T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        let secrets = secrets("8f742231b10e8888abcd99yyyzzz85a5");
        let check = |at: &str, now: i64| {
            verify(&recipe, &headers(&[("x-slack-signature", signature), ("x-slack-request-timestamp", at)]), body, &secrets, now)
        };
        assert_eq!(check("1531420618", NOW), Ok(()));
        assert_eq!(check("1531420618", NOW + 300), Ok(()));
        assert_eq!(check("1531420618", NOW + 301), Err(Refusal::Stale));
        assert_eq!(check("1531420618", NOW - 301), Err(Refusal::Stale));
        assert_eq!(check("1531420619", NOW), Err(Refusal::Mismatch), "the timestamp is signed");
        let untimed = verify(&recipe, &headers(&[("x-slack-signature", signature)]), body, &secrets, NOW);
        assert_eq!(untimed, Err(Refusal::MissingHeader));
    }

    #[test]
    fn any_of_several_secrets_will_do_and_one_that_is_not_set_lets_nobody_in() {
        let recipe = recipe(json!({ "kind": "hmac", "header": "x-sig", "secret": "key", "alternatives": ["second", "absent"] }));
        let signed = |by: &str| {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, by.as_bytes()), b"body");
            headers(&[("x-sig", &hex::encode(tag.as_ref()))])
        };
        let both = BTreeMap::from([("key".to_owned(), Secret::from("one")), ("second".to_owned(), Secret::from("two"))]);
        let second = BTreeMap::from([("key".to_owned(), Secret::from("")), ("second".to_owned(), Secret::from("two"))]);
        assert_eq!(verify(&recipe, &signed("one"), b"body", &both, NOW), Ok(()));
        assert_eq!(verify(&recipe, &signed("two"), b"body", &both, NOW), Ok(()));
        assert_eq!(verify(&recipe, &signed("three"), b"body", &both, NOW), Err(Refusal::Mismatch));
        assert_eq!(verify(&recipe, &signed("two"), b"body", &second, NOW), Ok(()));
        assert_eq!(verify(&recipe, &signed(""), b"body", &second, NOW), Err(Refusal::Mismatch));
        assert_eq!(verify(&recipe, &signed("one"), b"body", &BTreeMap::new(), NOW), Err(Refusal::SecretMissing));
    }

    #[test]
    fn any_of_several_signatures_will_do() {
        let recipe = recipe(json!({ "kind": "hmac", "header": "x-sig", "secret": "key", "algorithm": "sha1", "encoding": "base64" }));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"new"), b"body");
        let right = STANDARD.encode(tag.as_ref());
        let mut given = headers(&[("x-sig", "AAAA")]);
        assert_eq!(verify(&recipe, &given, b"body", &secrets("new"), NOW), Err(Refusal::Mismatch));
        given.append("x-sig", format!("BBBB {right}").parse().unwrap());
        assert_eq!(verify(&recipe, &given, b"body", &secrets("new"), NOW), Ok(()));
    }
}
