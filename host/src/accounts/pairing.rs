//! Pairing: the provider gives a code, a person scans it with a phone, and the account is connected. The code opens the account to
//! whoever has it: it is kept sealed, shown to the one who began, and forgotten as soon as it is of no more use.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderValue, StatusCode, header};
use patchbay_sandbox::contract::channel as wit;
use serde_json::{Value, json};

use super::{
    CONNECT,
    connect::{ConnectStep, StepError, Taker, fail, take_step},
    standing::{commit, stand},
    vault,
};
use crate::{
    app::App,
    clock::At,
    domain::{
        account::{Account, Connection, Standing},
        event::{Event, EventType},
        failure::FailureClass,
        log::{LogKind, LogLevel, Note},
    },
    error::ApiError,
    secrets::Secret,
    store::{self, Tx, jobs::DueJob, pairings::Pairing, people::Owner},
};

/// How often the provider is asked whether the code was scanned, and for the next one.
const EVERY: Duration = Duration::from_secs(2);
/// How long it goes on with nobody scanning.
const BOUND: Duration = Duration::from_secs(600);
/// The wait after a step that failed for now, where nobody waits with a phone.
const PAUSE: Duration = Duration::from_secs(15);
/// The life of a code whose end the plugin doesn't tell.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// A plugin that reckons the end of a code itself brings another one with each look: that is no news.
const DRIFT_MICROS: u64 = 10_000_000;
/// What a code is sealed as.
const CODE: &str = "pairing_code";

const AGAIN: &str = "Begin again: POST /rest/v1/channel_accounts/{id}/connect.";

/// A code to scan, for the one who began.
pub struct Code {
    pub code: Secret,
    pub expires_at: At,
    pub refreshes_left: u32,
}

/// The code as it stands now, for the key that began the pairing.
///
/// # Errors
/// 403 for another key, 409 where there is no code: the error says why and what to do.
pub async fn shown_code(app: &App, account: &Account, key_id: &str) -> Result<Code, ApiError> {
    let pairing = match account.standing.connection {
        connection if is_under_way(connection) => store::pairings::find(&app.db, &account.id).await?,
        _ => None,
    };
    let Some(pairing) = pairing else { return Err(not_pairing(account)) };
    if pairing.begun_by.as_deref() != Some(key_id) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "pairing_of_another",
            "The pairing was begun with another API key: its code is shown to that one alone.",
        )
        .hint(format!(
            "To take it over, begin again with this key: POST /rest/v1/channel_accounts/{}/connect. The account's log tells of it.",
            account.id
        )));
    }
    match &pairing.code {
        Some(sealed) if pairing.expires_at > app.clock.now() => Ok(Code {
            code: vault::open_aside(app, account, CODE, sealed)?,
            expires_at: pairing.expires_at,
            refreshes_left: pairing.refreshes_left,
        }),
        _ => Err(expired(account)),
    }
}

fn not_pairing(account: &Account) -> ApiError {
    let connection = account.standing.connection;
    let error = ApiError::conflict("not_pairing", format!("The account isn't pairing: it is {connection}. There is no code to scan."));
    if connection.is_connected() {
        return error.hint("Nothing: the account is connected.");
    }
    let action = account.standing.user_action.clone();
    error.hint(action.unwrap_or_else(|| format!("Begin with POST /rest/v1/channel_accounts/{}/connect.", account.id)))
}

fn expired(account: &Account) -> ApiError {
    let mut error = ApiError::conflict("pairing_expired", "The code has expired; a new one comes in a moment.").hint(format!(
        "Ask again in {} seconds. For a new code at once: POST /rest/v1/channel_accounts/{}/connect with {{\"step\": \"refresh\"}}.",
        EVERY.as_secs(),
        account.id
    ));
    error.headers.insert(header::RETRY_AFTER, HeaderValue::from(EVERY.as_secs()));
    error
}

/// Keeps the code that a step brought; answers what the user is asked, without the code. Tells of a code that is another than before.
pub(super) async fn keep(
    app: &App,
    tx: &mut Tx,
    account: &Account,
    brought: wit::Pairing,
    taker: &Taker<'_>,
    now: At,
) -> store::Result<Value> {
    let known = store::pairings::find(&mut *tx, &account.id).await?;
    let before = known.as_ref();
    let (begun_by, begun_at) = begun(before, taker, now);
    let expires_at = At::from_millis(brought.expires_at_ms).unwrap_or(now.plus(CODE_LIFE)).min(begun_at.plus(BOUND));
    let code = Secret::new(brought.code);
    let known_code = before.and_then(|known| known.code.as_deref());
    let known_code = known_code.map(|sealed| vault::open_aside(app, account, CODE, sealed)).transpose()?;
    let is_same_code = known_code.is_some_and(|known| known.expose() == code.expose());
    let is_moved = |known: &Pairing| known.expires_at.micros().abs_diff(expires_at.micros()) > DRIFT_MICROS;
    let is_news = !is_same_code || before.is_none_or(|known| is_moved(known) || known.refreshes_left != brought.refreshes_left);
    let pairing = Pairing {
        account_id: account.id.clone(),
        begun_by,
        begun_at,
        code: Some(vault::seal_aside(app, account, CODE, &code)?),
        expires_at,
        refreshes_left: brought.refreshes_left,
    };
    store::pairings::put(tx, &pairing).await?;
    tell_of_another(app, tx, account, before, &pairing).await?;
    if is_news {
        store::events::append(tx, &event(app, account, &pairing, now), None, now).await?;
    }
    Ok(json!({
        "kind": "scan",
        "expires_at": expires_at,
        "refreshes_left": pairing.refreshes_left,
        "pairing_url": format!("/rest/v1/channel_accounts/{}/pairing", account.id),
    }))
}

/// Keeps who began, where the provider has no code yet.
pub(super) async fn expect(app: &App, tx: &mut Tx, account: &Account, taker: &Taker<'_>, now: At) -> store::Result<()> {
    let known = store::pairings::find(&mut *tx, &account.id).await?;
    let (begun_by, begun_at) = begun(known.as_ref(), taker, now);
    let pairing = Pairing { account_id: account.id.clone(), begun_by, begun_at, code: None, expires_at: now, refreshes_left: 0 };
    store::pairings::put(tx, &pairing).await?;
    tell_of_another(app, tx, account, known.as_ref(), &pairing).await
}

/// Who began, and when. A person is there again: the time begins anew. Only a start makes him the one who began.
fn begun(before: Option<&Pairing>, taker: &Taker<'_>, now: At) -> (Option<String>, At) {
    let at = if taker.is_person() { now } else { before.map_or(now, |known| known.begun_at) };
    let by = match taker.key.filter(|_| taker.starts) {
        Some(key) => Some(key.to_owned()),
        None => before.and_then(|known| known.begun_by.clone()),
    };
    (by, at)
}

async fn tell_of_another(app: &App, tx: &mut Tx, account: &Account, before: Option<&Pairing>, pairing: &Pairing) -> store::Result<()> {
    let (Some(from), Some(to)) = (before.and_then(|known| known.begun_by.as_ref()), &pairing.begun_by) else { return Ok(()) };
    if from == to {
        return Ok(());
    }
    let text = "The pairing was begun again with another API key, which is shown the code from now on.";
    let note = Note::new(account, LogKind::Connection, LogLevel::Warn, "pairing_taken_over", text);
    app.logbook.note_in(tx, note.detail("from_key", from.clone()).detail("to_key", to.clone())).await
}

/// When the provider is asked again.
pub(super) fn next_look(now: At) -> At {
    now.plus(EVERY)
}

fn event(app: &App, account: &Account, pairing: &Pairing, now: At) -> Event {
    Event {
        id: app.ids.next(now),
        event_type: EventType::AccountPairing,
        version: 1,
        organization_id: account.organization_id.clone(),
        channel_account_id: account.id.clone(),
        conversation_id: None,
        message_id: None,
        occurred_at: now,
        data: json!({
            "account": {"id": account.id, "name": account.name, "type": account.channel_type},
            "expires_at": pairing.expires_at,
            "refreshes_left": pairing.refreshes_left,
        }),
        seq: 0,
    }
}

/// Forgets the code of an account that isn't pairing any more, and who began where it isn't about to pair either. `account` is as it
/// stands in the transaction.
pub(super) async fn follow(tx: &mut Tx, account: &Account, to: Connection) -> store::Result<()> {
    let from = account.standing.connection;
    let had_code = from == Connection::Pairing && to != Connection::Pairing;
    if had_code && account.connect_prompt.as_ref().is_some_and(|prompt| prompt.get("kind") == Some(&json!("scan"))) {
        store::accounts::clear_prompt(tx, &account.id).await?;
    }
    if is_under_way(from) && !is_under_way(to) {
        store::pairings::remove(tx, &account.id).await?;
        store::jobs::cancel(tx, &account.id, CONNECT).await?;
    } else if had_code {
        store::pairings::drop_code(tx, &account.id).await?;
    }
    Ok(())
}

/// A code is there, or may come.
pub(super) fn is_under_way(connection: Connection) -> bool {
    matches!(connection, Connection::Pairing | Connection::Connecting)
}

/// How an account stands whose pairing was stopped by deactivating it.
pub(super) fn stopped(account: &Account) -> Standing {
    let connection = if account.external_id.is_some() { Connection::LoggedOut } else { Connection::Unconfigured };
    Standing::because(connection, "pairing_stopped", "The account was deactivated while its code was to be scanned.", AGAIN)
}

/// Goes on with a dialogue that waits, for the job; answers when the job is due again, none for never: where the dialogue waits
/// again, it was scheduled again.
pub async fn go_on(app: &Arc<App>, account: &Account, job: &DueJob) -> Option<Duration> {
    if account.standing.connection.is_connected() {
        return None;
    }
    match try_go_on(app, account, job).await {
        Ok(next) => next,
        Err(error) => {
            tracing::error!(account.id = %account.id, %error, "a connect dialogue could not go on");
            Some(PAUSE)
        }
    }
}

async fn try_go_on(app: &Arc<App>, account: &Account, job: &DueJob) -> store::Result<Option<Duration>> {
    let pairs = account.standing.connection == Connection::Pairing;
    let left = if pairs { time_left(app, account).await? } else { BOUND };
    if left.is_zero() {
        let reason = format!("Nobody scanned a code for {} minutes.", BOUND.as_secs() / 60);
        end(app, account, job, &Standing::because(Connection::Error, "pairing_timeout", reason, AGAIN)).await?;
        return Ok(None);
    }
    // It is being loaded, or another version takes its place.
    if app.plugins.for_account(account).is_none() {
        return Ok(Some(EVERY));
    }
    let taker = Taker { job: Some(job), ..Taker::default() };
    match take_step(app, account, ConnectStep::Tick, &taker).await {
        Ok(_) => Ok(None),
        Err(StepError::Provider(failure)) if pairs && is_passing(failure.class) => {
            tracing::info!(account.id = %account.id, class = %failure.class, reason = %failure.message, "the provider could not be asked for a code");
            Ok(Some(failure.retry_after_ms.map_or(EVERY, Duration::from_millis).clamp(EVERY, left.max(EVERY))))
        }
        Err(StepError::Provider(failure)) => {
            tracing::warn!(account.id = %account.id, reason = %failure.message, "a connect dialogue went wrong");
            let retries = !pairs && (is_passing(failure.class) || failure.class == FailureClass::Fault);
            fail(app, account, failure, Some(job)).await?;
            Ok(retries.then_some(PAUSE))
        }
        Err(StepError::Gateway(error)) if error.status.is_server_error() => {
            tracing::warn!(account.id = %account.id, error = %error.body.message, "a connect dialogue went wrong");
            Ok(Some(PAUSE))
        }
        Err(StepError::Gateway(error)) => {
            if pairs {
                let body = error.body;
                let standing = Standing::because(Connection::Error, body.code, body.message, body.hint.unwrap_or_else(|| AGAIN.to_owned()));
                end(app, account, job, &standing).await?;
            }
            Ok(None)
        }
    }
}

/// Whether it says nothing of the account, and the next look may go right.
pub(super) fn is_passing(class: FailureClass) -> bool {
    matches!(class, FailureClass::Unavailable | FailureClass::Limited | FailureClass::Uncertain)
}

async fn time_left(app: &App, account: &Account) -> store::Result<Duration> {
    let pairing = store::pairings::find(&app.db, &account.id).await?;
    let ends = pairing.map_or(app.clock.now(), |pairing| pairing.begun_at.plus(BOUND));
    Ok(ends.since(app.clock.now()).unwrap_or_default())
}

/// Ends it, unless somebody has begun again meanwhile.
async fn end(app: &App, account: &Account, job: &DueJob, standing: &Standing) -> store::Result<()> {
    let mut tx = app.db.begin_ordered().await?;
    if !store::jobs::is_held(&mut tx, job).await? {
        return Ok(());
    }
    let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
    stand(app, &mut tx, owner, standing, app.clock.now()).await?;
    commit(app, tx, &account.id).await
}

#[cfg(test)]
mod tests;
