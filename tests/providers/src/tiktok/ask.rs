//! A request, read: its path, its token, and its parameters, whichever way they came.

use std::convert::Infallible;

use axum::http::{HeaderMap, Method, header, request};
use bytes::Bytes;
use futures::stream;
use ring::digest;
use serde_json::{Map, Value, json};

use crate::tiktok::answer::Refusal;

/// What every path of the API begins with.
const API: &str = "/open_api/v1.3/";

/// A file that came with the request.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) field: String,
    pub(crate) mime_type: String,
    pub(crate) bytes: Bytes,
}

#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// As it was asked for.
    pub(crate) path: String,
    /// Without the API's prefix and slashes at the ends: `business/message/send`.
    pub(crate) name: String,
    /// Whether it is a path of the API, and not of the login or the media host.
    pub(crate) is_api: bool,
    /// `Access-Token`.
    pub(crate) token: String,
    /// `x-user`, which media want.
    pub(crate) user: String,
    pub(crate) multipart: bool,
    pub(crate) params: Map<String, Value>,
    pub(crate) files: Vec<Upload>,
}

impl Ask {
    /// Also where the body can't be read, because the request is recorded all the same.
    pub(crate) async fn read(parts: &request::Parts, body: Bytes) -> (Self, Option<Refusal>) {
        let path = parts.uri.path().to_owned();
        let is_api = path.starts_with(API);
        let name = path.strip_prefix(API).unwrap_or(&path).trim_matches('/').to_owned();
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let mut ask = Self {
            method: parts.method.clone(),
            path,
            name,
            is_api,
            token: text("access-token"),
            user: text("x-user"),
            multipart: false,
            params: Map::new(),
            files: Vec::new(),
        };
        if ask.method == Method::GET {
            for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
                ask.params.insert(name.into_owned(), value.into_owned().into());
            }
            return (ask, None);
        }
        let unreadable = ask.read_body(&parts.headers, body).await.err();
        (ask, unreadable)
    }

    async fn read_body(&mut self, headers: &HeaderMap, body: Bytes) -> Result<(), Refusal> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json" => match serde_json::from_slice(&body) {
                Ok(Value::Object(params)) => self.params = params,
                _ => return Err(Refusal::parameter("The request body isn't a JSON object.")),
            },
            "multipart/form-data" => {
                self.multipart = true;
                self.read_multipart(content_type, body).await?;
            }
            _ => return Err(Refusal::parameter("Content-Type must be application/json.")),
        }
        Ok(())
    }

    async fn read_multipart(&mut self, content_type: &str, body: Bytes) -> Result<(), Refusal> {
        let unreadable = |error: multer::Error| Refusal::parameter(format!("The multipart body can't be read: {error}"));
        let boundary = multer::parse_boundary(content_type).map_err(unreadable)?;
        let mut parts = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            let field = part.name().unwrap_or_default().to_owned();
            if part.file_name().is_none() {
                let text = part.text().await.map_err(unreadable)?;
                self.params.insert(field, text.into());
                continue;
            }
            let mime_type = part.content_type().map_or_else(String::new, ToString::to_string);
            let bytes = part.bytes().await.map_err(unreadable)?;
            self.files.push(Upload { field, mime_type, bytes });
        }
        Ok(())
    }

    /// Parameters, files as their description, and beside them, with an underscore, what came in headers.
    pub(crate) fn recorded(&self) -> Value {
        let mut values = self.params.clone();
        for file in &self.files {
            let sha256 = hex::encode(digest::digest(&digest::SHA256, &file.bytes));
            values.insert(file.field.clone(), json!({"mime_type": file.mime_type, "size": file.bytes.len(), "sha256": sha256}));
        }
        values.insert("_path".into(), self.path.clone().into());
        values.insert("_access_token".into(), self.token.clone().into());
        Value::Object(values)
    }

    /// Empty where it is absent or no text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.params.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        match self.params.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            Some(Value::String(_)) | None => Err(Refusal::parameter(format!("{name}: Missing data for required field."))),
            Some(_) => Err(Refusal::parameter(format!("{name}: Not a valid string."))),
        }
    }

    /// Nothing but these.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        only(&self.params, known, "")
    }

    /// A list that a query carries as JSON.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, Refusal> {
        serde_json::from_str(self.needed(name)?).map_err(|_| Refusal::parameter(format!("{name}: Not a valid list.")))
    }
}

/// Nothing but the known fields, of an object that lies under `at`.
pub(crate) fn only(object: &Map<String, Value>, known: &[&str], at: &str) -> Result<(), Refusal> {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::parameter(format!("{at}{name}: Unknown field."))),
        None => Ok(()),
    }
}
