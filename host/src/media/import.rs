//! A file from a URL into the store, guarded as everything that leaves: see [`crate::egress::Egress::fetch`].

use std::time::Duration;

use axum::http::StatusCode;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::{
    app::App,
    domain::media::{MediaFile, Origin},
    egress::FetchError,
    error::ApiError,
    store,
};

/// How long a file's server may take: a client waits.
const WITHIN: Duration = Duration::from_secs(45);

/// Fetches what is at the URL and keeps it as the organisation's. `pointer` names the URL's field in errors.
///
/// # Errors
/// 413 where it is too large, 422 where the gateway doesn't go there or its server refuses, 502 where it can't be reached.
pub async fn import(app: &App, organization_id: &str, url: &str, file_name: Option<String>, pointer: &str) -> Result<MediaFile, ApiError> {
    let most = app.config.media.max_bytes();
    let blob = app.egress.fetch(url, &app.blobs, most, WITHIN).await.map_err(|error| match error {
        FetchError::TooLarge(_) => ApiError::too_large(format!("{pointer}: {error}.")).hint("media.max_mb bounds files."),
        FetchError::Refused(_) => ApiError::invalid_field(pointer, error.to_string()),
        FetchError::Status(_) => ApiError::invalid_field(pointer, format!("{error}: nothing could be fetched there")),
        FetchError::Unreachable(why) => ApiError::new(StatusCode::BAD_GATEWAY, "unreachable", format!("{pointer}: {why}."))
            .hint("Try again, or upload the bytes with POST /rest/v1/media."),
    })?;
    let file = MediaFile {
        id: blob.id,
        organization_id: organization_id.to_owned(),
        file_name: file_name.or_else(|| name_of(url)),
        mime_type: blob.mime_type,
        size: i64::from(blob.size),
        origin: Origin::Url,
        created_at: app.clock.now(),
    };
    let mut tx = app.db.begin().await?;
    store::media::insert(&mut tx, &file, None).await?;
    tx.commit().await?;
    Ok(file)
}

/// The last part of the path, where it looks like a file's name.
fn name_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let last = url.path_segments()?.next_back()?;
    let name = percent_decode_str(last).decode_utf8().ok()?;
    (name.contains('.') && !name.contains(['/', '\\']) && !name.chars().any(char::is_control)).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_from_the_path_where_there_is_one() {
        assert_eq!(name_of("https://e.com/a/price%20list.pdf?x=1").as_deref(), Some("price list.pdf"));
        for nameless in ["https://e.com/", "https://e.com/download", "https://e.com/a%2F..%2Fb.txt", "https://e.com/a%0d.txt"] {
            assert_eq!(name_of(nameless), None, "{nameless}");
        }
    }
}
