//! What is sent, piece by piece, so that a file of 50 MB never sits in memory; and whether a piece was asked for yet.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body::{Frame, SizeHint};
use patchbay_sandbox::services::{Field, HttpBody, Part, PartContent};
use reqwest::header::CONTENT_TYPE;
use reqwest::multipart;
use reqwest::{Body, RequestBuilder};

use crate::blobs::Blobs;
use crate::secrets::Secret;

/// Has a connection taken the request? The first time that the body is asked anything, its connection stands and the
/// head is about to leave; before that, surely nothing has.
#[derive(Debug, Clone, Default)]
pub(super) struct Left(Arc<AtomicBool>);

impl Left {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A body that tells when it is asked for.
pub(super) struct Watched {
    pub(super) inner: Body,
    pub(super) left: Left,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        self.left.set();
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    /// The connection asks this as it takes the request, before it writes the head (hyper's `Dispatcher::poll_write`),
    /// and then never polls a body of no bytes. An earlier asker would only turn "not sent" into "perhaps". The answer
    /// is no, so that an empty body is announced with `content-length: 0`.
    fn is_end_stream(&self) -> bool {
        self.left.set();
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Puts the body on the request, with the target's form credentials in it. `has_type`: the plugin has named its type.
///
/// # Errors
/// A blob can't be read, or a part has a type that is none.
pub(super) async fn attach(
    builder: RequestBuilder,
    body: &HttpBody,
    credentials: &[(String, Secret)],
    blobs: &Blobs,
    has_type: bool,
) -> Result<RequestBuilder, String> {
    Ok(match body {
        HttpBody::Empty if credentials.is_empty() => builder.body(Bytes::new()),
        HttpBody::Empty => builder.form(&pairs(&[], credentials)),
        HttpBody::Form(fields) => builder.form(&pairs(fields, credentials)),
        HttpBody::Bytes(bytes) => builder.body(bytes.clone()),
        HttpBody::Blob(id) => {
            let (info, pieces) = blobs.stream(id).await.map_err(|error| error.to_string())?;
            let builder = if has_type { builder } else { builder.header(CONTENT_TYPE, &info.mime_type) };
            builder.body(Body::wrap(Sized { inner: Body::wrap_stream(pieces), size: u64::from(info.size) }))
        }
        HttpBody::Piece { id, offset, length } => {
            let info = blobs.info(id).await.map_err(|error| error.to_string())?;
            let end = length.map_or(info.size, |length| offset.saturating_add(length).min(info.size));
            let builder = if has_type { builder } else { builder.header(CONTENT_TYPE, &info.mime_type) };
            if *offset >= end {
                return Ok(builder.body(Bytes::new()));
            }
            let range = u64::from(*offset)..u64::from(end);
            let pieces = blobs.stream_range(id, range).await.map_err(|error| error.to_string())?;
            builder.body(Body::wrap(Sized { inner: Body::wrap_stream(pieces), size: u64::from(end - offset) }))
        }
        HttpBody::Multipart(parts) => {
            let mut form = multipart::Form::new();
            for part in parts {
                form = form.part(part.name.clone(), convert(part, blobs).await?);
            }
            for (field, secret) in credentials {
                form = form.text(field.clone(), secret.expose().to_owned());
            }
            builder.multipart(form)
        }
    })
}

fn pairs<'a>(fields: &'a [Field], credentials: &'a [(String, Secret)]) -> Vec<(&'a str, &'a str)> {
    let plain = fields.iter().map(|field| (field.name.as_str(), field.value.as_str()));
    plain.chain(credentials.iter().map(|(field, secret)| (field.as_str(), secret.expose()))).collect()
}

async fn convert(part: &Part, blobs: &Blobs) -> Result<multipart::Part, String> {
    let (content, kept_type) = match &part.content {
        PartContent::Bytes(bytes) => (multipart::Part::bytes(bytes.clone()), None),
        PartContent::Blob(id) => {
            let (info, pieces) = blobs.stream(id).await.map_err(|error| error.to_string())?;
            let pieces = Body::wrap_stream(pieces.into_stream());
            (multipart::Part::stream_with_length(pieces, u64::from(info.size)), Some(info.mime_type))
        }
    };
    let content = match &part.file_name {
        Some(name) => content.file_name(name.clone()),
        None => content,
    };
    match part.mime_type.as_ref().or(kept_type.as_ref()) {
        Some(mime) => content.mime_str(mime).map_err(|_| format!("\"{mime}\" isn't a media type")),
        None => Ok(content),
    }
}

/// A stream whose length is known, so that it goes out with `content-length` instead of in chunks, which many
/// providers refuse.
struct Sized {
    inner: Body,
    size: u64,
}

impl http_body::Body for Sized {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size)
    }
}
