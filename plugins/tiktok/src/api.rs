//! TikTok's API: every path ends with a slash, and errors come with status 200 and a code that isn't 0.

use patchbay_plugin::Failure;
use patchbay_plugin::http::{self, Request, Response};
use serde_json::Value;

use crate::json::Json as _;
use crate::refusal::Refusal;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    Http(http::Error),
    Refused(Refusal),
}

impl From<http::Error> for Trouble {
    fn from(error: http::Error) -> Self {
        Self::Http(error)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Http(error) => error.into(),
            Trouble::Refused(refusal) => refusal.failure(),
        }
    }
}

/// Sends a request and answers its `data`.
pub(crate) fn ask(request: Request) -> Result<Value, Trouble> {
    let response = request.send()?;
    match response.json::<Value>() {
        Ok(mut body) => match body.whole("code") {
            Some(0) if response.is_success() => Ok(body.get_mut("data").map_or(Value::Null, Value::take)),
            Some(code) => Err(Trouble::Refused(refusal(&response, code, &body))),
            None if response.is_success() => Err(response.not_understood("no code").into()),
            None => Err(Trouble::Refused(refusal(&response, 0, &body))),
        },
        Err(error) if response.is_success() => Err(error.into()),
        Err(_) => Err(Trouble::Refused(refusal(&response, 0, &Value::Null))),
    }
}

fn refusal(response: &Response, code: i64, body: &Value) -> Refusal {
    Refusal {
        status: response.status(),
        code,
        message: body.text("message").unwrap_or_default().to_owned(),
        request_id: body.id("request_id"),
        retry_after_ms: response.retry_after_ms(),
    }
}
