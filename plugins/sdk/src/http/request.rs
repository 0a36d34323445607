use serde::Serialize;

use super::{Capture, Error, Response};
use crate::blob::Blob;
use crate::field::Field;
use crate::host;

/// A request to one of the manifest's egress targets.
#[derive(Debug)]
pub struct Request {
    pub(crate) target: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<Field>,
    pub(crate) headers: Vec<Field>,
    pub(crate) body: Body,
    pub(crate) timeout_ms: Option<u32>,
    pub(crate) into_blob: bool,
    pub(crate) capture: Vec<Capture>,
    repeatable: bool,
}

/// What a request carries.
#[derive(Debug, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// The bytes of a blob, which don't pass through the plugin.
    Blob(Blob),
    /// Bytes of a file that a message names by reference (`source.blob-ref`), which don't pass through the plugin either.
    Piece(Piece),
    /// `application/x-www-form-urlencoded`, with the fields that the target adds.
    Form(Vec<Field>),
    /// `multipart/form-data`.
    Multipart(Vec<Part>),
}

/// A file of the gateway's, or a range of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub(crate) blob_ref: String,
    pub(crate) offset: u32,
    pub(crate) length: Option<u32>,
}

impl Piece {
    /// The whole file under this reference.
    pub fn whole(blob_ref: impl Into<String>) -> Self {
        Self { blob_ref: blob_ref.into(), offset: 0, length: None }
    }

    /// So many bytes of it from an offset.
    pub fn range(blob_ref: impl Into<String>, offset: u32, length: u32) -> Self {
        Self { blob_ref: blob_ref.into(), offset, length: Some(length) }
    }
}

/// One part of a multipart body.
#[derive(Debug)]
pub struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) mime_type: Option<String>,
    pub(crate) content: Content,
}

/// Where the bytes of a part come from.
#[derive(Debug)]
pub enum Content {
    /// The plugin.
    Bytes(Vec<u8>),
    /// A handle that the plugin holds.
    Blob(Blob),
    /// The reference of a message's media (`source.blob-ref`).
    BlobRef(String),
}

impl Request {
    /// Any method, upper case. `path` is appended to the target's base.
    pub fn new(method: &str, target: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            method: method.to_owned(),
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            timeout_ms: None,
            into_blob: false,
            capture: Vec::new(),
            repeatable: matches!(method, "GET" | "HEAD"),
        }
    }

    /// A request that reads: it may be repeated.
    pub fn get(target: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new("GET", target, path)
    }

    /// A request that writes, unless it is called [`repeatable`](Self::repeatable).
    pub fn post(target: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new("POST", target, path)
    }

    /// Doing it twice is the same as doing it once, so a broken connection is no doubt but a reason to try again.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Adds a query field.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push(Field::new(name, value));
        self
    }

    /// Adds a header. Credential headers are refused by the gateway: the target adds them.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Field::new(name, value));
        self
    }

    /// A JSON body with its content type.
    ///
    /// # Errors
    /// [`Error::Encoding`] where the value has no JSON form: a map with keys that aren't strings.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::Encoding(error.to_string()))?;
        Ok(self.header("content-type", "application/json").body(Body::Bytes(bytes)))
    }

    /// A form body.
    #[must_use]
    pub fn form(self, fields: Vec<Field>) -> Self {
        self.body(Body::Form(fields))
    }

    /// A multipart body.
    #[must_use]
    pub fn multipart(self, parts: Vec<Part>) -> Self {
        self.body(Body::Multipart(parts))
    }

    /// Any body. It brings no content type but that of a form or multipart.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Bounds the request in milliseconds, within the bounds of the call.
    #[must_use]
    pub fn timeout_ms(mut self, milliseconds: u32) -> Self {
        self.timeout_ms = Some(milliseconds);
        self
    }

    /// The response body goes to a blob ([`Response::into_blob`]) instead of the plugin's memory.
    #[must_use]
    pub fn into_blob(mut self) -> Self {
        self.into_blob = true;
        self
    }

    /// Lifts the string at a JSON pointer of the response body into a named secret; it is blanked in what the plugin gets.
    #[must_use]
    pub fn capture(mut self, pointer: impl Into<String>, secret: impl Into<String>) -> Self {
        self.capture.push(Capture { pointer: pointer.into(), secret: secret.into() });
        self
    }

    /// Sends it. Every status is a response.
    ///
    /// # Errors
    /// Where there is no response: see [`Error`] for what was sent then.
    pub fn send(self) -> Result<Response, Error> {
        let repeatable = self.repeatable;
        host::http(self).map(|raw| Response::new(raw, repeatable)).map_err(|problem| Error::from_problem(problem, repeatable))
    }
}

impl Part {
    /// A text field.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::new(name, Content::Bytes(value.into().into_bytes()))
    }

    /// A file whose bytes the gateway has under this reference.
    pub fn blob_ref(name: impl Into<String>, reference: impl Into<String>) -> Self {
        Self::new(name, Content::BlobRef(reference.into()))
    }

    /// A part of any content.
    pub fn new(name: impl Into<String>, content: Content) -> Self {
        Self { name: name.into(), file_name: None, mime_type: None, content }
    }

    /// Names the file.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Tells the media type.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }
}
