//! Inbound files: fetched through the plugin when somebody wants them, and kept.

use std::sync::Arc;

use crate::{
    app::App,
    domain::{account::Account, failure::FailureClass},
    error::ApiError,
    plugins::convert,
    store,
};

/// The blob of a file that the provider knows by `reference`; fetched once.
///
/// # Errors
/// What the provider said against it, in words for a client.
pub async fn fetch_media(app: &Arc<App>, account: &Account, reference: &str) -> Result<String, ApiError> {
    if let Some(known) = store::media::find_fetched(&app.db, &account.id, reference).await?
        && app.blobs.info(&known).await.is_ok()
    {
        return Ok(known);
    }
    let version = crate::accounts::running(app, &account.channel_type)?;
    if !version.downloads() {
        return Err(ApiError::new(axum::http::StatusCode::NOT_IMPLEMENTED, "no_downloads", "The channel's plugin can't fetch files."));
    }
    let blob = match version.download(app, account, reference).await? {
        Ok(Ok(blob)) => blob,
        Ok(Err(failure)) => {
            let failure = convert::failure_in(failure);
            let status = match failure.class {
                FailureClass::Unavailable | FailureClass::Uncertain => axum::http::StatusCode::BAD_GATEWAY,
                FailureClass::Limited | FailureClass::Unauthorized | FailureClass::Forbidden => axum::http::StatusCode::SERVICE_UNAVAILABLE,
                _ => axum::http::StatusCode::GONE,
            };
            return Err(ApiError::new(status, failure.class.as_str(), failure.message).details(failure.code).hint(failure.way_out));
        }
        Err(fault) => return Err(ApiError::unavailable("plugin_fault", fault.to_string())),
    };
    let mut tx = app.db.begin().await?;
    // Two that fetch at the same time keep two blobs; the last one is remembered.
    store::media::put_fetched(&mut tx, &account.id, reference, &blob.id, app.clock.now()).await?;
    tx.commit().await?;
    Ok(blob.id)
}
