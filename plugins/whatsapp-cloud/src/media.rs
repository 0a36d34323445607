//! The bytes behind a media id: Meta tells an address that is good for five minutes and takes the account's token.

use patchbay_meta::{Json as _, Trouble};
use patchbay_plugin::http::Request;
use patchbay_plugin::{Blob, Call, Failure, Field};

use crate::settings::Settings;

/// The host of the manifest's target, whose credential is added there alone.
const LOOKASIDE: &str = "https://lookaside.fbsbx.com";

pub(crate) fn download(call: &Call, id: &str) -> Result<Blob, Failure> {
    let settings = Settings::of(call)?;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) || id.contains("..") {
        return Err(Failure::rejected("media_id", "that is no id of WhatsApp's"));
    }
    match fetch(&settings, &address(call, &settings, id)?)? {
        Some(blob) => Ok(blob),
        // The address was too old: a new one, once.
        None => fetch(&settings, &address(call, &settings, id)?)?
            .ok_or_else(|| Failure::unavailable("media_gone", "the file isn't at the address that Meta has just told")),
    }
}

fn address(call: &Call, settings: &Settings, id: &str) -> Result<String, Failure> {
    let mut ask = settings.graph().get(id);
    if let Ok(number) = settings.number(call) {
        ask = ask.query("phone_number_id", number);
    }
    let answer = ask.send().map_err(gone)?;
    answer.text("url").map(str::to_owned).ok_or_else(|| Failure::rejected("media_url", "Meta tells no address of the file"))
}

/// Of an id that isn't known any more.
fn gone(trouble: Trouble) -> Failure {
    match trouble.refusal() {
        Some(refusal) if refusal.code == 100 || (refusal.code == 0 && refusal.status == 404) => Failure::rejected(
            "media_gone",
            "Meta doesn't have the file any more: it keeps what came in for seven days, and uploads for thirty",
        ),
        _ => trouble.into(),
    }
}

/// None where the address has expired.
fn fetch(settings: &Settings, url: &str) -> Result<Option<Blob>, Failure> {
    let response = request(settings, url).into_blob().send()?;
    match response.status() {
        200..300 => {
            let blob = response.into_blob()?;
            // An address whose time is up is sometimes answered with a page that says so.
            Ok(Some(blob).filter(|blob| !blob.mime_type().starts_with("text/html")))
        }
        401 | 403 | 404 | 410 => Ok(None),
        status @ (408 | 429 | 500..) => Err(Failure::unavailable(status.to_string(), "Meta's media server has a fault")),
        status => Err(Failure::rejected(status.to_string(), "Meta's media server refuses the file")),
    }
}

/// On the target's own host the address is its path and query; elsewhere it is whole, and goes without the token.
fn request(settings: &Settings, url: &str) -> Request {
    let own = settings.media_base_url.as_deref().and_then(|base| url.strip_prefix(base)).or_else(|| url.strip_prefix(LOOKASIDE));
    // Meta's addresses are https: another is a server's of one's own, whose place the gateway knows.
    let own = own.or_else(|| url.strip_prefix("http://").and_then(|rest| rest.find('/').and_then(|slash| rest.get(slash..))));
    match own.filter(|rest| rest.starts_with('/')) {
        Some(rest) => {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            fields(query).into_iter().fold(Request::get("media", path), |request, field| request.query(field.name, field.value))
        }
        None => Request::get("media", url),
    }
}

fn fields(query: &str) -> Vec<Field> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(|(name, value)| Field::new(decoded(name), decoded(value))).collect()
}

/// Percent-encoding undone: the gateway encodes again.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let byte = match (first, after) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()),
            _ => None,
        };
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::Fields as _;
    use patchbay_plugin::testing::{self, Provider};
    use serde_json::{Value, json};

    const URL: &str = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=7&ext=1790000300&hash=AT%2Bq";

    fn get(id: &str, settings: &Value) -> Result<Blob, Failure> {
        download(&testing::call(Some("9"), settings), id)
    }

    fn told(provider: &Provider, url: &str) {
        provider.on("GET graph /v26.0/7").answer(200, &json!({"url": url, "mime_type": "image/jpeg", "file_size": "3", "id": "7"}));
    }

    #[test]
    fn a_file_is_fetched_from_the_address_that_is_told() {
        let provider = Provider::new();
        told(&provider, URL);
        provider.on("GET media /whatsapp_business/attachments/").answer_bytes(200, "image/jpeg", "abc");
        let blob = get("7", &json!({})).unwrap();
        assert_eq!((blob.size(), blob.mime_type()), (3, "image/jpeg".into()));
        let requests = provider.requests();
        assert_eq!(requests[0].query.value("phone_number_id"), Some("9"));
        assert_eq!((requests[1].query.value("hash"), requests[1].query.value("mid")), (Some("AT+q"), Some("7")));
    }

    #[test]
    fn an_address_that_is_too_old_is_asked_for_again_once() {
        let provider = Provider::new();
        told(&provider, URL);
        provider.on("GET media /whatsapp_business/attachments/").answer_bytes(404, "text/plain", "");
        told(&provider, URL);
        provider.on("GET media /whatsapp_business/attachments/").answer_bytes(200, "image/jpeg", "abc");
        assert!(get("7", &json!({})).is_ok());
        for _ in 0..2 {
            told(&provider, URL);
            provider.on("GET media /whatsapp_business/attachments/").answer_bytes(200, "text/html; charset=utf-8", "<html>");
        }
        assert!(matches!(get("7", &json!({})), Err(Failure::Unavailable(_))));
    }

    #[test]
    fn another_host_is_named_whole_and_a_media_server_of_ones_own_is_known() {
        let provider = Provider::new();
        told(&provider, "https://scontent.fbcdn.net/v/7?x=1");
        provider.on("GET media https://scontent.fbcdn.net/v/7?x=1").answer_bytes(200, "image/jpeg", "abc");
        assert!(get("7", &json!({})).is_ok());
        told(&provider, "http://127.0.0.1:9101/m?mid=7");
        provider.on("GET media /m").answer_bytes(200, "image/jpeg", "abc");
        assert!(get("7", &json!({"media_base_url": "http://127.0.0.1:9101"})).is_ok());
        told(&provider, "http://127.0.0.1:9101/m?mid=7");
        provider.on("GET media /m").answer_bytes(200, "image/jpeg", "abc");
        assert!(get("7", &json!({})).is_ok(), "set at the app");
    }

    #[test]
    fn a_file_that_is_gone_can_never_be_had() {
        let provider = Provider::new();
        provider.on("GET graph /v26.0/7").answer(400, &json!({"error": {"code": 100, "error_subcode": 33, "message": "x"}}));
        assert!(matches!(get("7", &json!({})), Err(Failure::Rejected(detail)) if detail.code == "media_gone"));
        assert!(matches!(get("../me", &json!({})), Err(Failure::Rejected(_))));
    }
}
