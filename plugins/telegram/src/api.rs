//! One call of a Bot API method: its parameters, the envelope of its answer.

use patchbay_plugin::http::{self, Part, Request};
use patchbay_plugin::{Failure, Field};
use serde_json::{Map, Value};

use crate::json::Json as _;
use crate::refusal::Refusal;

pub(crate) type Parameters = Map<String, Value>;

/// A file of a request, which the gateway has.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// The field's name: the parameter, or what `attach://` names.
    pub(crate) field: String,
    pub(crate) blob_ref: String,
    pub(crate) name: Option<String>,
    pub(crate) mime_type: Option<String>,
}

/// Why a method gave no result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// The server has answered no.
    Refused(Refusal),
    /// There was no usable answer.
    Http(http::Error),
}

impl From<http::Error> for Trouble {
    fn from(error: http::Error) -> Self {
        Self::Http(error)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => refusal.into(),
            Trouble::Http(error) => error.into(),
        }
    }
}

/// Calls a method that changes something for people: what broke on the way is in doubt.
pub(crate) fn act(method: &str, parameters: &Parameters, files: &[File]) -> Result<Value, Trouble> {
    finish(request(method, parameters, files)?)
}

/// Calls a method that only reads, or that sets what it would set again.
pub(crate) fn repeat(method: &str, parameters: &Parameters) -> Result<Value, Trouble> {
    finish(request(method, parameters, &[])?.repeatable())
}

/// Long polling.
pub(crate) fn wait(method: &str, parameters: &Parameters, timeout_ms: u32) -> Result<Value, Trouble> {
    finish(request(method, parameters, &[])?.repeatable().timeout_ms(timeout_ms))
}

/// `setWebhook` has an egress target of its own, because the gateway adds the secret as a form field.
pub(crate) fn set_webhook(fields: Vec<Field>) -> Result<Value, Trouble> {
    finish(Request::post("webhook", "").form(fields).repeatable())
}

fn request(method: &str, parameters: &Parameters, files: &[File]) -> Result<Request, Trouble> {
    let request = Request::post("api", format!("/{method}"));
    if files.is_empty() {
        return Ok(request.json(parameters)?);
    }
    let mut parts: Vec<Part> = parameters.iter().map(|(name, value)| Part::text(name, form_text(value))).collect();
    parts.extend(files.iter().map(|file| {
        let mut part = Part::blob_ref(&file.field, &file.blob_ref).file_name(file.name.as_deref().unwrap_or("file"));
        part = match &file.mime_type {
            Some(mime_type) => part.mime_type(mime_type),
            None => part,
        };
        part
    }));
    Ok(request.multipart(parts))
}

/// A form's field: text as it is, anything else as JSON.
fn form_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn finish(request: Request) -> Result<Value, Trouble> {
    let response = request.send()?;
    let envelope = response.json::<Value>();
    match envelope {
        Ok(mut envelope) if envelope.flag("ok") => Ok(envelope.get_mut("result").map(Value::take).unwrap_or_default()),
        // The body's code is the one to trust; a proxy before the server may write another status or no JSON at all.
        Ok(envelope) if envelope.get("ok").is_some() => Err(Trouble::Refused(Refusal::new(&envelope, response.status()))),
        Ok(_) | Err(_) if !response.is_success() => Err(Trouble::Refused(Refusal::new(&Value::Null, response.status()))),
        Ok(_) => Err(Trouble::Http(response.not_understood("an answer of the Bot API says `ok`"))),
        Err(error) => Err(Trouble::Http(error)),
    }
}

/// Parameters from JSON.
macro_rules! parameters {
    ($($name:literal: $value:expr),* $(,)?) => {
        [$(($name.to_owned(), serde_json::json!($value))),*].into_iter().collect::<$crate::api::Parameters>()
    };
}
pub(crate) use parameters;
