//! The bytes behind a file id. The address holds the token, so it is the gateway that fetches it, into a blob.

use patchbay_plugin::http::Request;
use patchbay_plugin::{Blob, Failure};

use crate::api::{self, parameters};
use crate::json::Json as _;

pub(crate) fn download(file_id: &str) -> Result<Blob, Failure> {
    let file = api::repeat("getFile", &parameters! {"file_id": file_id})?;
    let path = file
        .text("file_path")
        .ok_or_else(|| Failure::rejected("file_path", "Telegram tells no place of the file: it is too big or gone"))?;
    let response = Request::get("file", format!("/{}", path.trim_start_matches('/'))).into_blob().send()?;
    match response.status() {
        200..300 => Ok(response.into_blob()?),
        // The path is good for an hour; another attempt gets a new one.
        404 => Err(Failure::unavailable("file_gone", "the file isn't at the place that Telegram told")),
        401 => Err(Failure::unauthorized("token_revoked", "the bot token isn't valid")),
        status @ 500.. => Err(Failure::unavailable(status.to_string(), "Telegram's file server has a fault")),
        status => Err(Failure::rejected(status.to_string(), "Telegram's file server refuses the file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;
    use serde_json::json;

    #[test]
    fn a_file_is_fetched_into_a_blob() {
        let provider = Provider::new();
        let file = json!({"ok": true, "result": {"file_id": "F", "file_unique_id": "u", "file_size": 3, "file_path": "photos/file_1.jpg"}});
        provider.on("POST api /getFile").answer(200, &file);
        provider.on("GET file /photos/file_1.jpg").answer_bytes(200, "image/jpeg", "abc");
        let blob = download("F").unwrap();
        assert_eq!((blob.size(), blob.mime_type(), blob.read_all()), (3, "image/jpeg".into(), Ok(b"abc".to_vec())));
    }

    #[test]
    fn a_file_that_is_too_big_can_never_be_had() {
        let provider = Provider::new();
        provider
            .on("POST api /getFile")
            .answer(400, &json!({"ok": false, "error_code": 400, "description": "Bad Request: file is too big"}));
        assert!(matches!(download("F"), Err(Failure::Rejected(detail)) if detail.code == "file_too_big"));
    }
}
