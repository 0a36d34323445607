//! Signatures: of webhooks, of tokens, of requests; and the escaped ASCII that Meta signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, Key};
use serde_json::{Value, json};

/// Lowercase hex of HMAC-SHA256.
pub(crate) fn hmac_hex(secret: &str, message: &[u8]) -> String {
    hex::encode(hmac::sign(&Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message))
}

/// The value of `X-Hub-Signature-256` for this body.
#[must_use]
pub fn signature(app_secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hmac_hex(app_secret, body))
}

/// The old header's value, which is still sent.
pub(crate) fn signature_sha1(app_secret: &str, body: &[u8]) -> String {
    let key = Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, app_secret.as_bytes());
    format!("sha1={}", hex::encode(hmac::sign(&key, body)))
}

/// The `appsecret_proof` of a token.
#[must_use]
pub fn appsecret_proof(app_secret: &str, token: &str) -> String {
    hmac_hex(app_secret, token.as_bytes())
}

/// What Meta posts to the deauthorise and data deletion callbacks, in the form field `signed_request`.
#[must_use]
pub fn signed_request(app_secret: &str, user_id: &str, issued_at: u64) -> String {
    let payload = json!({"algorithm": "HMAC-SHA256", "issued_at": issued_at, "user_id": user_id});
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let signature = hmac::sign(&Key::new(hmac::HMAC_SHA256, app_secret.as_bytes()), payload.as_bytes());
    format!("{}.{payload}", URL_SAFE_NO_PAD.encode(signature))
}

/// JSON as Meta writes it: everything beyond ASCII as `\uxxxx`, and slashes escaped.
#[must_use]
pub fn escaped(payload: &Value) -> String {
    use std::fmt::Write;
    let plain = payload.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 8);
    let mut units = [0; 2];
    for letter in plain.chars() {
        match letter {
            '/' => text.push_str("\\/"),
            letter if letter.is_ascii() => text.push(letter),
            letter => {
                for unit in letter.encode_utf16(&mut units) {
                    write!(text, "\\u{unit:04x}").ok();
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_vectors_come_out() {
        let empty = br#"{"object":"page","entry":[]}"#;
        assert_eq!(signature("appsecret", empty), "sha256=0e9e0080a310f376450c46d999aa4d49ed772bfe43c13205f38a3a6e6611ed2b");
        let emoji = br#"{"object":"page","entry":[{"t":"\ud83d\udc5f \/"}]}"#;
        assert_eq!(signature("appsecret", emoji), "sha256=6c7067b53b84c6444366fc3d5be0bcc8817eafdcc87ffbb2347f177d083f147a");
        assert_eq!(appsecret_proof("sec", "PT"), "2dc6231c9410219be5368f0186a8894992947784254d1eda6a9021cd5164b40c");
        assert_eq!(
            signed_request("appsecret", "218471", 1_790_000_000),
            "SLIeSH0wk2f7xLzHZDyr0r6JlDRr3hjAQkRscxdFpQc.eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZF9hdCI6MTc5MDAwMDAwMCwidXNlcl9pZCI6IjIxODQ3MSJ9"
        );
    }

    #[test]
    fn what_is_posted_is_escaped_ascii() {
        assert_eq!(escaped(&json!({"t": "👟 /é\n"})), r#"{"t":"\ud83d\udc5f \/\u00e9\n"}"#);
    }
}
