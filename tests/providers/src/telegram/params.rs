//! A call's parameters, whichever of the four ways they came: query, form, multipart or JSON.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures::stream;
use ring::digest;
use serde_json::{Map, Value, json};

use crate::telegram::answer::Refusal;

/// Parameters that hold JSON: in a form they are JSON text.
const SERIALIZED: &[&str] = &[
    "reply_markup",
    "reply_parameters",
    "link_preview_options",
    "entities",
    "caption_entities",
    "media",
    "options",
    "reaction",
    "message_ids",
    "allowed_updates",
    "correct_option_ids",
    "explanation_entities",
    "question_entities",
];

/// A file that came with the request.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) field: String,
    pub(crate) file_name: String,
    pub(crate) mime_type: String,
    pub(crate) bytes: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct Params {
    values: Map<String, Value>,
    files: Vec<Upload>,
}

impl Params {
    pub(crate) async fn read(query: Option<&str>, headers: &HeaderMap, body: Bytes) -> Result<Self, Refusal> {
        let mut params = Self::default();
        params.take_form(query.unwrap_or_default().as_bytes());
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            _ if body.is_empty() => {}
            "application/json" => match serde_json::from_slice(&body) {
                Ok(Value::Object(values)) => params.values.extend(values),
                _ => return Err(Refusal::bad("can't parse JSON object")),
            },
            "multipart/form-data" => params.take_multipart(content_type, body).await?,
            _ => params.take_form(&body),
        }
        Ok(params)
    }

    /// The parameters of a method that our answer to a webhook names.
    pub(crate) fn of(values: Map<String, Value>) -> Self {
        Self { values, files: Vec::new() }
    }

    fn take_form(&mut self, form: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(form) {
            self.take_text(name.into_owned(), value.into_owned());
        }
    }

    fn take_text(&mut self, name: String, value: String) {
        let parsed = SERIALIZED.contains(&name.as_str()).then(|| serde_json::from_str(&value).ok()).flatten();
        self.values.insert(name, parsed.unwrap_or(Value::String(value)));
    }

    async fn take_multipart(&mut self, content_type: &str, body: Bytes) -> Result<(), Refusal> {
        let unreadable = |error: multer::Error| Refusal::bad(&format!("can't parse multipart body: {error}"));
        let boundary = multer::parse_boundary(content_type).map_err(unreadable)?;
        let mut parts = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            let field = part.name().unwrap_or_default().to_owned();
            let Some(file_name) = part.file_name().map(ToOwned::to_owned) else {
                let text = part.text().await.map_err(unreadable)?;
                self.take_text(field, text);
                continue;
            };
            let mime_type = part.content_type().map_or_else(|| "application/octet-stream".to_owned(), ToString::to_string);
            let bytes = part.bytes().await.map_err(unreadable)?;
            self.files.push(Upload { field, file_name, mime_type, bytes });
        }
        Ok(())
    }

    /// What is recorded: files as their description.
    pub(crate) fn as_json(&self) -> Value {
        let mut values = self.values.clone();
        for file in &self.files {
            let sha256 = hex(digest::digest(&digest::SHA256, &file.bytes).as_ref());
            let described = json!({"file_name": file.file_name, "mime_type": file.mime_type, "size": file.bytes.len(), "sha256": sha256});
            values.insert(file.field.clone(), described);
        }
        Value::Object(values)
    }

    pub(crate) fn file(&self, field: &str) -> Option<&Upload> {
        self.files.iter().find(|file| file.field == field)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null())
    }

    /// As the real server sees every parameter: text, JSON values by their JSON text. Empty where it is absent.
    pub(crate) fn text(&self, name: &str) -> Cow<'_, str> {
        text_of(self.values.get(name))
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name).trim().parse().ok()
    }

    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        self.text(name).trim().parse().ok().filter(|number: &f64| number.is_finite())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        flag_of(self.values.get(name))
    }

    /// A JSON value, which may also have come as JSON text inside JSON. None where it is absent or empty.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Cow<'_, Value>>, Refusal> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(value) => Ok(Some(Cow::Owned(value))),
                Err(_) => Err(Refusal::bad(&format!("can't parse {} JSON object", name.replace('_', " ")))),
            },
            Some(value) => Ok(Some(Cow::Borrowed(value))),
        }
    }
}

pub(crate) fn text_of(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        None | Some(Value::Null) => Cow::Borrowed(""),
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(other) => Cow::Owned(other.to_string()),
    }
}

pub(crate) fn flag_of(value: Option<&Value>) -> bool {
    matches!(text_of(value).trim().to_ascii_lowercase().as_str(), "true" | "yes" | "1")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}
