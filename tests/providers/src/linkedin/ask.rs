//! A request, taken apart.

use axum::http::{HeaderMap, Method, header, request};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::linkedin::answer::Refusal;

#[derive(Debug)]
pub(crate) struct Ask {
    /// How it is recorded: `POST posts`, `GET userinfo`, `PUT upload`.
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Of the path, as they were written: still encoded.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn read(parts: &request::Parts, body: Bytes) -> Self {
        let path = parts.uri.path().to_owned();
        let segments: Vec<String> = path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
        let query = parts.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let name = format!("{} {}", parts.method, name(&segments));
        Self { name, method: parts.method.clone(), path, segments, query, headers: parts.headers.clone(), body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header(header::AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn media_type(&self) -> &str {
        self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default().split(';').next().unwrap_or_default().trim()
    }

    /// The body, which has to call itself JSON and be an object.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        if self.media_type() != "application/json" {
            return Err(Refusal::new(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type has to be application/json"));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(body)) => Ok(Value::Object(body)),
            _ => Err(Refusal::invalid("Could not parse the request body as a JSON object")),
        }
    }

    /// The fields of a form; empty where the body is none.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        if self.media_type() != "application/x-www-form-urlencoded" {
            return Vec::new();
        }
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The key at the end of the path, decoded. Under protocol 2.0.0 URNs are written encoded.
    pub(crate) fn key(&self, place: usize) -> Result<String, Refusal> {
        let raw = self.segments.get(place).cloned().unwrap_or_default();
        if raw.contains(':') && !raw.starts_with('(') {
            return Err(Refusal::new(400, "ILLEGAL_ARGUMENT", "Syntax exception in path variables"));
        }
        Ok(decoded(&raw))
    }

    /// As it is kept for tests: query, fields of the body, and with an underscore what came in headers.
    pub(crate) fn recorded(&self) -> Value {
        let mut values: Map<String, Value> = self.query.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        values.extend(self.form().into_iter().map(|(name, value)| (name, json!(value))));
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(body)) => values.extend(body),
            _ if self.name == "PUT upload" => {
                values.insert("_bytes".into(), self.body.len().into());
            }
            _ => {}
        }
        let told = [
            ("_path", Some(self.path.as_str())),
            ("_bearer", self.bearer()),
            ("_version", self.header("linkedin-version")),
            ("_protocol", self.header("x-restli-protocol-version")),
            ("_method", self.header("x-restli-method")),
            ("_host", self.header("host")),
        ];
        values.extend(told.into_iter().map(|(name, value)| (name.to_owned(), json!(value))));
        Value::Object(values)
    }
}

/// `%3A` and the like undone.
pub(crate) fn decoded(raw: &str) -> String {
    // A plus is a plus in a path.
    let escaped = format!("k={}", raw.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(escaped.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn name(segments: &[String]) -> String {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["oauth", "v2", call, ..] | ["v2", call, ..] => (*call).to_owned(),
        ["rest", "socialActions", _, edge, ..] => (*edge).to_owned(),
        ["rest", call, ..] => (*call).to_owned(),
        ["dms-uploads", ..] => "upload".to_owned(),
        other => other.join("/"),
    }
}
