//! The door for browsers and providers: `/oauth`. A user opens a link that `connect` gave, says yes at the provider, and comes back
//! here; the account goes on from there by itself. A provider tells here that somebody took his grant back.
//!
//! The verbs are in the folder: [`begin`] and what becomes of it (`flow.rs`), [`refresh`], `signed.rs`. Nothing here names a
//! provider: the recipes are the manifests'.

mod browser;
mod early;
mod exchange;
mod flow;
mod page;
mod refresh;
mod signed;

pub use early::renew_early;
pub use flow::{abandon, begin, expire, sweep};
pub use refresh::{holds_token, refresh, refresh_due};

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use self::{
    flow::{Ending, Progress},
    page::Page,
    signed::Refusal,
};
use crate::{
    accounts::ConnectStep,
    app::App,
    domain::{
        account::Account,
        log::{LogKind, LogLevel, Note},
        provider_app::ProviderApp,
    },
    error::ApiError,
    store::{self, oauth::Flow},
};

/// How long a user has, from the link to the account's connection.
const FLOW_LIFE: Duration = Duration::from_secs(600);
const BODY_MAX: usize = 64 * 1024;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/oauth/start/{ticket}", get(start))
        .route("/oauth/callback", get(callback))
        .route("/oauth/answers", post(answers))
        .route("/oauth/apps/{app}/deauthorize", post(deauthorize))
        .route("/oauth/apps/{app}/deletion", post(deletion))
        .route("/oauth/deletions/{code}", get(deletion_status))
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

/// A page that says why there is nothing to do here.
fn stopped(status: StatusCode, text: &str, action: &str) -> Response {
    Page::new("This can’t go on").text(text).text(action).answer(status)
}

const ASK_AGAIN: &str = "Close this page and connect the account again where you began.";

fn failed(error: &ApiError) -> Response {
    stopped(error.status, &error.body.message, error.body.hint.as_deref().unwrap_or(ASK_AGAIN))
}

/// Opens the link: the browser is bound to it and sent to the provider.
async fn start(State(app): State<Arc<App>>, Path(ticket): Path<String>, headers: HeaderMap) -> Response {
    open(&app, &ticket, &headers).await.unwrap_or_else(|error| failed(&error))
}

async fn open(app: &Arc<App>, ticket: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let Some(flow) = store::oauth::find_by_ticket(&app.db, &browser::hash(ticket)).await? else {
        return Ok(stopped(StatusCode::NOT_FOUND, "This link isn’t one of ours.", ASK_AGAIN));
    };
    if flow.used_at.is_some() || flow.settled_at.is_some() {
        return Ok(stopped(StatusCode::GONE, "This link was used already.", ASK_AGAIN));
    }
    if flow.expires_at <= now {
        flow::end(app, &flow, flow::expired()).await?;
        return Ok(stopped(StatusCode::GONE, "This link has expired.", ASK_AGAIN));
    }
    let mut bound = None;
    if !browser::is_same(headers, &flow.id, flow.browser_hash.as_deref()) {
        let cookie = flow::random()?;
        let mut tx = app.db.begin().await?;
        let is_first = store::oauth::bind_browser(&mut tx, &flow.id, &browser::hash(cookie.expose())).await?;
        tx.commit().await?;
        if !is_first {
            log(app, &flow, "oauth_other_browser", "The link was opened in another browser than the one that opened it first.").await?;
            return Ok(stopped(StatusCode::FORBIDDEN, "This link was opened in another browser already.", ASK_AGAIN));
        }
        bound = browser::set_cookie(&flow.id, cookie.expose(), app.public_url.starts_with("https://"));
    }
    let page = flow::provider_page(app, &flow, ticket).await?;
    let mut answer = StatusCode::FOUND.into_response();
    let location = HeaderValue::from_str(page.as_str()).map_err(|error| ApiError::internal(&error))?;
    answer.headers_mut().insert(header::LOCATION, location);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(cookie) = bound {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// Logs what somebody tried with a flow: counted, because a stranger may try often.
async fn log(app: &App, flow: &Flow, code: &str, text: &str) -> Result<(), ApiError> {
    if let Some(account) = store::accounts::find(&app.db, &flow.account_id).await? {
        app.logbook.count(Note::new(&account, LogKind::Oauth, LogLevel::Warn, code, text));
    }
    Ok(())
}

/// The provider sends the browser back.
async fn callback(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned();
    let query: BTreeMap<String, String> = pairs.map(|(name, value)| (name, browser::without_remains(&value).to_owned())).collect();
    to_the_end(&app, |app| async move { come_back(&app, &query, &headers).await }).await
}

/// Does work to its end even where the browser hangs up.
async fn to_the_end<F>(app: &Arc<App>, work: impl FnOnce(Arc<App>) -> F) -> Response
where
    F: Future<Output = Result<Response, ApiError>> + Send + 'static,
{
    let done = app.tasks.finish(work(Arc::clone(app))).await;
    done.unwrap_or_else(|| Err(ApiError::internal(&"an authorisation panicked"))).unwrap_or_else(|error| failed(&error))
}

async fn come_back(app: &Arc<App>, query: &BTreeMap<String, String>, headers: &HeaderMap) -> Result<Response, ApiError> {
    let state = query.get("state").map(String::as_str).unwrap_or_default();
    let Some(flow) = store::oauth::find_by_state(&app.db, &browser::hash(state)).await? else {
        tracing::warn!("somebody came back from a provider with a state that isn't known");
        return Ok(stopped(StatusCode::BAD_REQUEST, "Nobody here has begun this authorisation, or it was long ago.", ASK_AGAIN));
    };
    if !browser::is_same(headers, &flow.id, flow.browser_hash.as_deref()) {
        log(app, &flow, "oauth_other_browser", "Somebody came back from the provider in another browser than the one that went there.")
            .await?;
        return Ok(stopped(StatusCode::FORBIDDEN, "This authorisation was begun in another browser.", ASK_AGAIN));
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let is_ours = store::oauth::take(&mut tx, &flow.id, now).await?;
    tx.commit().await?;
    if !is_ours {
        if flow.used_at.is_some() || flow.expires_at > now {
            log(app, &flow, "oauth_replayed", "An authorisation that was used already came back from the provider again.").await?;
            return Ok(stopped(
                StatusCode::CONFLICT,
                "This authorisation was used already.",
                "Look at the account: it may be connected by now.",
            ));
        }
        flow::end(app, &flow, flow::expired()).await?;
        return Ok(stopped(StatusCode::GONE, "This authorisation took too long.", ASK_AGAIN));
    }
    let progress = match (query.get("error"), query.get("code").filter(|code| !code.is_empty())) {
        (Some(error), _) => flow::end(app, &flow, refused(error, query.get("error_description"))).await?,
        (None, Some(code)) => flow::finish(app, &flow, code).await?,
        (None, None) => {
            let ending = Ending::new("oauth_malformed", "The provider sent neither a code nor an error.", flow::AGAIN);
            flow::end(app, &flow, ending).await?
        }
    };
    Ok(shown(&flow, progress))
}

/// What the provider says in place of a code.
fn refused(error: &str, description: Option<&String>) -> Ending {
    if error == "access_denied" {
        return Ending::new("oauth_denied", "The access was denied at the provider.", flow::AGAIN);
    }
    let words = description.map_or(error, String::as_str);
    let reason = format!("The provider refused the authorisation: {} ({})", exchange::short(words), exchange::short(error));
    Ending::new("oauth_refused", reason, "Check the app at the provider: its redirect URL, its permissions, its state; then begin again.")
}

/// The page for what came of a step.
fn shown(flow: &Flow, progress: Progress) -> Response {
    match progress {
        Progress::Done(account) if account.standing.connection.is_connected() => Page::new("Connected")
            .text(&format!("{} is connected as {}.", account.name, known_as(&account)))
            .text("You can close this page."),
        Progress::Done(account) => Page::new("Almost done")
            .text(&format!("{} has the access that it needs and is being connected.", account.name))
            .text("You can close this page."),
        Progress::Choice(account) => Page::new("One choice more")
            .text(&format!("What is {} to be connected to?", account.name))
            .questions(&flow.id, account.connect_prompt.as_ref().unwrap_or(&Value::Null)),
        Progress::Ended(ending) => {
            let page = Page::new("Not connected").text(&ending.reason).text(&ending.action);
            return page.text(ASK_AGAIN).answer(status_of(&ending));
        }
    }
    .answer(StatusCode::OK)
}

fn status_of(ending: &Ending) -> StatusCode {
    match ending.code.as_str() {
        // It is the user's own word.
        "oauth_denied" => StatusCode::OK,
        "oauth_unreachable" => StatusCode::BAD_GATEWAY,
        "oauth_expired" => StatusCode::GONE,
        "oauth_superseded" | "already_connected" => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn known_as(account: &Account) -> &str {
    account.display_name.as_deref().or(account.external_id.as_deref()).unwrap_or(&account.name)
}

/// The form with the user's choice.
async fn answers(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    to_the_end(&app, |app| async move { choose(&app, &form, &headers).await }).await
}

async fn choose(app: &Arc<App>, form: &[(String, String)], headers: &HeaderMap) -> Result<Response, ApiError> {
    let id = form.iter().find(|(name, _)| name == "flow").map(|(_, value)| value.as_str()).unwrap_or_default();
    // Bound to the browser like the way back: another site's form doesn't bring the cookie along.
    let flow = store::oauth::find(&app.db, id).await?.filter(|flow| browser::is_same(headers, &flow.id, flow.browser_hash.as_deref()));
    let Some(flow) = flow else {
        return Ok(stopped(StatusCode::FORBIDDEN, "This authorisation was begun in another browser, or never.", ASK_AGAIN));
    };
    if flow.settled_at.is_some() || flow.used_at.is_none() {
        return Ok(stopped(StatusCode::CONFLICT, "There is nothing more to choose.", "Look at the account: it may be connected by now."));
    }
    if flow.expires_at <= app.clock.now() {
        flow::end(app, &flow, flow::expired()).await?;
        return Ok(stopped(StatusCode::GONE, "This authorisation took too long.", ASK_AGAIN));
    }
    let given = form.iter().filter_map(|(name, value)| Some((name.strip_prefix("answer.")?.to_owned(), value.clone())));
    let step = ConnectStep::Answers { answers: given.collect() };
    Ok(shown(&flow, flow::go_on(app, &flow, step).await?))
}

/// A person took his grant back.
async fn deauthorize(State(app): State<Arc<App>>, Path(id): Path<String>, body: Bytes) -> Result<StatusCode, ApiError> {
    let (provider_app, meant) = believed(&app, &id, &body).await?;
    let accounts = signed::deauthorize(&app, &provider_app, &meant, false).await?;
    tracing::info!(app.id = %id, accounts, "a person took his grant back");
    Ok(StatusCode::OK)
}

/// A person wants what is known of him deleted.
async fn deletion(State(app): State<Arc<App>>, Path(id): Path<String>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let (provider_app, meant) = believed(&app, &id, &body).await?;
    let deletion = signed::delete(&app, &provider_app, &meant).await?;
    tracing::info!(app.id = %id, accounts = deletion.accounts, "a person asked to have his data deleted");
    Ok(Json(json!({"url": format!("{}/oauth/deletions/{}", app.public_url, deletion.code), "confirmation_code": deletion.code})))
}

async fn believed(app: &App, id: &str, body: &[u8]) -> Result<(ProviderApp, Vec<signed::Meant>), ApiError> {
    let provider_app = store::apps::find(&app.db, id).await?.ok_or_else(|| ApiError::not_found("app", id))?;
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    match signed::verify(app, &provider_app, &form).await? {
        Ok(meant) => Ok((provider_app, meant)),
        Err(refusal) => {
            tracing::warn!(app.id = %id, ?refusal, "a signed callback was refused");
            Err(match refusal {
                Refusal::NotTaken => ApiError::not_found("callback of the app", id),
                Refusal::Malformed => ApiError::bad_request("malformed", "The signed text is missing, or isn't of its form."),
                Refusal::Mismatch => ApiError::new(StatusCode::FORBIDDEN, "unverified", "The signature is wrong.")
                    .hint("The app's client secret here and at the provider have to be the same."),
            })
        }
    }
}

/// What became of a request to delete.
async fn deletion_status(State(app): State<Arc<App>>, Path(code): Path<String>) -> Response {
    match store::oauth::find_deletion(&app.db, &code).await {
        Ok(Some(deletion)) => {
            let status = match deletion.completed_at {
                Some(at) => format!("Done at {at}."),
                None => "Under way.".to_owned(),
            };
            let touched = match deletion.accounts {
                0 => "Nothing was kept here for this person.".to_owned(),
                1 => "One channel account was concerned.".to_owned(),
                several => format!("{several} channel accounts were concerned."),
            };
            Page::new("Deletion of data")
                .text(&format!("Confirmation code: {}", deletion.code))
                .text(&format!("Requested at {}. {status}", deletion.requested_at))
                .text(&touched)
                .text("Erased were the access tokens that the person had granted, what the accounts’ facts told of the person, and the id by which the provider means the person. Messages belong to the organisation that received them: ask it about those.")
                .answer(StatusCode::OK)
        }
        Ok(None) => stopped(StatusCode::NOT_FOUND, "There is no request with this code.", "Check the link."),
        Err(error) => failed(&error.into()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
