//! Apps: the operator's registrations at providers, which many accounts go through. Made, changed, deleted; their secrets are
//! sealed under a key of each app's own. Start at [`create`] and [`serving`].

mod change;
mod known;
mod vault;

pub use change::{AppChange, NewApp, create, delete, update};
pub use known::KnownApp;
pub use vault::{CLIENT_SECRET, VERIFY_TOKEN, WEBHOOK_SECRET, field, open_secrets};

use crate::{
    app::App,
    domain::provider_app::ProviderApp,
    error::ApiError,
    store::{self, Run},
};

/// The app that an account of the type goes through: the one asked for, else the only one that serves the type.
///
/// # Errors
/// 422 names `/app_id` where there is no such app, or it doesn't serve the type.
pub async fn serving(db: impl Run + Send, channel_type: &str, asked: Option<&str>) -> Result<Option<ProviderApp>, ApiError> {
    let Some(id) = asked else {
        let mut serving = store::apps::all(db).await?.into_iter().filter(|provider_app| provider_app.serves(channel_type));
        return Ok(match (serving.next(), serving.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        });
    };
    let wrong = |message: String| ApiError::invalid_field("/app_id", message);
    let Some(found) = store::apps::find(db, id).await? else {
        return Err(wrong(format!("there is no app “{id}”")).hint("GET /admin/v1/apps lists them; POST /admin/v1/apps makes one."));
    };
    if !found.serves(channel_type) {
        return Err(wrong(format!("the app “{}” doesn't serve {channel_type}; it serves {}", found.name, found.types.join(", "))));
    }
    Ok(Some(found))
}

/// The account's app; none where it has none.
pub async fn of_account(app: &App, app_id: Option<&str>) -> store::Result<Option<ProviderApp>> {
    match app_id {
        Some(id) => store::apps::find(&app.db, id).await,
        None => Ok(None),
    }
}
