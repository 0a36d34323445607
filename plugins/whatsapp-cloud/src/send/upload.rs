//! Files that the gateway has go to Meta first, which answers with an id that is good for thirty days.

use patchbay_meta::{Json as _, Trouble};
use patchbay_plugin::http::Part;
use patchbay_plugin::{Failure, kv, log};
use serde_json::Value;

use super::Context;

/// Seconds for which an id is used again: a picture for many people is uploaded once. The plugin's store has room for 10,000
/// files, so not for as long as Meta keeps them.
const TTL_S: u32 = 24 * 60 * 60;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Upload {
    /// JSON pointer into the payload of the object that gets the id.
    pub(super) place: String,
    pub(super) blob_ref: String,
    pub(super) mime_type: String,
    pub(super) file_name: String,
}

/// What became of a step's files.
#[derive(Debug, Default)]
pub(super) struct Uploaded {
    /// Some were uploaded for an earlier message, and may be gone.
    pub(super) remembered: bool,
}

/// Puts the ids where they belong.
pub(super) fn all(context: &Context<'_>, uploads: &[Upload], payload: &mut Value, anew: bool) -> Result<Uploaded, Failure> {
    let mut uploaded = Uploaded::default();
    for upload in uploads {
        let known = if anew { None } else { kv::get(&key(upload)).and_then(|entry| String::from_utf8(entry.value).ok()) };
        uploaded.remembered |= known.is_some();
        let id = match known {
            Some(id) => id,
            None => self::upload(context, upload)?,
        };
        match payload.pointer_mut(&upload.place) {
            Some(Value::Object(object)) => object.insert("id".into(), id.into()),
            _ => return Err(Failure::fault("upload", format!("there is no place {} in the message", upload.place))),
        };
    }
    Ok(uploaded)
}

fn upload(context: &Context<'_>, upload: &Upload) -> Result<String, Failure> {
    let parts = vec![
        Part::text("messaging_product", "whatsapp"),
        Part::text("type", &upload.mime_type),
        Part::blob_ref("file", &upload.blob_ref).file_name(&upload.file_name).mime_type(&upload.mime_type),
    ];
    let ask = context.settings.graph().post(&format!("{}/media", context.number)).multipart(parts);
    // One that is there twice does no harm.
    let answer = ask.repeatable().send().map_err(|trouble| refused(context, trouble))?;
    let id = answer.id("id").ok_or_else(|| Failure::unavailable("upload", "Meta took the file and told no id"))?;
    if let Err(problem) = kv::set(&key(upload), id.as_bytes(), Some(TTL_S)) {
        log::debug("an uploaded file isn't remembered", &[("problem", &format!("{problem:?}"))]);
    }
    Ok(id)
}

/// A file that is wrong is the message's fault.
fn refused(context: &Context<'_>, trouble: Trouble) -> Failure {
    match trouble.refusal() {
        Some(refusal) if refusal.code == 100 => {
            let words = if refusal.details.is_empty() { &refusal.message } else { &refusal.details };
            Failure::rejected("100", format!("Meta doesn't take the file: {words}"))
        }
        _ => trouble.on(context.occasion()),
    }
}

fn key(upload: &Upload) -> String {
    format!("upload:{}", upload.blob_ref)
}
