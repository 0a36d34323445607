//! `/rest/v1/media`: files to send, kept by the gateway; and `/media`: every file by a signed URL, without a key.

mod serve;

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{FromRequest, Path, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use futures::TryStreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use serve::serve;

use super::{
    asked::Asked,
    auth::Caller,
    extract::{Json as Body, ListQuery},
    lists, resources,
};
use crate::{
    app::App,
    blobs::BlobError,
    config::Media,
    domain::{
        key::Scope,
        media::{MediaFile, Origin},
    },
    error::ApiError,
    media::{
        self,
        links::{Link, LinkError},
    },
    openapi::schemas::{answers, requests},
    store,
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(download)).routes(routes!(sign))
}

answers!(Shown);
requests!(Import, Sign);

/// What anybody may open whom a client has given the URL.
pub(super) fn signed_router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(open))
}

/// A file as clients see it, with a URL that anybody may open for a while.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Media")]
struct Shown {
    #[serde(flatten)]
    file: MediaFile,
    #[serde(flatten)]
    link: Link,
}

fn shown(app: &App, file: MediaFile) -> Json<Shown> {
    let link = app.links.sign(&file.id, app.clock.now());
    Json(Shown { file, link })
}

/// List the files
#[utoipa::path(get, path = "/media", tag = "media", operation_id = "list_media", responses((status = 200, description = "The files.")))]
async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    lists::list(&app, &caller, &resources::MEDIA, &asked).await
}

/// Add a file
///
/// JSON names a URL to import; any other body is the file itself, streamed:
/// `curl --data-binary @photo.jpg -H 'content-type: image/jpeg' …/media?organization_id=…`
#[utoipa::path(
    post,
    path = "/media",
    tag = "media",
    operation_id = "add_media",
    params(
        ("organization_id" = Option<String>, Query, description = "Whose it is; of a key that belongs to an organisation, its own.", example = "acme"),
        ("file_name" = Option<String>, Query, description = "What it is called.", example = "photo.jpg"),
    ),
    request_body(content((Import = "application/json"), (Vec<u8> = "*/*")), description = "Where to fetch it, or the file itself."),
    responses((status = 201, description = "It is kept.", body = Shown)),
)]
async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    mut query: ListQuery,
    request: Request,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    caller.may(Scope::Send)?;
    let (organization_id, file_name) = (query.take("organization_id"), query.take("file_name"));
    query.finish("organization_id, file_name")?;
    let mime_type = request.headers().get(header::CONTENT_TYPE).and_then(|mime| mime.to_str().ok()).map(str::to_owned);
    let mime_type = mime_type.ok_or_else(|| ApiError::bad_request("no_content_type", "Name the file's type in Content-Type."))?;
    let is_json = mime_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
    let file = if is_json {
        let Body(import) = Body::<Import>::from_request(request, &()).await?;
        let organization_id = organization(&caller, import.organization_id.or(organization_id))?;
        media::import(&app, &organization_id, &import.url, import.file_name.or(file_name), "/url").await?
    } else {
        let organization_id = organization(&caller, organization_id)?;
        upload(&app, organization_id, file_name, &mime_type, request).await?
    };
    Ok((StatusCode::CREATED, shown(&app, file)))
}

/// A file to fetch from a URL. To keep a JSON document itself, upload it under another type.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MediaImport")]
struct Import {
    url: String,
    organization_id: Option<String>,
    file_name: Option<String>,
}

fn organization(caller: &Caller, asked: Option<String>) -> Result<String, ApiError> {
    let organization_id = caller.narrow(asked)?;
    organization_id
        .ok_or_else(|| ApiError::bad_request("no_organization", "Name the organisation that the file is for: …/media?organization_id=…"))
}

async fn upload(
    app: &App,
    organization_id: String,
    file_name: Option<String>,
    mime_type: &str,
    request: Request,
) -> Result<MediaFile, ApiError> {
    let most = app.config.media.max_bytes();
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told > u64::from(most)) {
        return Err(refused(&BlobError::TooLarge(most)));
    }
    let mut writer = app.blobs.create(mime_type, most).map_err(|error| ApiError::internal(&error))?;
    let mut body = request.into_body().into_data_stream();
    let ended = loop {
        match body.try_next().await {
            Ok(Some(chunk)) => {
                if let Err(error) = writer.append(chunk).await {
                    break Err(refused(&error));
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(ApiError::bad_request("cut_off", format!("The upload broke off: {error}."))),
        }
    };
    if let Err(error) = ended {
        if let Err(error) = writer.abort().await {
            tracing::warn!(%error, "a part of a blob stays in the store");
        }
        return Err(error);
    }
    let blob = writer.finish().await.map_err(|error| refused(&error))?;
    let file = MediaFile {
        id: blob.id,
        organization_id,
        file_name,
        mime_type: blob.mime_type,
        size: i64::from(blob.size),
        origin: Origin::Upload,
        created_at: app.clock.now(),
    };
    let mut tx = app.db.begin().await?;
    store::media::insert(&mut tx, &file, None).await?;
    tx.commit().await?;
    Ok(file)
}

fn refused(error: &BlobError) -> ApiError {
    match error {
        BlobError::TooLarge(most) => ApiError::too_large(format!("A file has at most {most} bytes.")).hint("media.max_mb bounds files."),
        error => ApiError::internal(error),
    }
}

async fn find(app: &App, caller: &Caller, id: &str) -> Result<MediaFile, ApiError> {
    caller.may(Scope::Read)?;
    let known = store::media::find(&app.db, id).await?.filter(|file| caller.sees(&file.organization_id));
    known.ok_or_else(|| ApiError::not_found("media", id))
}

/// Download a file
#[utoipa::path(
    get,
    path = "/media/{id}",
    tag = "media",
    operation_id = "download_media",
    params(
        ("Range" = Option<String>, Header, description = "One part of it.", example = "bytes=0-1023"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of what the client has.", example = "\"01a0c0de-0000-7000-8000-000000000009\""),
    ),
    responses(
        (
            status = 200,
            description = "The bytes, under the file's own type.",
            body = Vec<u8>,
            content_type = "*/*",
            headers(
                ("ETag" = String, description = "It never changes: a file has its id."),
                ("Accept-Ranges" = String, description = "`bytes`."),
            ),
        ),
        (
            status = 206,
            description = "The part that `Range` asks for.",
            body = Vec<u8>,
            content_type = "*/*",
            headers(("Content-Range" = String, description = "Which part.")),
        ),
        (status = 304, description = "The client has it."),
        (status = 416, description = "The file has no such part (`bad_range`)."),
    ),
)]
async fn download(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let file = find(&app, &caller, &id).await?;
    serve(&app, &file, &method, &headers, None).await
}

/// How long a URL is to be good for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MediaUrlRequest")]
struct Sign {
    /// Seconds, 7 days at most; without it, as the configuration says.
    #[schemars(range(min = 1, max = 604_800))]
    expires_in_s: Option<u64>,
}

/// Make a URL of a file
///
/// Anybody may open it for a while, without a key.
#[utoipa::path(
    post,
    path = "/media/{id}/url",
    tag = "media",
    operation_id = "sign_media_url",
    request_body = Sign,
    responses((status = 200, description = "The file with the fresh URL.", body = Shown)),
)]
async fn sign(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Sign>,
) -> Result<Json<Shown>, ApiError> {
    let file = find(&app, &caller, &id).await?;
    let most = Media::URL_TTL_MAX.as_secs();
    let seconds = asked.expires_in_s.unwrap_or(app.config.media.url_ttl_s);
    if !(1..=most).contains(&seconds) {
        return Err(ApiError::invalid_field("/expires_in_s", format!("must be between 1 and {most}, which is 7 days")));
    }
    let link = app.links.sign_for(&file.id, app.clock.now(), Duration::from_secs(seconds));
    Ok(Json(Shown { file, link }))
}

/// Open a file by its URL
///
/// It is signed and good for a while: it takes no key.
#[utoipa::path(
    get,
    path = "/media/{id}",
    tag = "media",
    operation_id = "open_media",
    security(()),
    params(
        ("expires" = Option<String>, Query, description = "As the URL has it.", example = "1795824000"),
        ("signature" = Option<String>, Query, description = "As the URL has it.", example = "k2QmX0l7Vb3n5c8f9a1d2e4g6h8j0kLmNpQrStUvWxY"),
        ("Range" = Option<String>, Header, description = "One part of it.", example = "bytes=0-1023"),
    ),
    responses(
        (
            status = 200,
            description = "The bytes, under the file's own type.",
            body = Vec<u8>,
            content_type = "*/*",
            headers(
                ("ETag" = String, description = "It never changes: a file has its id."),
                ("Accept-Ranges" = String, description = "`bytes`."),
            ),
        ),
        (
            status = 206,
            description = "The part that `Range` asks for.",
            body = Vec<u8>,
            content_type = "*/*",
            headers(("Content-Range" = String, description = "Which part.")),
        ),
        (status = 304, description = "The client has it."),
        (status = 403, description = "The URL was never signed, was changed (`bad_signature`), or its time is over (`url_expired`)."),
        (status = 416, description = "The file has no such part (`bad_range`)."),
    ),
)]
async fn open(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    mut query: ListQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (expires, signature) = (query.take("expires").unwrap_or_default(), query.take("signature").unwrap_or_default());
    let forbidden = |code, message: &str| ApiError::new(StatusCode::FORBIDDEN, code, message);
    let left = app.links.check(&id, &expires, &signature, app.clock.now()).map_err(|error| match error {
        LinkError::Forged => forbidden("bad_signature", "The URL isn't one that this gateway has signed, or it was changed.")
            .hint("Take the url of a message's file as it is, or make one: POST /rest/v1/media/{id}/url"),
        LinkError::Expired => forbidden("url_expired", "The URL's time is over.")
            .hint("Read the message again, or make a new one: POST /rest/v1/media/{id}/url"),
    })?;
    let file = store::media::find(&app.db, &id).await?.ok_or_else(|| ApiError::not_found("media", &id))?;
    serve(&app, &file, &method, &headers, Some(left)).await
}
