//! Media that bots send: by file id, by URL, by upload; and the objects that messages hold of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use url::Host;

use crate::telegram::answer::Refusal;
use crate::telegram::files::{Files, Kind, NewFile, StoredFile};
use crate::telegram::message::fields;
use crate::telegram::params::{Params, Upload};
use crate::telegram::server::Server;

const MIB: usize = 1024 * 1024;
const UPLOAD_MAX: usize = 50 * MIB;
const PHOTO_MAX: usize = 10 * MIB;
/// By URL the server takes less.
const URL_MAX: usize = 20 * MIB;
const PHOTO_BY_URL_MAX: usize = 5 * MIB;
const FETCH_WITHIN: Duration = Duration::from_secs(20);

/// What of a request or of an album's item describes the media besides the file.
pub(crate) trait Described {
    fn number(&self, name: &str) -> Option<i64>;
    fn words(&self, name: &str) -> Option<String>;
}

impl Described for Params {
    fn number(&self, name: &str) -> Option<i64> {
        Params::number(self, name)
    }
    fn words(&self, name: &str) -> Option<String> {
        self.has(name).then(|| self.text(name).into_owned())
    }
}

impl Described for Map<String, Value> {
    fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }
    fn words(&self, name: &str) -> Option<String> {
        self.get(name)?.as_str().map(ToOwned::to_owned)
    }
}

/// The file behind the parameter that has the kind's name.
pub(crate) async fn of_request(server: &Arc<Server>, kind: Kind, params: &Params) -> Result<(String, StoredFile), Refusal> {
    if let Some(upload) = params.file(kind.field()) {
        return uploaded(server, kind, upload);
    }
    let source = params.text(kind.field());
    if source.is_empty() {
        return Err(Refusal::bad(&format!("there is no {} in the request", kind.field().replace('_', " "))));
    }
    of_source(server, kind, &source, params).await
}

/// The file behind `attach://name`, a URL or a file id.
pub(crate) async fn of_source(server: &Arc<Server>, kind: Kind, source: &str, params: &Params) -> Result<(String, StoredFile), Refusal> {
    if let Some(name) = source.strip_prefix("attach://") {
        let upload = params.file(name).ok_or_else(|| Refusal::bad("can't parse InputMedia: Media not found"))?;
        return uploaded(server, kind, upload);
    }
    if let Some(stored) = server.files.find(source) {
        Files::check_kind(&stored, kind)?;
        return Ok((source.to_owned(), stored));
    }
    if source.starts_with("http://") || source.starts_with("https://") {
        return fetched(server, kind, source).await;
    }
    Err(Refusal::bad("wrong file identifier/HTTP URL specified"))
}

fn uploaded(server: &Server, kind: Kind, upload: &Upload) -> Result<(String, StoredFile), Refusal> {
    let size = upload.bytes.len();
    if size == 0 {
        return Err(Refusal::bad("file must be non-empty"));
    }
    if size > UPLOAD_MAX {
        return Err(Refusal::new(413, "Request Entity Too Large"));
    }
    if kind == Kind::Photo {
        if size > PHOTO_MAX {
            let text = format!("file of size {size} bytes is too big for a photo; the maximum size is {PHOTO_MAX} bytes");
            return Err(Refusal::bad(&text));
        }
        let (width, height) = super::pictures::dimensions(&upload.bytes).ok_or_else(|| Refusal::bad("IMAGE_PROCESS_FAILED"))?;
        check_dimensions(width, height)?;
    }
    let name = Some(upload.file_name.as_str()).filter(|name| !name.is_empty());
    Ok(server.files.keep(&NewFile { kind, bytes: upload.bytes.clone(), name, mime_type: Some(&upload.mime_type) }))
}

/// Width and height together at most 10,000, one at most 20 times the other.
fn check_dimensions(width: u32, height: u32) -> Result<(), Refusal> {
    let (short, long) = (width.min(height), width.max(height));
    let fine = short > 0 && width.saturating_add(height) <= 10_000 && long <= short.saturating_mul(20);
    if fine { Ok(()) } else { Err(Refusal::bad("PHOTO_INVALID_DIMENSIONS")) }
}

/// A URL on loopback is fetched. Others are believed to hold what they should: nothing here goes out to the internet.
async fn fetched(server: &Server, kind: Kind, source: &str) -> Result<(String, StoredFile), Refusal> {
    let url = url::Url::parse(source).map_err(|_| Refusal::bad("wrong HTTP URL specified"))?;
    let unreachable = || Refusal::bad("failed to get HTTP URL content");
    let name = url.path_segments().and_then(|mut segments| segments.next_back()).filter(|name| !name.is_empty());
    let loopback = url.host().is_some_and(|host| is_loopback(&host));
    if !loopback || url.scheme() != "http" {
        if url.host_str().is_none_or(|host| host.ends_with(".invalid") || !host.contains('.')) {
            return Err(unreachable());
        }
        let bytes = if kind == Kind::Photo { super::pictures::png(640, 480) } else { format!("What {source} holds\n").into_bytes() };
        return Ok(server.files.keep(&NewFile { kind, bytes: bytes.into(), name, mime_type: None }));
    }
    let posted = server.poster.fetch(source, FETCH_WITHIN).await.map_err(|_| unreachable())?;
    if !posted.status.is_success() {
        return Err(unreachable());
    }
    let bytes: Bytes = posted.body;
    if bytes.len() > if kind == Kind::Photo { PHOTO_BY_URL_MAX } else { URL_MAX } {
        return Err(unreachable());
    }
    if kind == Kind::Photo {
        let (width, height) = super::pictures::dimensions(&bytes).ok_or_else(|| Refusal::bad("wrong type of the web page content"))?;
        check_dimensions(width, height)?;
    }
    let mime_type = posted.headers.get("content-type").and_then(|mime_type| mime_type.to_str().ok());
    Ok(server.files.keep(&NewFile { kind, bytes, name, mime_type }))
}

pub(crate) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The media part of a message.
pub(crate) fn content(server: &Server, file_id: &str, file: &StoredFile, described: &impl Described) -> Map<String, Value> {
    let mut object = json!({"file_id": file_id, "file_unique_id": file.unique_id, "file_size": file.size});
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            object[name] = value;
        }
    };
    let number = |name: &str, default: i64| Value::from(described.number(name).unwrap_or(default));
    let mime = |default: &str| Value::from(file.mime_type.clone().unwrap_or_else(|| default.to_owned()));
    match file.kind {
        Kind::Photo | Kind::Thumbnail => return fields(json!({"photo": photo_sizes(server, file_id, file)})),
        Kind::Video | Kind::Animation => {
            set("width", number("width", 640));
            set("height", number("height", 360));
            set("duration", number("duration", 0));
            set("file_name", file.name.clone().into());
            set("mime_type", mime("video/mp4"));
        }
        Kind::Audio => {
            set("duration", number("duration", 0));
            set("performer", described.words("performer").into());
            set("title", described.words("title").into());
            set("file_name", file.name.clone().into());
            set("mime_type", mime("audio/mpeg"));
        }
        Kind::Voice => {
            set("duration", number("duration", 0));
            set("mime_type", mime("audio/ogg"));
        }
        Kind::VideoNote => {
            set("duration", number("duration", 0));
            set("length", number("length", 240));
        }
        Kind::Document => {
            set("file_name", file.name.clone().into());
            set("mime_type", mime("application/octet-stream"));
        }
        Kind::Sticker => {
            for (name, value) in [("width", json!(512)), ("height", json!(512)), ("type", json!("regular"))] {
                set(name, value);
            }
            set("is_animated", file.name.as_deref().is_some_and(|name| name.ends_with(".tgs")).into());
            set("is_video", file.name.as_deref().is_some_and(|name| name.ends_with(".webm")).into());
            set("emoji", described.words("emoji").into());
        }
    }
    let mut content = Map::new();
    if file.kind == Kind::Animation {
        // Old clients know animations as documents only.
        content.insert("document".into(), object.clone());
    }
    content.insert(file.kind.field().to_owned(), object);
    content
}

/// From small to large; the last is the file itself.
fn photo_sizes(server: &Server, file_id: &str, file: &StoredFile) -> Value {
    let (width, height) = (file.width.max(1), file.height.max(1));
    let mut sizes = Vec::new();
    if width.max(height) > 90 {
        let scaled = |side: u32| (u64::from(side) * 90 / u64::from(width.max(height))).max(1);
        sizes.push(json!({
            "file_id": format!("{file_id}-s"), "file_unique_id": format!("{}s", file.unique_id),
            "width": scaled(width), "height": scaled(height),
        }));
    }
    sizes.push(json!({
        "file_id": file_id, "file_unique_id": file.unique_id, "width": width, "height": height, "file_size": file.size,
    }));
    let sizes = Value::Array(sizes);
    server.files.learn(&sizes);
    sizes
}
