//! Pictures are uploaded first; TikTok keeps them for thirty days under an id.

use patchbay_plugin::Failure;
use patchbay_plugin::http::{Part, Request};
use patchbay_plugin::messages::{Media, Source};
use serde_json::Value;

use super::{Recipient, Sending};
use crate::api::{self, Trouble};
use crate::json::Json as _;

const MEGABYTES_MAX: u32 = 3;
const BYTES_MAX: u32 = MEGABYTES_MAX * 1024 * 1024;
const MIME_TYPES: [&str; 3] = ["image/jpeg", "image/jpg", "image/png"];
/// Message requests are conversations of another type, and no webhook tells it.
const CONVERSATION_TYPES: [&str; 2] = ["SINGLE", "STRANGER"];

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Image {
    /// TikTok has it already.
    Uploaded(String),
    File {
        blob_ref: String,
        mime_type: String,
        file_name: String,
    },
}

pub(super) fn image(media: &Media, at: &str) -> Result<Image, Failure> {
    let named = media.mime_type.as_deref().map(|mime_type| mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let mime_type = named.filter(|mime_type| !mime_type.is_empty());
    match &media.source {
        Source::ProviderRef(id) if id.is_empty() => Err(Failure::invalid(format!("{at}/provider_ref"), "is empty")),
        Source::ProviderRef(id) => Ok(Image::Uploaded(id.clone())),
        Source::Url(_) => Err(Failure::unsupported("url", "TikTok fetches nothing by itself: upload the picture to the gateway")),
        Source::BlobRef(reference) => {
            let mime_type = mime_type.unwrap_or_else(|| "image/jpeg".to_owned());
            if !MIME_TYPES.contains(&mime_type.as_str()) {
                return Err(Failure::invalid(
                    format!("{at}/mime_type"),
                    format!("TikTok takes image/jpeg and image/png, and not {mime_type}"),
                ));
            }
            if let Some(size) = media.size.filter(|size| *size > BYTES_MAX) {
                return Err(Failure::invalid(format!("{at}/media_id"), format!("has {size} bytes; TikTok takes {MEGABYTES_MAX} MB")));
            }
            let given = media.file_name.clone().filter(|name| !name.is_empty());
            let made = if mime_type == "image/png" { "image.png" } else { "image.jpg" };
            Ok(Image::File { blob_ref: reference.clone(), mime_type, file_name: given.unwrap_or_else(|| made.to_owned()) })
        }
    }
}

/// TikTok's id of the picture.
pub(super) fn upload(sending: &Sending<'_>, image: &Image) -> Result<String, Trouble> {
    let (blob_ref, mime_type, file_name) = match image {
        Image::Uploaded(id) => return Ok(id.clone()),
        Image::File { blob_ref, mime_type, file_name } => (blob_ref, mime_type, file_name),
    };
    let parts = vec![
        Part::text("business_id", sending.business_id),
        Part::text("media_type", "IMAGE"),
        Part::blob_ref("file", blob_ref).file_name(file_name).mime_type(mime_type),
    ];
    let told = api::ask(Request::post("api", "/business/message/media/upload/").multipart(parts).repeatable())?;
    told.id("media_id").ok_or_else(|| {
        let reason = "no media_id".to_owned();
        Trouble::Http(patchbay_plugin::http::Error::NotUnderstood { status: 200, reason, repeatable: true })
    })
}

/// Whether TikTok says that this conversation takes no pictures: that depends on both sides' countries.
pub(super) fn is_impossible(sending: &Sending<'_>) -> bool {
    let Recipient::Conversation(conversation) = sending.to else { return false };
    let told = CONVERSATION_TYPES.into_iter().find_map(|kind| capability(sending, conversation, kind));
    told == Some(false)
}

/// None where TikTok doesn't tell.
fn capability(sending: &Sending<'_>, conversation: &str, kind: &str) -> Option<bool> {
    let ask = Request::get("api", "/business/message/capabilities/get/")
        .query("business_id", sending.business_id)
        .query("conversation_id", conversation)
        .query("conversation_type", kind)
        .query("capability_types", r#"["IMAGE_SEND"]"#);
    let told = api::ask(ask).ok()?;
    let infos = told.list("capability_infos");
    infos.iter().find(|info| info.text("capability_type") == Some("IMAGE_SEND"))?.get("capability_result").and_then(Value::as_bool)
}
