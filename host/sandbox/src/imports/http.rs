//! The only way out. Here a request is counted, measured and freed of handles; where it may go is the host's to say.

use std::time::{Duration, Instant};

use wasmtime::component::Resource;

use crate::bindings::patchbay::channel::http::{self, Body, Host, Problem, Request, Response, ResponseBody};
use crate::bindings::patchbay::channel::types;
use crate::error::Fault;
use crate::imports::blob::Blob;
use crate::services::{Capture, Denial, Field, HttpBody, HttpProblem, HttpRequest, HttpResponse, HttpResponseBody, Part, PartContent};
use crate::state::State;

/// Time kept back from a request for the guest to say what became of it: cut off later, it could not tell.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Host for State {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Problem>> {
        self.spent.http_requests += 1;
        if self.spent.http_requests > self.limits.http_requests {
            return Err(Fault::HttpRequests(self.limits.http_requests).into());
        }
        let request = match self.request(request)? {
            Ok(request) => request,
            Err(problem) => {
                self.host_call()?;
                return Ok(Err(problem.into()));
            }
        };
        match self.host_call()?.http(request).await {
            Ok(response) => Ok(Ok(self.response(response)?)),
            Err(problem) => Ok(Err(problem.into())),
        }
    }
}

impl State {
    fn request(&self, request: Request) -> wasmtime::Result<Result<HttpRequest, HttpProblem>> {
        let body = match request.body {
            Body::Empty => Ok(HttpBody::Empty),
            Body::Bytes(bytes) => Ok(HttpBody::Bytes(bytes)),
            Body::Blob(blob) => self.blob_id(&blob)?.map(HttpBody::Blob),
            Body::Piece(http::Piece { blob_ref, offset, length }) => Ok(HttpBody::Piece { id: blob_ref, offset, length }),
            Body::Form(fields) => Ok(HttpBody::Form(fields_from(fields))),
            Body::Multipart(parts) => self.parts(parts)?.map(HttpBody::Multipart),
        };
        let body = match body {
            Ok(body) => body,
            Err(reason) => return Ok(Err(HttpProblem::NotSent(reason))),
        };
        let left = self.deadline.saturating_duration_since(Instant::now()).saturating_sub(LAST_WORDS);
        let asked = request.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let request = HttpRequest {
            target: request.target,
            method: request.method,
            path: request.path,
            query: fields_from(request.query),
            headers: fields_from(request.headers),
            body,
            timeout: Some(asked.map_or(left, |asked| asked.min(left))),
            into_blob: request.into_blob,
            capture: request.capture.into_iter().map(|http::Capture { pointer, secret }| Capture { pointer, secret }).collect(),
        };
        if inline_bytes(&request) > self.limits.request_bytes {
            return Ok(Err(HttpProblem::Denied(Denial::TooLarge)));
        }
        Ok(Ok(request))
    }

    fn parts(&self, parts: Vec<http::Part>) -> wasmtime::Result<Result<Vec<Part>, String>> {
        let mut converted = Vec::with_capacity(parts.len());
        for http::Part { name, file_name, mime_type, content } in parts {
            let content = match content {
                http::PartContent::Bytes(bytes) => PartContent::Bytes(bytes),
                http::PartContent::BlobRef(id) => PartContent::Blob(id),
                http::PartContent::Blob(blob) => match self.blob_id(&blob)? {
                    Ok(id) => PartContent::Blob(id),
                    Err(reason) => return Ok(Err(reason)),
                },
            };
            converted.push(Part { name, file_name, mime_type, content });
        }
        Ok(Ok(converted))
    }

    /// Of a borrowed handle: an error is a handle that never was, the inner one a blob that could not be opened.
    fn blob_id(&self, blob: &Resource<Blob>) -> wasmtime::Result<Result<String, String>> {
        Ok(self.blobs.get(blob)?.id().map(str::to_owned))
    }

    fn response(&mut self, response: HttpResponse) -> wasmtime::Result<Response> {
        let headers = response.headers.into_iter().map(|Field { name, value }| types::Field { name, value }).collect();
        let body = match response.body {
            HttpResponseBody::Bytes(bytes) => ResponseBody::Bytes(bytes),
            HttpResponseBody::Blob(info) => ResponseBody::Blob(self.blobs.push(Blob::from(info))?),
        };
        Ok(Response { status: response.status, headers, body })
    }
}

fn fields_from(fields: Vec<types::Field>) -> Vec<Field> {
    fields.into_iter().map(|types::Field { name, value }| Field { name, value }).collect()
}

/// All that the request carries itself: its blobs are elsewhere already.
fn inline_bytes(request: &HttpRequest) -> usize {
    let fields = |fields: &[Field]| fields.iter().map(|field| field.name.len() + field.value.len()).sum::<usize>();
    let body = match &request.body {
        HttpBody::Empty | HttpBody::Blob(_) | HttpBody::Piece { .. } => 0,
        HttpBody::Bytes(bytes) => bytes.len(),
        HttpBody::Form(form) => fields(form),
        HttpBody::Multipart(parts) => parts.iter().map(part_bytes).sum(),
    };
    request.path.len() + fields(&request.query) + fields(&request.headers) + body
}

fn part_bytes(part: &Part) -> usize {
    let content = match &part.content {
        PartContent::Bytes(bytes) => bytes.len(),
        PartContent::Blob(_) => 0,
    };
    part.name.len() + part.file_name.as_deref().map_or(0, str::len) + content
}

impl From<HttpProblem> for Problem {
    fn from(problem: HttpProblem) -> Problem {
        match problem {
            HttpProblem::Denied(denial) => Problem::Denied(denial.into()),
            HttpProblem::NotSent(reason) => Problem::NotSent(reason),
            HttpProblem::Broken(reason) => Problem::Broken(reason),
        }
    }
}

impl From<Denial> for http::Denial {
    fn from(denial: Denial) -> http::Denial {
        match denial {
            Denial::UnknownTarget => http::Denial::UnknownTarget,
            Denial::NotGranted => http::Denial::NotGranted,
            Denial::BlockedAddress => http::Denial::BlockedAddress,
            Denial::CredentialMissing => http::Denial::CredentialMissing,
            Denial::TooLarge => http::Denial::TooLarge,
            Denial::Quota => http::Denial::Quota,
        }
    }
}
