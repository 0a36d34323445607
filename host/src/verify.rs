//! Does a webhook come from the provider? The manifest's recipe is checked over the raw bytes, in constant time, before
//! a store exists or code of the plugin runs.
//!
//! Touches nothing. Start at [`verify`].

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::HeaderMap;
use ring::hmac;
use serde_json::{Map, Value};

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

/// Signatures of one request that are looked at. Each costs a hash of the body, and a stranger may send many.
const SIGNATURES_MAX: usize = 16;

/// What came, and what it is checked with.
pub struct Evidence<'a> {
    pub headers: &'a HeaderMap,
    /// As it came.
    pub body: &'a [u8],
    pub secrets: &'a BTreeMap<String, Secret>,
    /// The account's, or the app's, for a recipe's `tolerance_setting`.
    pub settings: &'a Map<String, Value>,
    /// Unix time in seconds.
    pub now: i64,
}

/// Checks a webhook's raw body and headers. Answers the recipe's name; none where nothing was checked: the recipe asks nothing, or
/// it is optional and none of its secrets is set.
///
/// # Errors
/// Why it isn't believed.
pub fn verify(recipe: &Verify, evidence: &Evidence<'_>) -> Result<Option<&'static str>, Refusal> {
    match recipe {
        Verify::SecretHeader(recipe) => secret_header(recipe, evidence.headers, evidence.secrets)?,
        Verify::Hmac(recipe) => {
            let set = keys_of(recipe, evidence.secrets);
            if recipe.optional && set.is_empty() {
                return Ok(None);
            }
            keyed_hash(recipe, evidence, &set)?;
        }
        Verify::None {} => {}
    }
    Ok(recipe.name())
}

/// Whether the text is the one that is wanted, in a time that tells nothing of where they differ.
pub fn is_same(wanted: &str, given: &str) -> bool {
    // Hashing both first makes the comparison take as long whatever is right, the length too.
    let key = hmac::Key::new(hmac::HMAC_SHA256, wanted.as_bytes());
    let tag = hmac::sign(&key, wanted.as_bytes());
    hmac::verify(&key, given.as_bytes(), tag.as_ref()).is_ok()
}

fn secret_header(recipe: &SecretHeader, headers: &HeaderMap, secrets: &BTreeMap<String, Secret>) -> Result<(), Refusal> {
    let secret = key(&recipe.secret, secrets)?;
    let given = headers.get(&recipe.header).ok_or(Refusal::MissingHeader)?;
    let given = given.to_str().map_err(|_| Refusal::Mismatch)?;
    if is_same(secret.expose(), given) { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// The secrets that are set: any of them will do; one that isn't set signs nothing.
fn keys_of<'a>(recipe: &HmacRecipe, secrets: &'a BTreeMap<String, Secret>) -> Vec<&'a Secret> {
    std::iter::once(&recipe.secret).chain(&recipe.alternatives).filter_map(|name| key(name, secrets).ok()).collect()
}

fn keyed_hash(recipe: &HmacRecipe, evidence: &Evidence<'_>, set: &[&Secret]) -> Result<(), Refusal> {
    if set.is_empty() {
        return Err(Refusal::SecretMissing);
    }
    let headers = evidence.headers;
    let mut given = recipe.headers().flat_map(|name| headers.get_all(name)).peekable();
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
    // While a provider changes its key it sends two signatures, in one header or in two.
    let texts = given.filter_map(|value| value.to_str().ok());
    let claims = texts.flat_map(|text| claims(recipe, text, timestamp)).take(SIGNATURES_MAX);
    let mut right = claims.filter(|claim| {
        signature(recipe, claim.signature).is_some_and(|tag| {
            let signed = signed(&recipe.signed, claim.timestamp, evidence.body);
            keys.iter().any(|key| hmac::verify(key, &signed, &tag).is_ok())
        })
    });
    let right = right.next().ok_or(Refusal::Mismatch)?;
    // The signature first: a stranger learns nothing of our clock.
    if recipe.is_timed() {
        let at: i64 = right.timestamp.trim().parse().map_err(|_| Refusal::Mismatch)?;
        if evidence.now.abs_diff(at) > recipe.tolerance(evidence.settings) {
            return Err(Refusal::Stale);
        }
    }
    Ok(())
}

/// A signature, and the time that it is said to be of.
struct Claim<'a> {
    timestamp: &'a str,
    signature: &'a str,
}

/// What a header's text claims. `timestamp` is the other header's, where there is one.
fn claims<'a>(recipe: &HmacRecipe, text: &'a str, timestamp: &'a str) -> Vec<Claim<'a>> {
    let Some(field) = &recipe.signature_field else {
        return text.split_whitespace().map(|signature| Claim { timestamp, signature }).collect();
    };
    // By name: a provider may change the order, and add parts.
    let parts: Vec<(&str, &str)> =
        text.split(',').filter_map(|part| part.split_once('=')).map(|(name, value)| (name.trim(), value.trim())).collect();
    let timestamp = match &recipe.timestamp_field {
        Some(field) => parts.iter().find(|(name, _)| name == field).map(|(_, value)| *value),
        None => Some(timestamp),
    };
    let Some(timestamp) = timestamp else { return Vec::new() };
    parts.iter().filter(|(name, _)| name == field).map(|(_, signature)| Claim { timestamp, signature }).collect()
}

/// The bytes of a signature as it stands in the header.
fn signature(recipe: &HmacRecipe, text: &str) -> Option<Vec<u8>> {
    let bare = text.strip_prefix(recipe.prefix.as_str()).or(recipe.bare.then_some(text))?;
    decode(bare, recipe.encoding)
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

    fn verify(
        recipe: &Verify,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &BTreeMap<String, Secret>,
        now: i64,
    ) -> Result<Option<&'static str>, Refusal> {
        super::verify(recipe, &Evidence { headers, body, secrets, settings: &Map::new(), now })
    }

    const HMAC: Result<Option<&str>, Refusal> = Ok(Some("hmac"));

    fn secrets(value: &str) -> BTreeMap<String, Secret> {
        BTreeMap::from([("key".to_owned(), Secret::from(value))])
    }

    #[test]
    fn a_secret_header_is_compared_whole() {
        let recipe = recipe(json!({ "kind": "secret-header", "header": "X-Telegram-Bot-Api-Secret-Token", "secret": "key" }));
        let check = |value: &str| verify(&recipe, &headers(&[("x-telegram-bot-api-secret-token", value)]), b"", &secrets("abc_123"), NOW);
        assert_eq!(check("abc_123"), Ok(Some("secret-header")));
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
        assert_eq!(check(right, body), HMAC);
        assert_eq!(check(&right.replace("sha256=5BDC", "sha256=5bdc"), body), HMAC);
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
        assert_eq!(check("1531420618", NOW), HMAC);
        assert_eq!(check("1531420618", NOW + 300), HMAC);
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
        assert_eq!(verify(&recipe, &signed("one"), b"body", &both, NOW), HMAC);
        assert_eq!(verify(&recipe, &signed("two"), b"body", &both, NOW), HMAC);
        assert_eq!(verify(&recipe, &signed("three"), b"body", &both, NOW), Err(Refusal::Mismatch));
        assert_eq!(verify(&recipe, &signed("two"), b"body", &second, NOW), HMAC);
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
        assert_eq!(verify(&recipe, &given, b"body", &secrets("new"), NOW), HMAC);
    }

    const EVENT: &[u8] = br#"{"client_key":"7300000000000000001","event":"im_receive_msg","create_time":1764000000,"user_openid":"biz_open_id_1","content":"{\"conversation_id\":\"c+1==\"}"}"#;

    /// The body with its last byte another, and as another writer of JSON would have it.
    fn changed(body: &[u8]) -> [Vec<u8>; 2] {
        let mut flipped = body.to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        let spaced = String::from_utf8(body.to_vec()).unwrap().replacen(':', ": ", 1).into_bytes();
        [flipped, spaced]
    }

    #[test]
    fn a_signature_with_its_timestamp_in_the_same_header_is_read_by_name() {
        let recipe = recipe(json!({ "kind": "hmac", "header": "x-signature", "secret": "key", "signed": "{timestamp}.{body}",
            "timestamp_field": "t", "signature_field": "s", "tolerance_setting": "patience" }));
        let secrets = secrets("tt_app_secret");
        let tag = "83930b049759f02e09e68f53da47a8b82421e4584e29e23a7805414e98cdd776";
        let of = |text: &str, body: &[u8], settings: serde_json::Value, now: i64| {
            let (headers, settings) = (headers(&[("x-signature", text)]), settings.as_object().unwrap().clone());
            super::verify(&recipe, &Evidence { headers: &headers, body, secrets: &secrets, settings: &settings, now })
        };
        let check = |text: &str| of(text, EVENT, json!({}), 1_764_000_000);
        let mismatch = Err(Refusal::Mismatch);
        assert_eq!(check(&format!("t=1764000000,s={tag}")), HMAC);
        assert_eq!(check(&format!("s={tag}, v=2,t=1764000000")), HMAC, "another order, and a part more");
        assert_eq!(check(&format!("t=1764000000,s=00,s={tag}")), HMAC, "two, while the key changes");
        assert_eq!(check(&format!("t=1764000000,s={}", tag.to_uppercase())), HMAC, "hex in capitals");
        for wrong in [
            format!("t=1764000001,s={tag}"),
            format!("s={tag}"),
            "t=1764000000".to_owned(),
            format!("t=1764000000,s={}", &tag[..62]),
            format!("t=1764000000,x={tag}"),
            tag.to_owned(),
        ] {
            assert_eq!(check(&wrong), mismatch, "{wrong}");
        }
        let right = format!("t=1764000000,s={tag}");
        for body in changed(EVENT) {
            assert_eq!(of(&right, &body, json!({}), 1_764_000_000), mismatch);
        }
        assert_eq!(of(&right, EVENT, json!({}), 1_764_000_301), Err(Refusal::Stale));
        assert_eq!(of(&right, EVENT, json!({"patience": 5}), 1_764_000_006), Err(Refusal::Stale), "a setting says how old it may be");
        assert_eq!(of(&right, EVENT, json!({"patience": 600}), 1_764_000_600), HMAC);
        assert_eq!(of(&right, EVENT, json!({"patience": "600"}), 1_764_000_600), HMAC);
        for none in [json!(0), json!("soon"), json!(-5), json!(null)] {
            assert_eq!(of(&right, EVENT, json!({"patience": none}), 1_764_000_301), Err(Refusal::Stale), "{none}");
        }
        assert_eq!(verify(&recipe, &headers(&[]), EVENT, &secrets, 1_764_000_000), Err(Refusal::MissingHeader));
        let empty = BTreeMap::from([("key".to_owned(), Secret::from(""))]);
        assert_eq!(verify(&recipe, &headers(&[("x-signature", &right)]), EVENT, &empty, 1_764_000_000), Err(Refusal::SecretMissing));
    }

    #[test]
    fn a_literal_may_be_signed_and_the_prefix_left_out() {
        let recipe = recipe(json!({ "kind": "hmac", "header": "x-signature", "secret": "key", "prefix": "hmacsha256=", "bare": true,
            "signed": "hmacsha256={body}" }));
        let body = br#"{"type":"ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS","notifications":[]}"#;
        let tag = "cebe977658843320f16219f9a8e87e93ae3c4d6679964e90cf00be88b0348112";
        let check = |text: &str, body: &[u8]| verify(&recipe, &headers(&[("x-signature", text)]), body, &secrets("li_client_secret"), NOW);
        for right in [tag.to_owned(), format!("hmacsha256={tag}"), tag.to_uppercase()] {
            assert_eq!(check(&right, body), HMAC, "{right}");
        }
        for wrong in [format!("sha256={tag}"), tag[..62].to_owned(), String::new(), format!("{tag}00")] {
            assert_eq!(check(&wrong, body), Err(Refusal::Mismatch), "{wrong}");
        }
        for other in changed(body) {
            assert_eq!(check(tag, &other), Err(Refusal::Mismatch));
        }
    }

    #[test]
    fn a_signature_in_base64_may_come_under_several_names() {
        let recipe = recipe(json!({ "kind": "hmac", "header": "x-shop-hmac", "also_headers": ["shop-hmac"], "secret": "key",
            "encoding": "base64" }));
        let body = br#"{"id":820982911946154508,"note":"h\u00e9llo \u0026 bye"}"#;
        let tag = "S1xoM5M4CigyG0yvRuFCLZuf7Jhd/+ivuC4f+0RuRK0=";
        let check = |name: &'static str, body: &[u8]| verify(&recipe, &headers(&[(name, tag)]), body, &secrets("shp_client_secret"), NOW);
        assert_eq!(check("x-shop-hmac", body), HMAC);
        assert_eq!(check("shop-hmac", body), HMAC);
        assert_eq!(check("other-hmac", body), Err(Refusal::MissingHeader));
        for other in changed(body) {
            assert_eq!(check("shop-hmac", &other), Err(Refusal::Mismatch));
        }
    }

    #[test]
    fn a_signature_with_its_timestamp_in_another_header_may_be_optional() {
        let recipe =
            recipe(json!({ "kind": "hmac", "header": "x-signature", "secret": "key", "alternatives": ["second"], "optional": true,
            "signed": "{timestamp}.{body}", "timestamp_header": "x-timestamp" }));
        let body = br#"{"event":"message","session":"s_1","id":"evt_1"}"#;
        let tag = "2b113333d41345df321f028ba9e7db2313f0fa231fa6cd11a5000b5dce6c0fed";
        let signed = |at: &str| headers(&[("x-signature", tag), ("x-timestamp", at)]);
        let now = 1_764_000_000;
        assert_eq!(verify(&recipe, &signed("1764000000"), body, &secrets("whsec_demo"), now), HMAC);
        assert_eq!(verify(&recipe, &signed("1764000000"), body, &secrets("whsec_demo"), now + 301), Err(Refusal::Stale));
        assert_eq!(verify(&recipe, &signed("1764000001"), body, &secrets("whsec_demo"), now), Err(Refusal::Mismatch));
        // It is asked for as soon as one of the secrets is set.
        assert_eq!(verify(&recipe, &headers(&[]), body, &secrets("whsec_demo"), now), Err(Refusal::MissingHeader));
        let second = BTreeMap::from([("key".to_owned(), Secret::from("")), ("second".to_owned(), Secret::from("x"))]);
        assert_eq!(verify(&recipe, &headers(&[]), body, &second, now), Err(Refusal::MissingHeader));
        for unset in [BTreeMap::new(), secrets("")] {
            assert_eq!(verify(&recipe, &headers(&[]), body, &unset, now), Ok(None), "nothing was checked");
        }
    }

    #[test]
    fn no_endless_list_of_signatures_is_looked_at() {
        let recipe = recipe(json!({ "kind": "hmac", "header": "x-sig", "secret": "key" }));
        let tag = hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"k"), b"body"));
        let check = |before: usize| {
            let given = headers(&[("x-sig", &format!("{}{tag}", "00 ".repeat(before)))]);
            verify(&recipe, &given, b"body", &secrets("k"), NOW)
        };
        assert_eq!(check(SIGNATURES_MAX - 1), HMAC);
        assert_eq!(check(SIGNATURES_MAX), Err(Refusal::Mismatch));
    }
}
