//! `/rest/v1/media`: files to send, kept by the gateway.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::TryStreamExt;

use super::{auth::Caller, extract::ListQuery};
use crate::{
    app::App,
    blobs::BlobError,
    domain::{
        content::{Content, Source},
        key::Scope,
        message::Message,
    },
    error::ApiError,
    store::{self, media::MediaFile},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/media", post(upload)).route("/media/{id}", get(download))
}

/// Takes the body as it is, streamed: `curl --data-binary @photo.jpg -H 'content-type: image/jpeg' …/media?organization_id=…`
async fn upload(
    State(app): State<Arc<App>>,
    caller: Caller,
    mut query: ListQuery,
    request: Request,
) -> Result<(StatusCode, Json<MediaFile>), ApiError> {
    caller.may(Scope::Send)?;
    let organization_id = caller.narrow(query.take("organization_id"))?;
    let organization_id = organization_id
        .ok_or_else(|| ApiError::bad_request("no_organization", "Name the organisation that the file is for: …/media?organization_id=…"))?;
    let file_name = query.take("file_name");
    query.finish("organization_id, file_name")?;
    let mime_type = request.headers().get(header::CONTENT_TYPE).and_then(|mime| mime.to_str().ok()).map(str::to_owned);
    let mime_type = mime_type.ok_or_else(|| ApiError::bad_request("no_content_type", "Name the file's type in Content-Type."))?;
    let most = u32::try_from(app.config.http.max_media_mb.saturating_mul(1024 * 1024)).unwrap_or(u32::MAX);
    let mut writer = app.blobs.create(&mime_type, most).map_err(|error| ApiError::internal(&error))?;
    let mut body = request.into_body().into_data_stream();
    loop {
        match body.try_next().await {
            Ok(Some(chunk)) => writer.append(chunk).await.map_err(|error| too_large(&error))?,
            Ok(None) => break,
            Err(error) => return Err(ApiError::bad_request("cut_off", format!("The upload broke off: {error}."))),
        }
    }
    let blob = writer.finish().await.map_err(|error| too_large(&error))?;
    let file = MediaFile {
        id: blob.id,
        organization_id,
        file_name,
        mime_type: blob.mime_type,
        size: i64::from(blob.size),
        created_at: app.clock.now(),
    };
    let mut tx = app.db.begin().await?;
    store::media::insert(&mut tx, &file).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(file)))
}

fn too_large(error: &BlobError) -> ApiError {
    match error {
        BlobError::TooLarge(_) => ApiError::too_large(format!("{error}.")).hint("http.max_media_mb bounds uploads."),
        error => ApiError::internal(error),
    }
}

async fn download(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    let known = store::media::find(&app.db, &id).await?.filter(|file| caller.sees(&file.organization_id));
    let known = known.ok_or_else(|| ApiError::not_found("media", &id))?;
    serve(&app, &id, &Named { mime_type: Some(known.mime_type), file_name: known.file_name }).await
}

/// What is known of a file besides its bytes; providers lose it on the way.
#[derive(Default)]
pub(super) struct Named {
    mime_type: Option<String>,
    file_name: Option<String>,
}

impl Named {
    /// What the message said of the file.
    pub(super) fn of(message: &Message, source: &Source) -> Named {
        let told = message.content.iter().flat_map(Content::media).find(|media| media.source == *source);
        let sticker = message.content.iter().find_map(|content| match content {
            Content::Sticker(sticker) if sticker.source == *source => sticker.mime_type.clone(),
            _ => None,
        });
        Named {
            mime_type: told.and_then(|media| media.mime_type.clone()).or(sticker),
            file_name: told.and_then(|media| media.file_name.clone()),
        }
    }

    /// `attachment; filename*=…` as RFC 6266 writes names of any script.
    fn disposition(&self) -> Option<HeaderValue> {
        let name = self.file_name.as_ref()?;
        let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        HeaderValue::try_from(format!("attachment; filename*=UTF-8''{encoded}")).ok()
    }
}

/// Streams a file. It came from a stranger: a browser must neither guess its type nor run it.
pub(super) async fn serve(app: &App, id: &str, named: &Named) -> Result<Response, ApiError> {
    let (info, stream) = app.blobs.stream(id).await.map_err(|error| match error {
        BlobError::NotFound(_) => ApiError::not_found("media", id),
        error => ApiError::internal(&error),
    })?;
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    let mime_type = named.mime_type.clone().unwrap_or(info.mime_type);
    headers.insert(header::CONTENT_TYPE, HeaderValue::try_from(mime_type).unwrap_or(octets));
    if let Some(disposition) = named.disposition() {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(info.size));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    Ok(response)
}
