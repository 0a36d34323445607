//! One call of LinkedIn's API: its headers, and what became of it.

use patchbay_plugin::http::{self, Request, Response};
use patchbay_plugin::{Call, Failure, Fields as _};
use serde_json::Value;

use crate::refusal::Refusal;
use crate::settings::Settings;

/// The egress target of everything but files and, where they go elsewhere, messages.
pub(crate) const API: &str = "api";

/// Why a call gave nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// LinkedIn has answered no.
    Refused(Refusal),
    /// There was no usable answer.
    Http(http::Error),
}

impl Trouble {
    /// What the gateway does then, at that moment.
    pub(crate) fn on(self, call: &Call) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.failure(now_ms(call), call.attempt),
            Self::Http(error) => error.into(),
        }
    }
}

impl From<http::Error> for Trouble {
    fn from(error: http::Error) -> Self {
        Self::Http(error)
    }
}

/// The gateway's clock, in milliseconds since 1970.
pub(crate) fn now_ms(call: &Call) -> Option<f64> {
    call.extras.value("now_ms")?.parse().ok()
}

/// A request with the headers that every one of them needs.
pub(crate) fn request(settings: &Settings, method: &str, path: impl Into<String>) -> Request {
    headed(settings, Request::new(method, API, path))
}

pub(crate) fn headed(settings: &Settings, request: Request) -> Request {
    request.header("linkedin-version", &settings.api_version).header("x-restli-protocol-version", "2.0.0")
}

/// A request that reads. The answer is its JSON.
pub(crate) fn read(settings: &Settings, path: impl Into<String>, query: &[(&str, &str)]) -> Result<Value, Trouble> {
    let request = query.iter().fold(request(settings, "GET", path), |request, (name, value)| request.query(*name, *value));
    Ok(finish(request, true)?.json()?)
}

/// A request that does something for people: what broke on the way is in doubt.
pub(crate) fn act(request: Request) -> Result<Response, Trouble> {
    finish(request, false)
}

/// A request that sets what it would set again.
pub(crate) fn repeat(request: Request) -> Result<Response, Trouble> {
    finish(request.repeatable(), true)
}

fn finish(request: Request, repeatable: bool) -> Result<Response, Trouble> {
    let response = request.send()?;
    if response.is_success() { Ok(response) } else { Err(Trouble::Refused(Refusal::read(&response, repeatable))) }
}

/// The id of what was made: in a header, or the body.
pub(crate) fn made(response: &Response) -> Option<String> {
    let filled = |name: &&str| response.header(name).map(str::trim).filter(|id| !id.is_empty());
    let header = ["x-restli-id", "x-linkedin-id"].iter().find_map(filled);
    header.map(decoded).or_else(|| crate::json::Json::id(&response.json::<Value>().ok()?, "id"))
}

/// Some answers write the id percent-encoded.
fn decoded(id: &str) -> String {
    let colon = |text: &str| {
        text.replace("%3A", ":").replace("%3a", ":").replace("%28", "(").replace("%29", ")").replace("%2C", ",").replace("%2c", ",")
    };
    if id.starts_with("urn%") { colon(id) } else { id.to_owned() }
}
