//! What a call asked of its provider, for the account's log: where, how it went, how long it took. Never what was said, with
//! which credential, or to whom.

use std::sync::{Arc, Mutex, PoisonError};

use patchbay_sandbox::services::{HttpBody, HttpProblem, HttpRequest, HttpResponseBody, PartContent};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::{
    domain::failure::{Failure, FailureClass},
    egress::Answer,
    mail,
    manifest::Manifest,
};

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
    /// Why there is no status: `denied`, `not_sent` or `broken`; of mail `refused` too, which has numbers in SMTP alone.
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

    /// The same of what is asked of a mail server: the folder stands in the place of the path.
    pub(super) fn begin_mail(errand: &mail::Errand<'_>, target: &str, method: &str, folder: &str, bytes: usize) -> Begun {
        let setting = errand.manifest.mail.get(target).and_then(|target| errand.settings.get(&target.host)?.as_str());
        Begun {
            target: target.to_owned(),
            method: method.to_owned(),
            host: setting.unwrap_or_default().to_owned(),
            path: without_ids(folder),
            request_bytes: bytes,
            at: Instant::now(),
        }
    }
}

impl Begun {
    /// What the server said, and the bytes that came of it.
    pub(super) fn end_mail(self, answer: Result<(&str, u64), &Failure>) -> HttpTrace {
        let (said, problem, response_bytes) = match answer {
            Ok((said, bytes)) => (said, None, bytes),
            Err(failure) => {
                let problem = match failure.class {
                    FailureClass::Fault => "denied",
                    FailureClass::Uncertain => "broken",
                    FailureClass::Unavailable => "not_sent",
                    _ => "refused",
                };
                (failure.message.as_str(), Some(problem), 0)
            }
        };
        let status: Option<u16> = said.split_whitespace().next().filter(|code| code.len() == 3).and_then(|code| code.parse().ok());
        HttpTrace {
            target: self.target,
            method: self.method,
            host: self.host,
            path: self.path,
            status,
            problem: problem.filter(|_| status.is_none()),
            elapsed_ms: u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX),
            request_bytes: self.request_bytes,
            response_bytes,
        }
    }

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
    fn what_a_mail_server_said_is_kept_by_its_number() {
        let begun = || Begun {
            target: "out".to_owned(),
            method: "SUBMIT".to_owned(),
            host: "mail.example.com".to_owned(),
            path: String::new(),
            request_bytes: 7,
            at: Instant::now(),
        };
        let trace = begun().end_mail(Ok(("250 2.0.0 queued", 0)));
        assert_eq!((trace.status, trace.problem), (Some(250), None));
        let failed = |class, message: &str| {
            let trace = begun().end_mail(Err(&Failure::new(class, "x", message)));
            (trace.status, trace.problem)
        };
        assert_eq!(failed(FailureClass::Recipient, "550 5.1.1 gone"), (Some(550), None));
        assert_eq!(failed(FailureClass::Unavailable, "mail.example.com: no answer in time"), (None, Some("not_sent")));
        assert_eq!(failed(FailureClass::Uncertain, "mail.example.com: closed"), (None, Some("broken")));
        assert_eq!(failed(FailureClass::Unauthorized, "NO [AUTHENTICATIONFAILED] no"), (None, Some("refused")));
        assert_eq!(failed(FailureClass::Fault, "the manifest has no such target"), (None, Some("denied")));
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
