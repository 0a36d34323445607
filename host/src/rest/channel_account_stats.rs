//! `/rest/v1/channel_account_stats`

use std::{str::FromStr, sync::Arc};

use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{asked::Asked, auth::Caller, extract::Json, lists};
use crate::{
    app::App,
    audit::{self, Deed},
    domain::key::Scope,
    error::ApiError,
    stats::{self, Asked as Stretch, By, Granularity, Recomputation, Report, Span},
    store::{stats::Filter, tables::CHANNEL_ACCOUNT_STATS},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/channel_account_stats", get(list))
        .route("/channel_account_stats/summary", get(summary))
        .route("/channel_account_stats/recompute", post(recompute))
}

async fn list(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    let filter = filter(&caller, &mut asked)?;
    let granularity = take_word(&mut asked, "granularity", Granularity::WORDS)?.unwrap_or(Granularity::Day);
    let span = Span::steps(&stretch(&mut asked), granularity, app.clock.now())?;
    // What is asked wrongly is told before anything is added up.
    asked.query(&CHANNEL_ACCOUNT_STATS)?;
    answer(&asked, &stats::list(&app, &filter, &span).await?)
}

async fn summary(State(app): State<Arc<App>>, caller: Caller, mut asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    let filter = filter(&caller, &mut asked)?;
    let by = take_word(&mut asked, "by", By::WORDS)?.unwrap_or(By::Account);
    let span = Span::whole(&stretch(&mut asked), app.clock.now())?;
    asked.query(&CHANNEL_ACCOUNT_STATS)?;
    answer(&asked, &stats::summarise(&app, &filter, &span, by).await?)
}

fn answer(asked: &Asked, reports: &[Report]) -> Result<Response, ApiError> {
    let rows = reports.iter().map(|report| serde_json::to_value(report).map_err(|error| ApiError::internal(&error)));
    lists::held(asked, &CHANNEL_ACCOUNT_STATS, rows.collect::<Result<_, _>>()?)
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
    let stretch = Span::unbounded(&Stretch { from: request.from, to: request.to, time_zone: request.time_zone })?;
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

/// What says whose figures are made; other conditions choose among them.
fn filter(caller: &Caller, asked: &mut Asked) -> Result<Filter, ApiError> {
    Ok(Filter {
        account_id: take_value(asked, "channel_account_id"),
        organization_id: caller.narrow(take_value(asked, "organization_id"))?,
        channel_type: take_value(asked, "type"),
    })
}

fn take_value(asked: &mut Asked, column: &str) -> Option<String> {
    let value = asked.value(column)?.to_owned();
    asked.take(column);
    Some(value)
}

fn stretch(asked: &mut Asked) -> Stretch {
    asked.besides.extend(["from", "to", "granularity", "time_zone", "by"]);
    Stretch { from: asked.take("from"), to: asked.take("to"), time_zone: asked.take("time_zone") }
}

fn take_word<T: FromStr>(asked: &mut Asked, name: &str, words: &[&str]) -> Result<Option<T>, ApiError> {
    let Some(text) = asked.take(name) else { return Ok(None) };
    let wrong = || ApiError::bad_request("bad_query", format!("{name}: “{text}” is none of {}.", words.join(", ")));
    text.parse().map(Some).map_err(|_| wrong())
}
