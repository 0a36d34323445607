//! Files with what the account is in their placeholders.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde_json::Value;

use crate::{
    domain::account::Account,
    error::ApiError,
    manifest::{BrowserFile, Piece, Slot},
    plugins::crypto,
    secrets::Secret,
};

/// The file's text for the account.
///
/// # Errors
/// 503 where a key is missing that it shows the public half of.
pub(super) fn fill(file: &BrowserFile, account: &Account, secrets: &BTreeMap<String, Secret>, base: &str) -> Result<String, ApiError> {
    let mut text = String::with_capacity(file.file.len());
    for piece in file.pieces() {
        match piece {
            Piece::Text(own) => text.push_str(own),
            Piece::Slot(Slot::Account) => text.push_str(&within_quotes(&account.id)),
            Piece::Slot(Slot::Base) => text.push_str(&within_quotes(base)),
            Piece::Slot(Slot::Setting(name)) => text.push_str(&json(account.settings.get(name).unwrap_or(&Value::Null))),
            Piece::Slot(Slot::PublicKey(name)) => {
                let key = crypto::public_key(secrets, name).map_err(|_| {
                    ApiError::unavailable("no_key", format!("The account has no key “{name}”.")).hint(format!(
                        "PATCH /rest/v1/channel_accounts/{} with {{\"settings\": {{\"{name}\": null}}}} makes one.",
                        account.id
                    ))
                })?;
                text.push_str(&URL_SAFE_NO_PAD.encode(key));
            }
        }
    }
    Ok(text)
}

/// As JSON has it; safe in a script that stands in a page, too.
fn json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The text as it stands between the quotes of JSON.
fn within_quotes(text: &str) -> String {
    let quoted = json(&Value::from(text));
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// 200 with the text, or 304 where the browser has it already: it asks each time, so that a change of the account shows at once.
pub(super) fn answer(file: &BrowserFile, text: String, asked: &HeaderMap) -> Response {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let tag = format!("\"{}\"", hex::encode(digest.as_ref().get(..16).unwrap_or_default()));
    let mut headers = HeaderMap::new();
    for (name, value) in &file.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    let fixed = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A page that isolates itself takes a script that says so alone.
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    if let Ok(tag) = HeaderValue::try_from(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if has(asked, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    if let Ok(kind) = HeaderValue::try_from(format!("{}; charset=utf-8", file.mime_type)) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    (StatusCode::OK, headers, text).into_response()
}

/// Whether one of the tags in `If-None-Match` is that one; a weak one will do, and `*` is any.
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let lists = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}
