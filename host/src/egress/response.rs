//! What comes back: bounded while it streams, searched for secrets, and handed to the plugin or to a blob.

use bytes::Bytes;
use patchbay_sandbox::services::{Denial, Field, HttpProblem, HttpResponse, HttpResponseBody};
use reqwest::header::{CONTENT_TYPE, HeaderMap, SET_COOKIE};
use reqwest::{Response, StatusCode};

use super::exchange::{Exchange, Stopped, told};
use super::scan::Scanner;
use super::{Answer, Refused, capture};
use crate::blobs::{BlobError, BlobWriter};

impl Exchange<'_> {
    pub(super) async fn answer(&self, mut response: Response) -> Result<Answer, Stopped> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let into_blob = self.plan.into_blob && is_content(status);
        let most = if into_blob { self.most.in_blob } else { self.most.in_memory };
        if response.content_length().is_some_and(|length| length > u64::from(most)) {
            return Err(too_large(most));
        }
        if into_blob {
            let body = HttpResponseBody::Blob(self.store(&headers, response).await?);
            let headers = fields(&headers, &self.scanner);
            return Ok(Answer { response: HttpResponse { status: status.as_u16(), headers, body }, captured: Vec::new() });
        }
        let mut body = Vec::new();
        while let Some(piece) = self.piece(&mut response).await? {
            if body.len() + piece.len() > most as usize {
                return Err(too_large(most));
            }
            body.extend_from_slice(&piece);
        }
        let captured = capture::capture(&mut body, &self.plan.capture);
        // Providers repeat a token elsewhere in the body, or in a header.
        let fresh = Scanner::new(captured.iter().map(|(name, secret)| (name.as_str(), secret)));
        for scanner in [&self.scanner, &fresh] {
            scanner.blank(&mut body);
        }
        let mut headers = fields(&headers, &self.scanner);
        for field in &mut headers {
            field.value = fresh.blank_text(std::mem::take(&mut field.value));
        }
        let response = HttpResponse { status: status.as_u16(), headers, body: HttpResponseBody::Bytes(body) };
        Ok(Answer { response, captured })
    }

    async fn piece(&self, response: &mut Response) -> Result<Option<Bytes>, Stopped> {
        response.chunk().await.map_err(|error| HttpProblem::Broken(self.scanner.blank_text(told(error))).into())
    }

    async fn store(&self, headers: &HeaderMap, mut response: Response) -> Result<patchbay_sandbox::services::BlobInfo, Stopped> {
        let mime = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/octet-stream");
        let mut writer = self.blobs.create(mime, self.most.in_blob).map_err(|error| self.not_kept(&error))?;
        match self.fill(&mut writer, &mut response).await {
            Ok(()) => writer.finish().await.map_err(|error| self.not_kept(&error)),
            Err(stopped) => {
                if let Err(error) = writer.abort().await {
                    tracing::warn!(%error, "a part of a blob stays in the store");
                }
                Err(stopped)
            }
        }
    }

    async fn fill(&self, writer: &mut BlobWriter, response: &mut Response) -> Result<(), Stopped> {
        while let Some(piece) = self.piece(response).await? {
            writer.append(piece).await.map_err(|error| self.not_kept(&error))?;
        }
        Ok(())
    }

    fn not_kept(&self, error: &BlobError) -> Stopped {
        match error {
            BlobError::TooLarge(most) => too_large(*most),
            other => HttpProblem::Broken(other.to_string()).into(),
        }
    }
}

fn too_large(most: u32) -> Stopped {
    let why = format!("the response has more than {most} bytes; the target's max_response_mb and media.max_mb bound it");
    Refused::new(Denial::TooLarge, &why).into()
}

/// An error's body explains it, and the plugin has to read that.
fn is_content(status: StatusCode) -> bool {
    !status.is_client_error() && !status.is_server_error()
}

/// A cookie is a credential, and a plugin has no use for one.
fn fields(headers: &HeaderMap, scanner: &Scanner) -> Vec<Field> {
    let given = headers.iter().filter(|(name, _)| **name != SET_COOKIE);
    given
        .map(|(name, value)| {
            let value = scanner.blank_text(String::from_utf8_lossy(value.as_bytes()).into_owned());
            Field { name: name.as_str().to_owned(), value }
        })
        .collect()
}
