//! A number as an answer, in one of the forms that have been seen.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How a number is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `0`
    #[default]
    Bare,
    /// `"0"`
    Quoted,
    /// `<int xmlns="http://tempuri.org/">0</int>`
    Xml,
}

/// An answer, or an error of the web server before it.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Code(i64),
    Text(String),
    Refused(u16, &'static str),
}

pub(crate) fn respond(answer: Answer, form: Form) -> Response {
    let (text, quoted) = match answer {
        Answer::Refused(status, why) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            return (status, axum::Json(json!({"Message": why}))).into_response();
        }
        Answer::Code(code) => (code.to_string(), form == Form::Quoted),
        Answer::Text(text) => (text, form != Form::Xml),
    };
    let (kind, body) = match form {
        Form::Xml => {
            let tag = if text.parse::<i64>().is_ok() { "int" } else { "string" };
            let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<{tag} xmlns=\"http://tempuri.org/\">{text}</{tag}>");
            ("text/xml; charset=utf-8", body)
        }
        _ if quoted => ("application/json; charset=utf-8", format!("\"{text}\"")),
        _ => ("application/json; charset=utf-8", text),
    };
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
