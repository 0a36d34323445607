//! The dialogue that connects an account to its provider: the same for a token, OAuth and a code to scan. The plugin says what
//! comes next; the gateway keeps its state between the steps.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use patchbay_sandbox::{
    Fault,
    contract::{channel as wit, types},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    CONNECT, OAUTH_EXPIRE, RECONNECT, RELEASE,
    change::{deed, running_for},
    pairing,
    settings::under_settings,
    standing::{commit, stand},
    vault,
};
use crate::{
    app::App,
    audit,
    auth::Identity,
    clock::At,
    domain::{
        account::{Account, Connection, Standing},
        actor::Actor,
        failure::{Failure, FailureClass},
        webhook::Named,
    },
    error::ApiError,
    oauth,
    plugins::{Captured, convert},
    store::{self, StoreError, Tx, accounts::Linked, jobs::DueJob, people::Owner},
};

/// What to do about an account whose dialogue went wrong.
const AGAIN: &str = "See to the reason, then connect the account again: POST /rest/v1/channel_accounts/{id}/connect.";
/// Routes that an account may have, and bytes of one.
const ROUTES_MAX: usize = 100;
const ROUTE_MAX: usize = 200;

/// The wait for a new access token.
const RENEWAL: Duration = Duration::from_secs(5);

/// The step that a client takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum ConnectStep {
    Start {
        /// The provider is asked for access anew, though the account has it.
        #[serde(default)]
        reauthorize: bool,
    },
    /// What the user chose, by the question's id.
    Answers { answers: BTreeMap<String, String> },
    /// The dialogue waits: look again.
    Tick,
    /// A new code to scan.
    Refresh,
}

impl ConnectStep {
    pub const START: ConnectStep = ConnectStep::Start { reauthorize: false };

    /// Its name, as a client writes it.
    fn word(&self) -> &'static str {
        match self {
            ConnectStep::Start { .. } => "start",
            ConnectStep::Answers { .. } => "answers",
            ConnectStep::Tick => "tick",
            ConnectStep::Refresh => "refresh",
        }
    }
}

/// On whose behalf a step is taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taker<'a> {
    /// The API key of the person who takes it.
    pub(super) key: Option<&'a str>,
    /// The dialogue begins with it.
    pub(super) starts: bool,
    /// The job that takes it: what comes of it counts while its claim stands.
    pub(super) job: Option<&'a DueJob>,
}

impl Taker<'_> {
    pub(super) fn is_person(&self) -> bool {
        self.key.is_some()
    }

    /// Whether somebody has begun again, or ended it, while the provider was asked. `account` is as it was read before.
    async fn is_late(&self, tx: &mut Tx, account: &Account) -> store::Result<bool> {
        // A deleted account's secrets are erased, and stay so.
        let Some(stood) = store::accounts::find(&mut *tx, &account.id).await? else { return Ok(true) };
        let is_over = pairing::is_under_way(account.standing.connection) && !pairing::is_under_way(stood.standing.connection);
        match self.job {
            Some(job) => Ok(!store::jobs::is_held(tx, job).await?),
            None => Ok(is_over && !self.starts),
        }
    }
}

/// Why a step came to nothing.
#[derive(Debug)]
pub enum StepError {
    /// The plugin or the provider said so; nothing of it was written to the account.
    Provider(Failure),
    Gateway(ApiError),
}

impl From<ApiError> for StepError {
    fn from(error: ApiError) -> StepError {
        StepError::Gateway(error)
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> StepError {
        StepError::Gateway(error.into())
    }
}

/// Takes one step of connecting. Where the account is authorised by OAuth and has no token, or is to get another, the answer is
/// a page to open: the account goes on from there. Whoever begins a pairing is shown its code.
///
/// # Errors
/// What the plugin or the provider said against it; the account's standing says the same.
pub async fn connect(app: &Arc<App>, account: &Account, step: ConnectStep, caller: &Identity) -> Result<Account, ApiError> {
    // A look changes nothing of who began, and since when.
    let is_look = matches!(step, ConnectStep::Tick);
    if !is_look {
        // Before the provider is asked: what comes of it is told by the account's own log.
        audit::note(app, &caller.actor, deed("channel_account.connect", account, json!({"step": step.word()}))).await?;
    }
    if let ConnectStep::Start { reauthorize } = step
        && let Some(authorizing) = oauth::begin(app, account, reauthorize).await?
    {
        return Ok(authorizing);
    }
    let taker = Taker { key: Some(caller.id.as_str()).filter(|_| !is_look), starts: matches!(step, ConnectStep::Start { .. }), job: None };
    outcome_of(app, account, take_step(app, account, step, &taker).await).await
}

/// Takes one step of connecting with the credentials that there are.
///
/// # Errors
/// As [`connect`].
pub async fn go_on(app: &Arc<App>, account: &Account, step: ConnectStep) -> Result<Account, ApiError> {
    outcome_of(app, account, try_step(app, account, step).await).await
}

async fn outcome_of(app: &App, account: &Account, taken: Result<Account, StepError>) -> Result<Account, ApiError> {
    match taken {
        Ok(account) => Ok(account),
        Err(StepError::Provider(failure)) => Err(fail(app, account, failure, None).await?),
        Err(StepError::Gateway(error)) => Err(error),
    }
}

/// The same, but a failure is the caller's to write down.
///
/// # Errors
/// Nothing of the step was stored.
pub async fn try_step(app: &Arc<App>, account: &Account, step: ConnectStep) -> Result<Account, StepError> {
    take_step(app, account, step, &Taker::default()).await
}

pub(super) async fn take_step(app: &Arc<App>, account: &Account, step: ConnectStep, taker: &Taker<'_>) -> Result<Account, StepError> {
    let wit_step = match step {
        ConnectStep::Start { .. } => wit::Step::Start,
        ConnectStep::Answers { answers } => {
            wit::Step::Answers(answers.into_iter().map(|(name, value)| types::Field { name, value }).collect())
        }
        ConnectStep::Tick => wit::Step::Tick,
        ConnectStep::Refresh => wit::Step::Refresh,
    };
    let (answer, captured) = ask(app, account, wit_step).await?;
    let outcome = match answer {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(failure)) => return Err(StepError::Provider(convert::failure_in(failure))),
        Err(fault) => return Err(StepError::Provider(Failure::new(FailureClass::Fault, "plugin_fault", fault.to_string()))),
    };
    progress(app, account, outcome, &captured, taker).await?;
    let account = store::accounts::find(&app.db, &account.id).await?.ok_or_else(|| ApiError::not_found("channel account", &account.id))?;
    Ok(account)
}

type Asked = (Result<Result<wit::Outcome, types::Failure>, Fault>, Captured);

async fn ask(app: &Arc<App>, account: &Account, step: wit::Step) -> Result<Asked, ApiError> {
    let version = running_for(app, account)?;
    let input = wit::Connecting { step, webhook_url: app.webhook_url(account), state: account.connect_state.clone() };
    Ok(version.connect(app, account, &input).await?)
}

/// Unsubscribes at the provider. Answers what the provider said against it.
pub(super) async fn tell_provider_goodbye(app: &Arc<App>, account: &Account) -> Result<Option<Failure>, ApiError> {
    // A pairing is ended at the provider too.
    let pairs = account.standing.connection == Connection::Pairing;
    if account.external_id.is_none() && !pairs {
        return Ok(None);
    }
    let (answer, captured) = ask(app, account, wit::Step::Disconnect).await?;
    // The credentials stay for the next connect: as the provider has renewed them.
    vault::keep_captured(app, account, &captured).await?;
    Ok(match answer {
        Ok(Err(failure)) if pairs => {
            tracing::info!(account.id = %account.id, failure = ?failure, "the provider wasn't told of the end of a pairing");
            None
        }
        Ok(Ok(_)) => None,
        Ok(Err(failure)) => Some(convert::failure_in(failure)),
        Err(fault) => Some(Failure::new(FailureClass::Fault, "plugin_fault", fault.to_string())),
    })
}

/// Disconnects: the provider is told, the credentials stay for the next connect.
///
/// # Errors
/// What the provider said against it, unless the credential is dead anyway.
pub async fn disconnect(app: &Arc<App>, account: &Account, actor: &Actor) -> Result<Account, ApiError> {
    if let Some(failure) = tell_provider_goodbye(app, account).await?
        && failure.class != FailureClass::Unauthorized
    {
        return Err(refusal(&failure));
    }
    let standing = Standing::because(
        Connection::LoggedOut,
        "disconnected",
        "The account was disconnected here.",
        "POST /rest/v1/channel_accounts/{id}/connect",
    );
    let now = app.clock.now();
    oauth::abandon(app, account, "disconnected").await?;
    let mut tx = app.db.begin_ordered().await?;
    store::accounts::set_connect_progress(&mut tx, &account.id, None, None).await?;
    store::routes::remove_all(&mut tx, &account.id).await?;
    store::accounts::set_unlinked(&mut tx, &account.id, now).await?;
    store::jobs::cancel_all(&mut tx, &account.id).await?;
    stand(app, &mut tx, owner(account), &standing, now).await?;
    audit::record(app, &mut tx, actor, deed("channel_account.disconnect", account, json!({}))).await?;
    commit(app, tx, &account.id).await?;
    store::accounts::find(&app.db, &account.id).await?.ok_or_else(|| ApiError::not_found("channel account", &account.id))
}

fn owner(account: &Account) -> Owner<'_> {
    Owner { organization_id: &account.organization_id, account_id: &account.id }
}

pub(super) async fn progress(
    app: &Arc<App>,
    account: &Account,
    outcome: wit::Outcome,
    captured: &Captured,
    taker: &Taker<'_>,
) -> Result<(), ApiError> {
    let now = app.clock.now();
    let lifted = captured.take();
    let mut tx = app.db.begin_ordered().await?;
    if taker.is_late(&mut tx, account).await? {
        return Ok(());
    }
    vault::seal_lifted(app, &mut tx, account, &lifted, now).await?;
    let mut next_look = None;
    let is_choice = matches!(outcome.progress, wit::Progress::Ask(_));
    let (standing, prompt) = match outcome.progress {
        wit::Progress::Connected(connected) => {
            link(app, &mut tx, account, connected, now).await?;
            store::sending::clear(&mut tx, &account.id).await?;
            (Standing::plain(Connection::Connected), None)
        }
        wit::Progress::Ask(questions) => (
            Standing::because(Connection::Authorizing, "questions", "A choice is to be made.", "Answer the questions in `prompt`."),
            Some(json!({"kind": "ask", "questions": questions.into_iter().map(question).collect::<Vec<_>>()})),
        ),
        wit::Progress::Scan(brought) => (
            Standing::because(
                Connection::Pairing,
                "scan",
                "A code is to be scanned.",
                "Scan the code at `prompt.pairing_url` before it expires.",
            ),
            {
                next_look = Some(pairing::next_look(now));
                Some(pairing::keep(app, &mut tx, account, brought, taker, now).await?)
            },
        ),
        wit::Progress::Wait(millis) => {
            let wait = Duration::from_millis(At::from_millis(millis).map_or(1000, |at| u64::try_from(at.millis()).unwrap_or(1000)));
            next_look = Some(now.plus(wait));
            pairing::expect(app, &mut tx, account, taker, now).await?;
            (
                Standing::because(
                    Connection::Connecting,
                    "waiting",
                    "The provider isn't ready yet.",
                    "Nothing: the gateway goes on by itself.",
                ),
                None,
            )
        }
    };
    if !is_choice {
        // The new credential is proven: an authorisation that waited for that has come to its end.
        store::oauth::settle_all(&mut tx, &account.id, "connected", now).await?;
        store::jobs::cancel(&mut tx, &account.id, OAUTH_EXPIRE).await?;
    }
    store::accounts::set_connect_progress(&mut tx, &account.id, outcome.state, prompt).await?;
    stand(app, &mut tx, owner(account), &standing, now).await?;
    // Behind the standing: an account that isn't pairing any more has its looks cancelled.
    match next_look {
        Some(at) => store::jobs::schedule(&mut tx, &account.id, CONNECT, at).await?,
        None => store::jobs::cancel(&mut tx, &account.id, CONNECT).await?,
    }
    commit(app, tx, &account.id).await?;
    Ok(())
}

async fn link(app: &Arc<App>, tx: &mut Tx, account: &Account, connected: wit::Connected, now: At) -> Result<(), ApiError> {
    if let Some(other) = store::accounts::find_by_external_id(&mut *tx, &account.channel_type, &connected.external_id).await?
        && other.id != account.id
    {
        mend(app, other.clone());
        return Err(taken(account, &other));
    }
    let settings: Map<String, Value> = match connected.settings.as_deref().map(serde_json::from_str) {
        Some(Ok(settings)) => settings,
        _ => account.settings.clone(),
    };
    let facts = convert::facts_in(connected.facts);
    let mut routes = connected.routes;
    routes.retain(|route| !route.is_empty() && route.len() <= ROUTE_MAX);
    routes.truncate(ROUTES_MAX);
    store::routes::replace(tx, &account.id, &account.channel_type, &routes).await?;
    let linked = Linked {
        external_id: &connected.external_id,
        display_name: &connected.display_name,
        facts: Value::Object(facts),
        settings: &settings,
    };
    match store::accounts::set_linked(tx, &account.id, &linked, now).await {
        Err(StoreError::Conflict(_)) => return Err(ApiError::conflict("already_connected", "Another account is connected to it already.")),
        done => done?,
    }
    let named = Named { channel_type: account.channel_type.clone(), external_id: connected.external_id };
    if store::webhooks::adopt_named(tx, &named, &account.id, &account.organization_id).await? > 0 {
        store::jobs::schedule(tx, &account.id, RELEASE, now).await?;
    }
    Ok(())
}

/// The plugin has told the provider of the newcomer's address before anybody could know that the place was taken: the account
/// that has it tells the provider its own again.
fn mend(app: &Arc<App>, other: Account) {
    let connecting = Arc::clone(app);
    app.tasks.spawn(async move {
        if let Err(error) = Box::pin(go_on(&connecting, &other, ConnectStep::START)).await {
            tracing::warn!(account.id = %other.id, error = %error.body.message, "an account could not take its webhooks back");
        }
    });
}

fn taken(account: &Account, other: &Account) -> ApiError {
    let error =
        ApiError::conflict("already_connected", "Another account is connected to it already: two would take each other's webhooks.");
    if other.organization_id == account.organization_id {
        return error.hint(format!("It is the account “{}” ({}); delete or disconnect it first.", other.name, other.id));
    }
    error.hint("It belongs to another organisation.")
}

fn question(question: wit::Question) -> Value {
    let options: Vec<Value> =
        question.options.into_iter().map(|option| json!({"id": option.id, "title": option.title, "note": option.note})).collect();
    json!({"id": question.id, "title": question.title, "options": options})
}

/// Writes what went wrong to the account and answers the error for the client. A job's failure counts while its claim stands.
pub(super) async fn fail(app: &App, account: &Account, failure: Failure, job: Option<&DueJob>) -> store::Result<ApiError> {
    let connection = match failure.class {
        FailureClass::Unauthorized if failure.ended_session() => Connection::LoggedOut,
        FailureClass::Unauthorized => Connection::NeedsReauth,
        FailureClass::Invalid => Connection::Unconfigured,
        // The provider is away: what the account was, it still is.
        FailureClass::Unavailable | FailureClass::Limited | FailureClass::Uncertain
            if account.standing.connection.is_connected()
                || matches!(account.standing.connection, Connection::Connecting | Connection::Pairing) =>
        {
            return Ok(refusal(&failure));
        }
        _ => Connection::Error,
    };
    // The ways out of the other classes are a message's.
    let action = match connection {
        Connection::Error | Connection::Unconfigured => AGAIN.to_owned(),
        _ => failure.way_out.clone(),
    };
    let standing = Standing::because(connection, failure.code.clone(), failure.message.clone(), action);
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    if (Taker { job, ..Taker::default() }).is_late(&mut tx, account).await? {
        return Ok(refusal(&failure));
    }
    if oauth::renew_early(app, &mut tx, account, &failure, now).await? {
        // The dialogue goes on where it was, or from its start, with the new token.
        let job = if account.connect_state.is_some() { CONNECT } else { RECONNECT };
        store::jobs::schedule(&mut tx, &account.id, job, now.plus(RENEWAL)).await?;
        commit(app, tx, &account.id).await?;
        return Ok(
            refusal(&failure).hint("A new access token is asked for, and the account goes on with it by itself: look again in a moment.")
        );
    }
    stand(app, &mut tx, owner(account), &standing, now).await?;
    commit(app, tx, &account.id).await?;
    Ok(refusal(&failure))
}

/// What a client is told of a provider's refusal.
pub(super) fn refusal(failure: &Failure) -> ApiError {
    use axum::http::StatusCode;
    let status = match failure.class {
        FailureClass::Unavailable | FailureClass::Uncertain => StatusCode::BAD_GATEWAY,
        FailureClass::Limited | FailureClass::Fault => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut error = ApiError::new(status, failure.class.as_str(), failure.message.clone()).details(failure.code.clone());
    error.body.errors.clone_from(&failure.fields);
    match failure.class {
        FailureClass::Invalid => {
            // What was answered stands in the request; the rest is the account's.
            let (answers, settings) = failure.fields.iter().cloned().partition(|problem| problem.pointer.starts_with("/answers/"));
            error.body.errors = [answers, under_settings(settings)].concat();
            error.hint("Correct the settings with PATCH /rest/v1/channel_accounts/{id}, then connect again.")
        }
        FailureClass::Unauthorized => {
            error.hint("The provider refuses the credential: correct it with PATCH /rest/v1/channel_accounts/{id}, then connect again.")
        }
        _ => error.hint(failure.way_out.clone()),
    }
}
