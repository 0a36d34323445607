//! A call's parameters, whichever way they came: query, form, multipart, JSON or raw bytes.

use std::convert::Infallible;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures::stream;
use ring::digest;
use serde_json::{Map, Value, json};

use crate::meta::answer::GraphError;

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
    /// The body where it is none of the known kinds.
    pub(crate) raw: Bytes,
    /// Whether the body was a form: `api.instagram.com` takes nothing else.
    pub(crate) form: bool,
}

impl Params {
    pub(crate) async fn read(query: Option<&str>, headers: &HeaderMap, body: Bytes) -> Result<Self, GraphError> {
        let mut params = Self::default();
        params.take_form(query.unwrap_or_default().as_bytes());
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            _ if body.is_empty() => {}
            "application/json" => match serde_json::from_slice(&body) {
                Ok(Value::Object(values)) => params.values.extend(values),
                _ => return Err(GraphError::of(100).saying("(#100) The parameter body must be valid JSON")),
            },
            "multipart/form-data" => {
                params.form = true;
                params.take_multipart(content_type, body).await?;
            }
            "application/x-www-form-urlencoded" => {
                params.form = true;
                params.take_form(&body);
            }
            _ => params.raw = body,
        }
        Ok(params)
    }

    fn take_form(&mut self, form: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(form) {
            self.take_text(name.into_owned(), value.into_owned());
        }
    }

    /// Objects and lists are JSON text in a form.
    fn take_text(&mut self, name: String, value: String) {
        let structured = value.starts_with('{') || value.starts_with('[');
        let parsed = structured.then(|| serde_json::from_str(&value).ok()).flatten();
        self.values.insert(name, parsed.unwrap_or(Value::String(value)));
    }

    async fn take_multipart(&mut self, content_type: &str, body: Bytes) -> Result<(), GraphError> {
        let unreadable = |error: multer::Error| GraphError::of(100).saying(format!("(#100) The multipart body can't be read: {error}"));
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
    pub(crate) fn as_json(&self) -> Map<String, Value> {
        let mut values = self.values.clone();
        for file in &self.files {
            let sha256 = hex::encode(digest::digest(&digest::SHA256, &file.bytes));
            let described = json!({"file_name": file.file_name, "mime_type": file.mime_type, "size": file.bytes.len(), "sha256": sha256});
            values.insert(file.field.clone(), described);
        }
        values
    }

    pub(crate) fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    pub(crate) fn file(&self, field: &str) -> Option<&Upload> {
        self.files.iter().find(|file| file.field == field)
    }

    pub(crate) fn get(&self, name: &str) -> &Value {
        self.values.get(name).unwrap_or(&Value::Null)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        !self.get(name).is_null()
    }

    /// Empty where it is absent; numbers and JSON by their text.
    pub(crate) fn text(&self, name: &str) -> String {
        text_of(self.get(name))
    }

    /// The parameter, or the error that it is missing.
    pub(crate) fn needed(&self, name: &str) -> Result<String, GraphError> {
        let text = self.text(name);
        if text.is_empty() { Err(GraphError::of(100).saying(format!("(#100) The parameter {name} is required"))) } else { Ok(text) }
    }

    /// A list as JSON or separated by commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Value::Array(items) => items.iter().map(text_of).collect(),
            other => text_of(other).split(',').map(str::trim).filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect(),
        }
    }
}

/// A value as text: ids come as strings and as numbers, and mean the same.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
