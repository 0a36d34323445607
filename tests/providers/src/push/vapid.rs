//! Who pushes: the signed token of RFC 8292.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

use super::answer::Refused;
use super::service::Service;
use crate::clock::DAY_S;

/// Whom a token names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sender {
    /// `k`, as it was written.
    pub(crate) key: String,
    pub(crate) subject: String,
}

/// Checks the token of a push to `origin`.
pub(crate) fn check(headers: &HeaderMap, origin: &str, service: Service, now_s: u64) -> Result<Sender, Refused> {
    let value = headers.get(AUTHORIZATION).ok_or(Refused::NoAuthorization)?;
    let value = value.to_str().map_err(|_| wrong("Authorization isn't text"))?;
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("vapid") {
        return Err(wrong("the scheme isn't vapid"));
    }
    let parameter = |name: &str| {
        let found = rest.split(',').filter_map(|part| part.trim().split_once('=')).find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_owned()).ok_or_else(|| wrong(&format!("there is no {name}=")))
    };
    let (token, key) = (parameter("t")?, parameter("k")?);
    let subject = verify(&token, &key, origin, now_s).map_err(|why| wrong(&why))?;
    if service == Service::Apple {
        check_for_apple(&subject).map_err(|why| wrong(&why))?;
    }
    Ok(Sender { key, subject })
}

fn wrong(why: &str) -> Refused {
    Refused::BadToken(why.to_owned())
}

/// The subject, where all is well.
fn verify(token: &str, key: &str, origin: &str, now_s: u64) -> Result<String, String> {
    let raw = URL_SAFE_NO_PAD.decode(key).map_err(|_| "k isn't base64url without padding")?;
    if raw.len() != 65 || raw.first() != Some(&4) {
        return Err("k isn't an uncompressed point of 65 bytes".into());
    }
    let (signed, signature) = token.rsplit_once('.').ok_or("t isn't three parts")?;
    let (header, claims) = signed.split_once('.').ok_or("t isn't three parts")?;
    let header = json(header).ok_or("the token's header isn't base64url of JSON")?;
    if header["alg"] != "ES256" {
        return Err(format!("alg is {} and not ES256", header["alg"]));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "the signature isn't base64url")?;
    if signature.len() != 64 {
        return Err(format!("the signature has {} bytes and isn't r and s of 32 each", signature.len()));
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &raw).verify(signed.as_bytes(), &signature).map_err(|_| "the signature isn't k's")?;
    let claims = json(claims).ok_or("the claims aren't base64url of JSON")?;
    if claims["aud"] != origin {
        return Err(format!("aud is {} and not {origin}", claims["aud"]));
    }
    let exp = claims["exp"].as_u64().ok_or("exp isn't a number of seconds")?;
    if exp <= now_s {
        return Err("exp is past".into());
    }
    if exp > now_s + DAY_S {
        return Err("exp is more than a day ahead".into());
    }
    match claims["sub"].as_str() {
        Some(subject) if subject.starts_with("mailto:") || subject.starts_with("https:") => Ok(subject.to_owned()),
        _ => Err("sub is neither mailto: nor https:".into()),
    }
}

/// Apple wants an address that somebody might read.
fn check_for_apple(subject: &str) -> Result<(), String> {
    let address = subject.split_once(':').map_or("", |(_, rest)| rest).trim_start_matches('/');
    let host = address.rsplit('@').next().unwrap_or_default();
    let host = host.split(['/', ':', '?']).next().unwrap_or_default();
    if subject.contains([' ', '<', '>']) {
        return Err("sub has a space or angle brackets".into());
    }
    if host == "localhost" || host.ends_with(".localhost") || host.ends_with(".invalid") || !host.contains('.') {
        return Err(format!("nobody can be reached at {host}"));
    }
    Ok(())
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8292, section 2.4.
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA";
    const KEY: &str = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
    const EXP: u64 = 1_453_523_768;

    #[test]
    fn the_token_of_the_rfc_is_taken_for_a_day_and_by_its_own_origin() {
        let check = |origin: &str, now_s| verify(TOKEN, KEY, origin, now_s);
        assert_eq!(check("https://push.example.net", EXP - 100), Ok("mailto:push@example.com".into()));
        assert!(check("https://push.example.net/", EXP - 100).unwrap_err().contains("aud"));
        assert!(check("https://push.example.net", EXP).unwrap_err().contains("past"));
        assert!(check("https://push.example.net", EXP - DAY_S - 1).unwrap_err().contains("a day"));
        let flipped = TOKEN.replace(".i3C", ".j3C");
        assert!(verify(&flipped, KEY, "https://push.example.net", EXP - 100).unwrap_err().contains("k's"));
    }

    #[test]
    fn apple_wants_a_subject_that_can_be_reached() {
        for taken in ["mailto:push@example.com", "https://example.com/contact", "https://shop.example:8443"] {
            assert_eq!(check_for_apple(taken), Ok(()), "{taken}");
        }
        for refused in
            ["mailto:admin@localhost", "mailto: push@example.com", "https://localhost:3000", "mailto:a@b.invalid", "mailto:<a@b.com>"]
        {
            assert!(check_for_apple(refused).is_err(), "{refused}");
        }
    }
}
