//! What a call asked of its provider, for the account's log: where, how it went, how long it took. Never what was said, with
//! which credential, or to whom.

use std::sync::{Arc, Mutex, PoisonError};

use patchbay_sandbox::services::{HttpBody, HttpProblem, HttpRequest, HttpResponseBody, PartContent};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::{egress::Answer, manifest::Manifest};

/// A segment of a path with more digits than this is somebody's number or an id.
const DIGITS_MAX: usize = 4;
/// A longer segment is an id or a token.
const SEGMENT_MAX: usize = 40;

/// A request that is under way.
pub(super) struct Begun {
    target: String,
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    request_bytes: usize,
    at: Instant,
}

/// A request that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct HttpTrace {
    /// The manifest's name for the place.
    target: String,
    method: String,
    host: String,
    /// As the plugin wrote it, with `…` for what may be somebody's.
    path: String,
    pub(super) status: Option<u16>,
    /// Why there is no status: `denied`, `not_sent` or `broken`.
    problem: Option<&'static str>,
    elapsed_ms: u64,
    /// Without files.
    request_bytes: usize,
    response_bytes: u64,
}

impl HttpTrace {
    pub(super) fn begin(manifest: &Manifest, settings: &Value, request: &HttpRequest) -> Begun {
        Begun {
            target: request.target.clone(),
            method: request.method.clone(),
            host: host(manifest, settings, request),
            path: shown_path(&request.method, &request.path),
            request_bytes: body_bytes(&request.body),
            at: Instant::now(),
        }
    }
}

impl Begun {
    pub(super) fn end(self, answer: &Result<Answer, HttpProblem>) -> HttpTrace {
        let (status, problem, response_bytes) = match answer {
            Ok(answer) => {
                let bytes = match &answer.response.body {
                    HttpResponseBody::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                    HttpResponseBody::Blob(blob) => u64::from(blob.size),
                };
                (Some(answer.response.status), None, bytes)
            }
            Err(HttpProblem::Denied(_)) => (None, Some("denied"), 0),
            Err(HttpProblem::NotSent(_)) => (None, Some("not_sent"), 0),
            Err(HttpProblem::Broken(_)) => (None, Some("broken"), 0),
        };
        HttpTrace {
            target: self.target,
            method: self.method,
            host: self.host,
            path: self.path,
            status,
            problem,
            elapsed_ms: u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX),
            request_bytes: self.request_bytes,
            response_bytes,
        }
    }
}

/// The requests of one call. The sandbox bounds their number.
#[derive(Clone, Default)]
pub(super) struct HttpTraces(Arc<Mutex<Vec<HttpTrace>>>);

impl HttpTraces {
    pub(super) fn push(&self, trace: HttpTrace) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(trace);
    }

    pub(super) fn shown(&self) -> Value {
        json!(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The host that the target names, or the one that the account's setting puts in its place.
fn host(manifest: &Manifest, settings: &Value, request: &HttpRequest) -> String {
    let Some(target) = manifest.egress.get(&request.target) else { return String::new() };
    // Where the target lists hosts, a path may be a whole URL.
    if let Some(named) = Url::parse(&request.path).ok().and_then(|url| url.host_str().map(str::to_owned)) {
        return named;
    }
    let setting = target.base_setting.as_ref().and_then(|name| settings.get(name)?.as_str()).filter(|base| !base.is_empty());
    let own = target.base.settings().next().and_then(|name| settings.get(name)?.as_str()).unwrap_or("x");
    let base = setting.map_or_else(|| target.base.filled_with(own), str::to_owned);
    Url::parse(&base).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// A whole URL that is written to lets whoever has it write: nothing of its path is told.
fn shown_path(method: &str, path: &str) -> String {
    let own = without_host(path);
    if own != path && !matches!(method, "GET" | "HEAD") { "/…".to_owned() } else { without_ids(own) }
}

/// The path of a whole URL; a path as it is.
fn without_host(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("https://").or_else(|| path.strip_prefix("http://")) else { return path };
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
}

/// The path with `…` for segments that look like somebody's id, number or address.
fn without_ids(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let shown = |segment: &str| {
        let digits = segment.chars().filter(char::is_ascii_digit).count();
        let is_word = digits <= DIGITS_MAX && segment.len() <= SEGMENT_MAX && !segment.contains(['@', '+', '%']);
        if is_word { segment.to_owned() } else { "…".to_owned() }
    };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

fn body_bytes(body: &HttpBody) -> usize {
    match body {
        HttpBody::Empty | HttpBody::Blob(_) | HttpBody::Piece { .. } => 0,
        HttpBody::Bytes(bytes) => bytes.len(),
        HttpBody::Form(fields) => fields.iter().map(|field| field.name.len() + field.value.len()).sum(),
        HttpBody::Multipart(parts) => parts
            .iter()
            .map(|part| match &part.content {
                PartContent::Bytes(bytes) => bytes.len(),
                PartContent::Blob(_) => 0,
            })
            .sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_words_and_loses_whose_it_is() {
        for (path, shown) in [
            ("/sendMessage", "/sendMessage"),
            ("/v19.0/104857600/messages", "/v19.0/…/messages"),
            ("/accounts/AC5ef8732a3c49700934481addd5ce1659/Messages.json", "/accounts/…/Messages.json"),
            ("/contacts/mona@example.com", "/contacts/…"),
            ("/contacts/%2B49151", "/contacts/…"),
            ("/photos/file_17.jpg", "/photos/file_17.jpg"),
            ("/messages?to=4915112345678", "/messages"),
            ("", ""),
        ] {
            assert_eq!(without_ids(path), shown);
        }
    }

    #[test]
    fn where_something_was_pushed_to_is_told_by_the_host_alone() {
        assert_eq!(shown_path("POST", "https://push.example.com/wpush/v2/short"), "/…");
        assert_eq!(shown_path("GET", "https://cdn.example.net/v/x.jpg"), "/v/x.jpg");
        assert_eq!(shown_path("POST", "/messages"), "/messages");
    }

    #[test]
    fn of_a_whole_url_the_path_is_told_without_its_signature() {
        assert_eq!(without_ids(without_host("https://cdn.example.net/v/t39.30808-6/x.jpg?sig=abc")), "/v/…/x.jpg");
        assert_eq!(without_host("https://cdn.example.net"), "");
        assert_eq!(without_host("http://127.0.0.1:9109/a"), "/a");
        assert_eq!(without_host("/a/b"), "/a/b");
    }
}
