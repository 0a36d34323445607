//! Files on their way to LinkedIn: asked for an address, put there, videos in parts. What has been done is kept, so that another attempt
//! goes on from there: many files, or a video that LinkedIn is still working at, take more than one call.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::http::{Body, Piece, Request, Response};
use patchbay_plugin::{Failure, kv, log};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Context;
use super::attachment::{Attachment, File, Kind};
use super::place;
use crate::api::{self, Trouble};
use crate::json::Json as _;
use crate::urn;

/// Seconds for which an upload is remembered: longer than the gateway tries.
const TTL_S: u32 = 24 * 60 * 60;
/// How often in one call LinkedIn is asked whether a video is ready. There is no waiting within a call.
const LOOKS: u32 = 4;
/// How often in all: with the waits between, three quarters of an hour.
const LOOKS_MAX: u32 = 1000;
/// Milliseconds until the next call where a file isn't all there, or not ready. The code lets the account's other messages pass.
const NEXT_MS: f64 = 250.0;
const READY_MS: f64 = 10_000.0;
const ADDRESS_CODE: &str = "upload_address";
const WAIT_CODE: &str = "conversation_limited";

/// What has been done of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    urn: String,
    /// Where the bytes go that aren't there yet.
    parts: Vec<Part>,
    /// Of parts that are there.
    etags: Vec<String>,
    token: String,
    /// All of it is there, and LinkedIn knows.
    whole: bool,
    /// Videos are worked at before they can be used.
    ready: bool,
    looks: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    url: String,
    first: u32,
    /// The last byte; none is the end of the file.
    last: Option<u32>,
}

/// The file's URN, once it can be used.
pub(super) fn upload(context: &Context<'_>, attachment: &Attachment) -> Result<String, Failure> {
    let File::Kept { blob_ref, mime_type, size } = &attachment.file else {
        let File::Known(urn) = &attachment.file else { return Err(Failure::fault("upload", "there is no file")) };
        return Ok(urn.clone());
    };
    let upload = Upload {
        context,
        kind: attachment.kind,
        blob_ref,
        mime_type: mime_type.as_deref(),
        size: *size,
        key: format!("upload:{}:{blob_ref}", context.author),
    };
    let mut progress = match kv::get_json::<Progress>(&upload.key) {
        Some(progress) => progress,
        None => upload.begin()?,
    };
    let result = upload.go_on(&mut progress);
    match &result {
        // What was begun is no good: another attempt begins anew.
        Err(Failure::Rejected(_)) => kv::delete(&upload.key),
        Err(Failure::Unavailable(retry)) if retry.detail.code == ADDRESS_CODE => kv::delete(&upload.key),
        _ => upload.save(&progress),
    }
    result.map(|()| progress.urn)
}

struct Upload<'a> {
    context: &'a Context<'a>,
    kind: Kind,
    blob_ref: &'a str,
    mime_type: Option<&'a str>,
    size: Option<u32>,
    key: String,
}

impl Upload<'_> {
    fn begin(&self) -> Result<Progress, Failure> {
        let (_, field) = self.kind.names();
        let mut wanted = json!({"owner": self.context.author});
        if self.kind == Kind::Video {
            wanted.put("fileSizeBytes", self.size);
            wanted.put("uploadCaptions", false);
            wanted.put("uploadThumbnail", false);
        }
        let answer = self.ask("initializeUpload", &json!({"initializeUploadRequest": wanted}))?;
        let answer: Value = answer.json().map_err(Failure::from)?;
        let value = answer.object("value").unwrap_or(&answer);
        let strange = || Failure::unavailable("upload", "LinkedIn told no address for the file");
        let parts: Vec<Part> = match value.list("uploadInstructions") {
            [] => vec![Part { url: value.text("uploadUrl").ok_or_else(strange)?.to_owned(), first: 0, last: None }],
            // All of it at one place, whether or not its range is told.
            [one] => {
                let url = one.text("uploadUrl").or_else(|| value.text("uploadUrl")).ok_or_else(strange)?;
                vec![Part { url: url.to_owned(), first: 0, last: one.count("lastByte").filter(|_| one.count("firstByte") == Some(0)) }]
            }
            several => several.iter().map(part).collect::<Option<_>>().ok_or_else(strange)?,
        };
        let urn = value.text(field).filter(|urn| urn::kind(urn) == field).ok_or_else(strange)?.to_owned();
        let token = value.text("uploadToken").unwrap_or_default().to_owned();
        let progress = Progress { urn, parts, etags: Vec::new(), token, whole: false, ready: self.kind != Kind::Video, looks: 0 };
        self.save(&progress);
        Ok(progress)
    }

    fn go_on(&self, progress: &mut Progress) -> Result<(), Failure> {
        while let Some(part) = progress.parts.get(progress.etags.len()) {
            let etag = self.put(part)?;
            progress.etags.push(etag);
            // A call that is cut off loses one part, not all of them.
            if progress.parts.len() > 1 {
                self.save(progress);
            }
        }
        if self.kind == Kind::Video {
            self.finalize(progress)?;
            self.wait(progress)?;
        }
        progress.whole = true;
        Ok(())
    }

    /// The same bytes at the same place: it may be repeated.
    fn put(&self, part: &Part) -> Result<String, Failure> {
        self.spend()?;
        let piece = match part.last {
            Some(last) => Piece::range(self.blob_ref, part.first, last.saturating_sub(part.first).saturating_add(1)),
            None => Piece::whole(self.blob_ref),
        };
        let mime_type =
            if self.kind == Kind::Video { "application/octet-stream" } else { self.mime_type.unwrap_or("application/octet-stream") };
        let request = place::put(&self.context.settings, &part.url).header("content-type", mime_type).body(Body::Piece(piece));
        match api::repeat(request) {
            Ok(response) => Ok(response.header("etag").unwrap_or_default().trim_matches('"').to_owned()),
            Err(Trouble::Refused(refusal)) if matches!(refusal.status, 403 | 404 | 410) && self.context.call.attempt == 1 => Err(
                Failure::unavailable(ADDRESS_CODE, "the address that LinkedIn gave for the file isn't good any more: another is asked for"),
            ),
            Err(Trouble::Refused(refusal)) if matches!(refusal.status, 400 | 403..=422) && refusal.status != 408 => Err(Failure::rejected(
                "upload_refused",
                format!(
                    "LinkedIn doesn't take the file ({}): {}",
                    refusal.status,
                    if refusal.message.is_empty() { "no reason is told" } else { &refusal.message }
                ),
            )),
            Err(trouble) => Err(trouble.on(self.context.call)),
        }
    }

    fn finalize(&self, progress: &mut Progress) -> Result<(), Failure> {
        if progress.whole {
            return Ok(());
        }
        let body =
            json!({"finalizeUploadRequest": {"video": progress.urn, "uploadToken": progress.token, "uploadedPartIds": progress.etags}});
        self.ask("finalizeUpload", &body)?;
        progress.whole = true;
        self.save(progress);
        Ok(())
    }

    fn wait(&self, progress: &mut Progress) -> Result<(), Failure> {
        for _ in 0..LOOKS {
            if progress.ready {
                return Ok(());
            }
            self.spend()?;
            progress.looks += 1;
            let path = format!("/rest/videos/{}", urn::encoded(&progress.urn));
            let told = api::read(&self.context.settings, path, &[]).map_err(|trouble| trouble.on(self.context.call))?;
            match told.text("status").unwrap_or_default() {
                "AVAILABLE" => progress.ready = true,
                "PROCESSING_FAILED" => {
                    let why = told.text("processingFailureReason").unwrap_or("LinkedIn doesn't say why");
                    return Err(Failure::rejected("video_failed", format!("LinkedIn can't work with the video: {why}")));
                }
                _ if progress.looks >= LOOKS_MAX => {
                    return Err(Failure::rejected(
                        "video_unfinished",
                        "LinkedIn has been working at the video for too long: upload it again",
                    ));
                }
                _ => {}
            }
        }
        if progress.ready { Ok(()) } else { Err(later(READY_MS, "LinkedIn is working at the video: the post follows")) }
    }

    fn ask(&self, action: &str, body: &Value) -> Result<Response, Failure> {
        self.spend()?;
        let request: Request =
            api::request(&self.context.settings, "POST", format!("/rest/{}", self.kind.names().0)).query("action", action);
        let request = request.json(body).map_err(Failure::from)?;
        // An upload that nobody uses does no harm.
        api::repeat(request).map_err(|trouble| match trouble {
            Trouble::Refused(refusal) if refusal.status == 404 => {
                Failure::rejected("upload", "LinkedIn knows no such kind of file, or owner")
            }
            other => other.on(self.context.call),
        })
    }

    fn spend(&self) -> Result<(), Failure> {
        let left = self.context.left.get();
        self.context.left.set(left.saturating_sub(1));
        if left == 0 { Err(later(NEXT_MS, "the files are being uploaded: the rest of them, and the post, follow")) } else { Ok(()) }
    }

    fn save(&self, progress: &Progress) {
        if let Err(failure) = kv::set_json(&self.key, progress, Some(TTL_S)) {
            log::warn("how far an upload is could not be kept", &[("failure", &failure.to_string())]);
        }
    }
}

fn part(instruction: &Value) -> Option<Part> {
    let (first, last) = (instruction.count("firstByte")?, instruction.count("lastByte")?);
    (first <= last).then_some(())?;
    Some(Part { url: instruction.text("uploadUrl")?.to_owned(), first, last: Some(last) })
}

/// Goes on in another call, which counts as no attempt.
fn later(after_ms: f64, words: &str) -> Failure {
    Failure::Limited(patchbay_plugin::failure::Retry { after_ms: Some(after_ms), detail: Detail::new(WAIT_CODE, words) })
}
