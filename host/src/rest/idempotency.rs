//! Idempotency-Key: a POST that is made again with the same key and body is answered as the first time, for 24 hours, and does
//! nothing. Sending a message stores its answer with the message; for every other route the key is reserved, the handler runs to
//! its end, and its answer is kept.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{FutureExt, StreamExt, TryStreamExt};
use ring::digest;
use serde::Serialize;
use serde_json::{Map, Value};

use super::auth::Caller;
use crate::{
    app::App,
    error::ApiError,
    outbox::KEPT_FOR,
    store::{
        self,
        idempotency::{Entry, Kept, Known, Slot},
    },
};

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
/// Characters of a key.
const KEY_MAX: usize = 255;
/// How long a reservation stands whose process is gone.
const LOCKED_FOR: Duration = Duration::from_secs(300);
/// Bytes of an answer: more than any POST's.
const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// Headers that are part of an answer.
const HEADERS: [&str; 4] = ["content-type", "location", "content-range", "preference-applied"];
/// The route that stores its answer with what it does.
const SENDS: &str = "/messages";
/// The route whose bodies are too large to be held: they are hashed as they come in.
const UPLOADS: &str = "/media";

/// A key that a handler stores the answer for by itself.
#[derive(Clone)]
pub(super) struct Reserved {
    pub(super) slot: Slot,
    pub(super) fingerprint: Vec<u8>,
}

/// What is kept of an answer that holds a secret.
#[derive(Clone)]
struct KeptInstead(Vec<u8>);

/// An answer that tells a secret once: asked again, `kept` is answered, which is without.
pub(super) fn told_once(mut response: Response, kept: &impl Serialize) -> Response {
    response.extensions_mut().insert(KeptInstead(serde_json::to_vec(kept).unwrap_or_default()));
    response
}

/// The middleware.
pub(super) async fn keep_answers(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    answer(&app, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(app: &Arc<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let key = key_of(&request)?;
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, app).await?;
    let path = parts.uri.path().to_owned();
    let slot = Slot { owner: caller.idempotency_owner(), route: format!("{} {path}", parts.method), key };
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(parts.uri.query().unwrap_or_default().as_bytes());
    hash.update(b"\n");
    if path == UPLOADS {
        return upload(app, slot, hash, Request::from_parts(parts, body), next).await;
    }
    let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("The body is too large."),
        status => ApiError::new(status, "unread", rejection.body_text()),
    })?;
    hash.update(&bytes);
    let reserved = Reserved { slot, fingerprint: hash.finish().as_ref().to_vec() };
    let is_single = path == SENDS && !is_of_rows(&parts, &bytes);
    let mut request = Request::from_parts(parts, Body::from(bytes));
    // One message alone: rows in PostgREST's way are answered when all of them are stored.
    if is_single {
        if let Some(known) = look(app, &reserved.slot).await? {
            return answer_of(&known, &reserved.fingerprint);
        }
        request.extensions_mut().insert(reserved.clone());
        let response = next.run(request).await;
        return if response.status() == StatusCode::ACCEPTED { Ok(response) } else { keep_apart(app, &reserved, response).await };
    }
    let holder = app.ids.next(app.clock.now());
    if let Some(known) = reserve(app, &reserved.slot, &holder, Some(&reserved.fingerprint)).await? {
        return answer_of(&known, &reserved.fingerprint);
    }
    run(app, reserved.slot, holder, request, next, move || Some(reserved.fingerprint)).await
}

/// Whether a send is answered in PostgREST's way: it may be of several messages.
fn is_of_rows(parts: &Parts, bytes: &Bytes) -> bool {
    let headers = ["prefer", "content-profile", "accept-profile"];
    headers.into_iter().any(|name| parts.headers.contains_key(name))
        || parts.uri.query().is_some_and(|query| !query.is_empty())
        || bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

fn key_of(request: &Request) -> Result<String, ApiError> {
    let bad = |why: String| {
        ApiError::bad_request("idempotency_key", why).hint("Send one Idempotency-Key of 1 to 255 visible ASCII characters, like a UUID.")
    };
    let mut given = request.headers().get_all(KEY).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return Err(bad("There is more than one Idempotency-Key.".to_owned())) };
    let key = value.to_str().map_err(|_| bad("The Idempotency-Key holds something else than visible ASCII characters.".to_owned()))?.trim();
    match key.len() {
        0 => Err(bad("The Idempotency-Key is empty.".to_owned())),
        1..=KEY_MAX => Ok(key.to_owned()),
        length => Err(bad(format!("The Idempotency-Key has {length} characters; {KEY_MAX} are the most."))),
    }
}

async fn look(app: &App, slot: &Slot) -> Result<Option<Known>, ApiError> {
    let now = app.clock.now();
    Ok(store::idempotency::find(&app.db, slot, now.minus(KEPT_FOR), now).await?)
}

/// Reserves the slot for `holder`, or answers what it holds.
async fn reserve(app: &App, slot: &Slot, holder: &str, fingerprint: Option<&[u8]>) -> Result<Option<Known>, ApiError> {
    let now = app.clock.now();
    let entry = Entry { holder, fingerprint, locked_until: now.plus(LOCKED_FOR), kept: None };
    let mut tx = app.db.begin().await?;
    let taken = store::idempotency::take(&mut tx, slot, &entry, now.minus(KEPT_FOR), now).await?;
    tx.commit().await?;
    if taken {
        return Ok(None);
    }
    // Freed in between: its request was refused or failed, and this one may as well ask again.
    look(app, slot).await?.map(Some).ok_or_else(in_progress)
}

/// Runs the handler to its end, even where the client hangs up, and keeps its answer.
async fn run(
    app: &Arc<App>,
    slot: Slot,
    holder: String,
    request: Request,
    next: Next,
    fingerprint: impl FnOnce() -> Option<Vec<u8>> + Send + 'static,
) -> Result<Response, ApiError> {
    let working = Arc::clone(app);
    let work = async move {
        let response = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response = response.unwrap_or_else(|_| ApiError::internal(&"a handler panicked").into_response());
        let (kept, response) = split(response).await?;
        let mut tx = working.db.begin().await?;
        match fingerprint() {
            Some(fingerprint) if is_final(kept.status) => store::idempotency::keep(&mut tx, &slot, &holder, &fingerprint, &kept).await?,
            _ => store::idempotency::release(&mut tx, &slot, &holder).await?,
        }
        tx.commit().await?;
        Ok(response)
    };
    app.tasks.finish(work).await.unwrap_or_else(|| Err(ApiError::internal(&"a request with an Idempotency-Key panicked")))
}

/// A refusal of a send, and a dry run, have stored nothing: their answers are kept by themselves.
async fn keep_apart(app: &App, reserved: &Reserved, response: Response) -> Result<Response, ApiError> {
    let (kept, response) = split(response).await?;
    if is_final(kept.status) {
        let now = app.clock.now();
        let holder = app.ids.next(now);
        let entry = Entry { holder: &holder, fingerprint: Some(&reserved.fingerprint), locked_until: now, kept: Some(&kept) };
        let mut tx = app.db.begin().await?;
        store::idempotency::take(&mut tx, &reserved.slot, &entry, now.minus(KEPT_FOR), now).await?;
        tx.commit().await?;
    }
    Ok(response)
}

/// Whether asking again would be answered the same. The gateway's failures, a busy moment and a key that isn't allowed pass.
fn is_final(status: u32) -> bool {
    status < 500 && !matches!(status, 401 | 403 | 408 | 409 | 413 | 429)
}

/// The answer as it is kept, and as it goes out.
async fn split(response: Response) -> Result<(Kept, Response), ApiError> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_MAX).await.map_err(|error| ApiError::internal(&error))?;
    let headers: Map<String, Value> = HEADERS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), Value::String(parts.headers.get(*name)?.to_str().ok()?.to_owned()))))
        .collect();
    let kept_body = parts.extensions.get::<KeptInstead>().map_or_else(|| body.to_vec(), |KeptInstead(instead)| instead.clone());
    let kept = Kept { status: u32::from(parts.status.as_u16()), headers: Value::Object(headers), body: kept_body };
    Ok((kept, Response::from_parts(parts, Body::from(body))))
}

/// What a request with that fingerprint is answered from the slot.
fn answer_of(known: &Known, fingerprint: &[u8]) -> Result<Response, ApiError> {
    if known.fingerprint.as_deref().is_some_and(|first| first != fingerprint) {
        return Err(ApiError::conflict("idempotency_mismatch", "The Idempotency-Key was used for another request.")
            .hint("Take a new key for every new request; the same key is for asking the same again. A key is free after 24 hours."));
    }
    let Some(kept) = &known.kept else { return Err(in_progress()) };
    let mut response = response(kept);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn in_progress() -> ApiError {
    let mut error = ApiError::conflict("idempotency_in_progress", "The first request with this Idempotency-Key is still being worked on.")
        .hint("Ask again in a moment with the same key: then its answer is there.");
    error.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    error
}

/// The answer that somebody else stored for the key meanwhile.
pub(super) async fn known_answer(app: &App, reserved: &Reserved) -> Result<Response, ApiError> {
    match look(app, &reserved.slot).await? {
        Some(known) => answer_of(&known, &reserved.fingerprint),
        None => Err(in_progress()),
    }
}

/// An answer to be kept.
pub(super) fn json_answer(status: StatusCode, location: Option<&str>, body: &impl Serialize) -> Result<Kept, ApiError> {
    let mut headers = Map::new();
    headers.insert(header::CONTENT_TYPE.as_str().to_owned(), Value::from("application/json"));
    if let Some(location) = location {
        headers.insert(header::LOCATION.as_str().to_owned(), Value::from(location));
    }
    let body = serde_json::to_vec(body).map_err(|error| ApiError::internal(&error))?;
    Ok(Kept { status: u32::from(status.as_u16()), headers: Value::Object(headers), body })
}

/// A kept answer as it goes out.
pub(super) fn response(kept: &Kept) -> Response {
    let mut response = Response::new(Body::from(kept.body.clone()));
    let status = u16::try_from(kept.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in kept.headers.as_object().into_iter().flatten() {
        let value = value.as_str().and_then(|value| HeaderValue::try_from(value).ok());
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name.as_str()), value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A hash that grows with a body, and whether the body has come to its end.
struct Hashing {
    hash: digest::Context,
    ended: bool,
}

/// Files are hashed as they come in: nothing of them is held.
async fn upload(app: &Arc<App>, slot: Slot, mut hash: digest::Context, request: Request, next: Next) -> Result<Response, ApiError> {
    let holder = app.ids.next(app.clock.now());
    let (parts, body) = request.into_parts();
    if let Some(mime_type) = parts.headers.get(header::CONTENT_TYPE) {
        hash.update(mime_type.as_bytes());
        hash.update(b"\n");
    }
    if let Some(known) = reserve(app, &slot, &holder, None).await? {
        if known.kept.is_none() {
            return Err(in_progress());
        }
        let most = usize::try_from(app.config.media.max_bytes()).unwrap_or(usize::MAX);
        return answer_of(&known, &drain(body, hash, most).await?);
    }
    let hashing = Arc::new(Mutex::new(Hashing { hash, ended: false }));
    let (growing, ending) = (Arc::clone(&hashing), Arc::clone(&hashing));
    let chunks = body.into_data_stream().inspect_ok(move |chunk| growing.lock().unwrap_or_else(PoisonError::into_inner).hash.update(chunk));
    let end = futures::stream::poll_fn(move |_| {
        ending.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        std::task::Poll::Ready(None)
    });
    let request = Request::from_parts(parts, Body::from_stream(chunks.chain(end)));
    run(app, slot, holder, request, next, move || {
        let hashing = hashing.lock().unwrap_or_else(PoisonError::into_inner);
        hashing.ended.then(|| hashing.hash.clone().finish().as_ref().to_vec())
    })
    .await
}

async fn drain(body: Body, mut hash: digest::Context, most: usize) -> Result<Vec<u8>, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut read = 0;
    while let Some(chunk) =
        chunks.try_next().await.map_err(|error| ApiError::bad_request("cut_off", format!("The upload broke off: {error}.")))?
    {
        read += chunk.len();
        if read > most {
            return Err(ApiError::too_large("The file is too large.").hint("http.max_media_mb bounds uploads."));
        }
        hash.update(&chunk);
    }
    Ok(hash.finish().as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(keys: &[&str]) -> Request {
        let mut request = Request::new(Body::empty());
        for key in keys {
            request.headers_mut().append(KEY, HeaderValue::from_str(key).unwrap());
        }
        request
    }

    #[test]
    fn a_key_has_1_to_255_characters() {
        assert_eq!(key_of(&request(&["order-1"])).unwrap(), "order-1");
        assert!(key_of(&request(&[&"k".repeat(255)])).is_ok());
        for bad in [vec![""], vec!["  "], vec!["a", "b"]] {
            assert_eq!(key_of(&request(&bad)).unwrap_err().status, StatusCode::BAD_REQUEST, "{bad:?}");
        }
        assert_eq!(key_of(&request(&[&"k".repeat(256)])).unwrap_err().status, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn a_secret_is_answered_and_not_kept() {
        let response = told_once(Response::new(Body::from("{\"key\":\"pb_1\"}")), &serde_json::json!({"key": null}));
        let (kept, response) = split(response).await.unwrap();
        assert_eq!(kept.body, b"{\"key\":null}");
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "{\"key\":\"pb_1\"}");
    }

    #[test]
    fn an_answer_that_may_change_is_not_kept() {
        assert!(is_final(201) && is_final(422) && is_final(404));
        assert!(!is_final(500) && !is_final(503) && !is_final(409) && !is_final(429) && !is_final(401));
    }

    #[test]
    fn another_body_is_told_apart_and_the_same_gets_the_kept_answer() {
        let kept = json_answer(StatusCode::CREATED, Some("/x"), &serde_json::json!({"id": 1})).unwrap();
        let known = Known { fingerprint: Some(vec![1]), locked_until: crate::clock::At::from_micros(0), kept: Some(kept) };
        let again = answer_of(&known, &[1]).unwrap();
        assert_eq!(again.status(), StatusCode::CREATED);
        assert_eq!(again.headers()[header::LOCATION], "/x");
        assert_eq!(answer_of(&known, &[2]).unwrap_err().body.code, "idempotency_mismatch");
        let busy = Known { kept: None, ..known };
        assert!(answer_of(&busy, &[1]).unwrap_err().headers.contains_key(header::RETRY_AFTER));
    }
}
