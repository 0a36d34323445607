//! `/rest/v1/channel_account_stats`

use std::{str::FromStr, sync::Arc};

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    auth::Caller,
    extract::{Json, ListQuery},
};
use crate::{
    app::App,
    audit::{self, Deed},
    domain::key::Scope,
    error::ApiError,
    stats::{self, Asked, By, Granularity, Recomputation, Report, Span},
    store::stats::Filter,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/channel_account_stats", get(list))
        .route("/channel_account_stats/summary", get(summary))
        .route("/channel_account_stats/recompute", post(recompute))
}

async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<axum::Json<Vec<Report>>, ApiError> {
    caller.may(Scope::Read)?;
    let filter = filter(&caller, &mut query)?;
    let granularity = take_word(&mut query, "granularity", Granularity::WORDS)?.unwrap_or(Granularity::Day);
    let asked = asked(&mut query);
    query.finish("channel_account_id, organization_id, type, from, to, granularity, time_zone")?;
    let span = Span::steps(&asked, granularity, app.clock.now())?;
    Ok(axum::Json(stats::list(&app, &filter, &span).await?))
}

async fn summary(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<axum::Json<Vec<Report>>, ApiError> {
    caller.may(Scope::Read)?;
    let filter = filter(&caller, &mut query)?;
    let by = take_word(&mut query, "by", By::WORDS)?.unwrap_or(By::Account);
    let asked = asked(&mut query);
    query.finish("channel_account_id, organization_id, type, from, to, time_zone, by")?;
    let span = Span::whole(&asked, app.clock.now())?;
    Ok(axum::Json(stats::summarise(&app, &filter, &span, by).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecomputeRequest {
    channel_account_id: String,
    /// RFC 3339 or a date; all time without.
    from: Option<String>,
    to: Option<String>,
    time_zone: Option<String>,
    /// Writes what the messages tell in place of what was counted.
    #[serde(default)]
    mend: bool,
}

async fn recompute(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(request): Json<RecomputeRequest>,
) -> Result<axum::Json<Recomputation>, ApiError> {
    caller.may(Scope::Admin)?;
    let filter = Filter { account_id: Some(request.channel_account_id), organization_id: caller.narrow(None)?, channel_type: None };
    let account = stats::named(&app, &filter).await?;
    let stretch = Span::unbounded(&Asked { from: request.from, to: request.to, time_zone: request.time_zone })?;
    if request.mend {
        let deed = Deed {
            action: "channel_account_stats.mend",
            subject_kind: "channel_account",
            subject_id: &account.id,
            organization_id: Some(&account.organization_id),
            detail: json!({"from": stretch.0, "to": stretch.1}),
        };
        audit::note(&app, &caller.actor(), deed).await?;
    }
    Ok(axum::Json(stats::recompute(&app.db, &account.id, stretch, request.mend).await?))
}

fn filter(caller: &Caller, query: &mut ListQuery) -> Result<Filter, ApiError> {
    Ok(Filter {
        account_id: query.take("channel_account_id"),
        organization_id: caller.narrow(query.take("organization_id"))?,
        channel_type: query.take("type"),
    })
}

fn asked(query: &mut ListQuery) -> Asked {
    Asked { from: query.take("from"), to: query.take("to"), time_zone: query.take("time_zone") }
}

fn take_word<T: FromStr>(query: &mut ListQuery, name: &str, words: &[&str]) -> Result<Option<T>, ApiError> {
    let Some(text) = query.take(name) else { return Ok(None) };
    let wrong = || ApiError::bad_request("bad_query", format!("{name}: “{text}” is none of {}.", words.join(", ")));
    text.parse().map(Some).map_err(|_| wrong())
}
