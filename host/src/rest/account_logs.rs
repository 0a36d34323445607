//! `/rest/v1/account_logs` and the history of an account's health.

use std::{str::FromStr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};

use super::{auth::Caller, channel_accounts, extract::ListQuery};
use crate::{
    app::App,
    clock::At,
    domain::{
        account::HealthRecord,
        key::Scope,
        log::{LogEntry, LogKind, LogLevel},
    },
    error::ApiError,
    store::{self, account_logs::Filter},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/account_logs", get(list)).route("/channel_accounts/{id}/health/history", get(history))
}

async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<LogEntry>>, ApiError> {
    caller.may(Scope::Read)?;
    let filter = Filter {
        organization_id: caller.narrow(query.take("organization_id"))?,
        account_id: query.take("channel_account_id"),
        kinds: words(&mut query, "kind", LogKind::WORDS)?,
        levels: words(&mut query, "level", LogLevel::WORDS)?,
        message_id: query.take("message_id"),
        since: time(&mut query, "since")?,
        until: time(&mut query, "until")?,
    };
    let page = query.finish("organization_id, channel_account_id, kind, level, message_id, since, until")?;
    Ok(Json(store::account_logs::list(&app.db, &filter, &page).await?))
}

async fn history(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Json<Vec<HealthRecord>>, ApiError> {
    let account = channel_accounts::find(&app, &caller, &id, Scope::Read).await?;
    let page = query.finish("none")?;
    Ok(Json(store::account_health::list(&app.db, &account.id, &page).await?))
}

/// One word or several: `warn`, `warn,error`, `in.(warn,error)`.
fn words<T: FromStr>(query: &mut ListQuery, name: &str, known: &[&str]) -> Result<Vec<T>, ApiError> {
    let Some(given) = query.take(name) else { return Ok(Vec::new()) };
    let list = given.strip_prefix("in.(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(&given);
    let unknown = |word: &str| {
        ApiError::bad_request("bad_query", format!("{name}: “{word}” is none of its words."))
            .hint(format!("There are: {}.", known.join(", ")))
    };
    list.split(',').map(str::trim).map(|word| word.parse().map_err(|_| unknown(word))).collect()
}

fn time(query: &mut ListQuery, name: &str) -> Result<Option<At>, ApiError> {
    let Some(given) = query.take(name) else { return Ok(None) };
    let bad = || {
        ApiError::bad_request("bad_query", format!("{name}: “{given}” is no time."))
            .hint("Write RFC 3339, like 2026-11-22T20:15:00Z; in a URL a + is written %2B.")
    };
    serde_json::from_value(given.clone().into()).map(Some).map_err(|_| bad())
}
