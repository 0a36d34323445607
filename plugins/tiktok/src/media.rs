//! The bytes behind a media id: TikTok tells an address that is good for a day and takes the account's token in a header.

use patchbay_plugin::http::{self, Request};
use patchbay_plugin::{Blob, Call, Failure, Field};
use serde_json::json;

use crate::api::{self, Trouble};
use crate::json::Json as _;
use crate::refusal::Class;
use crate::settings::{Settings, business_id};

/// What TikTok wants to know of a file besides its id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MediaRef {
    /// `IMAGE` or `VIDEO`.
    pub(crate) kind: String,
    pub(crate) conversation: String,
    pub(crate) message: String,
    pub(crate) media: String,
}

impl MediaRef {
    pub(crate) fn written(&self) -> String {
        json!([self.kind, self.conversation, self.message, self.media]).to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        let [kind, conversation, message, media] = serde_json::from_str(text).ok()?;
        Some(Self { kind, conversation, message, media })
    }
}

pub(crate) fn download(call: &Call, provider_ref: &str) -> Result<Blob, Failure> {
    let Some(file) = MediaRef::parse(provider_ref) else {
        return Err(Failure::rejected("media_ref", "that is no reference of TikTok's"));
    };
    let (settings, business_id) = (Settings::of(call)?, business_id(call)?);
    let body = json!({"business_id": business_id, "conversation_id": file.conversation, "message_id": file.message,
        "media_id": file.media, "media_type": file.kind});
    let told = api::ask(Request::post("api", "/business/message/media/download/").json(&body)?.repeatable()).map_err(gone)?;
    let url = told.text("download_url").ok_or_else(|| Failure::rejected("media_url", "TikTok tells no address of the file"))?;
    fetch(&settings, call, url)
}

fn gone(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Refused(refusal) if matches!(refusal.class(), Class::Rejected | Class::Recipient) => Failure::Rejected(refusal.detail()),
        trouble => trouble.into(),
    }
}

fn fetch(settings: &Settings, call: &Call, url: &str) -> Result<Blob, Failure> {
    let response = match request(settings.server(call), url).into_blob().send() {
        Ok(response) => response,
        Err(http::Error::Denied(_)) => {
            let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
            return Err(Failure::rejected(
                "media_host",
                format!("TikTok keeps the file at {host}, where the gateway doesn't go with a token"),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    match response.status() {
        200..300 => Ok(response.into_blob()?),
        status @ (401 | 408 | 429 | 500..) => {
            Err(Failure::unavailable(status.to_string(), "TikTok's media server doesn't hand the file out now"))
        }
        status => Err(Failure::rejected(status.to_string(), "TikTok's media server refuses the file")),
    }
}

/// On the API's own server the address is its path and query; elsewhere it is whole.
fn request(server: &str, url: &str) -> Request {
    let own = url.strip_prefix(server).filter(|rest| rest.starts_with('/'));
    // TikTok's addresses are https: another is a server's of one's own, whose place the gateway knows.
    let own = own.or_else(|| url.strip_prefix("http://").and_then(|rest| rest.find('/').and_then(|slash| rest.get(slash..))));
    match own {
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
    use serde_json::Value;

    const ASK: &str = "POST api /business/message/media/download/";

    fn get(provider: &Provider, url: &str, settings: &Value) -> Result<Blob, Failure> {
        provider.on(ASK).answer(200, &json!({"code": 0, "message": "OK", "data": {"download_url": url}}));
        let file = MediaRef { kind: "VIDEO".into(), conversation: "Yx+1Q==".into(), message: "m_2".into(), media: "v123".into() };
        download(&testing::call(Some("biz_open_id_1"), settings), &file.written())
    }

    #[test]
    fn a_file_is_fetched_from_the_address_that_is_told() {
        let provider = Provider::new();
        provider.on("GET media https://p16.tiktokcdn.com/v/123?x-expires=1").answer_bytes(200, "video/mp4", "film");
        let blob = get(&provider, "https://p16.tiktokcdn.com/v/123?x-expires=1", &json!({})).unwrap();
        assert_eq!((blob.size(), blob.mime_type()), (4, "video/mp4".into()));
        let asked = provider.requests()[0].json();
        assert_eq!(asked["conversation_id"], "Yx+1Q==");
        assert_eq!((asked["message_id"].as_str(), asked["media_type"].as_str()), (Some("m_2"), Some("VIDEO")));
    }

    #[test]
    fn on_the_apis_own_server_it_is_a_path() {
        let provider = Provider::new();
        for (url, settings) in [
            ("https://business-api.tiktok.com/file/7?sig=a%2Bb", json!({})),
            ("http://127.0.0.1:9103/file/7?sig=a%2Bb", json!({"base_url": "http://127.0.0.1:9103"})),
            ("http://127.0.0.1:9103/file/7?sig=a%2Bb", json!({})),
        ] {
            provider.on("GET media /file/7").answer_bytes(200, "image/png", "png");
            assert!(get(&provider, url, &settings).is_ok(), "{url}");
            assert_eq!(provider.requests().last().unwrap().query.value("sig"), Some("a+b"));
        }
        provider.on("GET media https://business-api.tiktok.com.evil.example/file").answer_bytes(403, "text/plain", "");
        assert!(
            get(&provider, "https://business-api.tiktok.com.evil.example/file", &json!({})).is_err(),
            "named whole: the gateway refuses"
        );
    }

    #[test]
    fn what_is_gone_can_never_be_had_and_a_fault_passes() {
        let provider = Provider::new();
        provider.on("GET media /file/7").answer_bytes(404, "text/plain", "");
        assert!(matches!(get(&provider, "https://business-api.tiktok.com/file/7", &json!({})), Err(Failure::Rejected(_))));
        provider.on("GET media /file/7").answer_bytes(503, "text/plain", "");
        assert!(matches!(get(&provider, "https://business-api.tiktok.com/file/7", &json!({})), Err(Failure::Unavailable(_))));
        provider.on(ASK).answer(200, &json!({"code": 40_007, "message": "no such media"}));
        let file = r#"["IMAGE","c","m","i"]"#;
        assert!(matches!(download(&testing::call(Some("b"), &json!({})), file), Err(Failure::Rejected(_))));
        assert!(matches!(download(&testing::call(Some("b"), &json!({})), "https://x"), Err(Failure::Rejected(_))));
    }
}
