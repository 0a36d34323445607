//! One authorisation from its beginning to its end. Whatever comes of it, the account is left in a state that says so, and a token
//! that proved nothing doesn't stay: the account's tokens from before come back.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    FLOW_LIFE, browser,
    exchange::{ExchangeError, Registration, Tokens, short},
};
use crate::{
    accounts::{self, ConnectStep, OAUTH_EXPIRE, OAUTH_REFRESH, StepError},
    app::App,
    apps,
    clock::At,
    domain::{
        account::{Account, Connection, Standing},
        log::{LogKind, LogLevel, Note},
        provider_app::ProviderApp,
    },
    error::ApiError,
    manifest::{Manifest, OauthRecipe, SecretSpec},
    secrets::{Secret, generate},
    store::{
        self, Tx,
        oauth::{Flow, Kept, KeptSecret},
        people::Owner,
        secrets::SealedSecret,
    },
};

/// Characters of a ticket, a cookie, a verifier: six random bits each.
const RANDOM_LEN: usize = 43;
/// What a verifier is sealed as.
const VERIFIER: &str = "oauth verifier";
/// How long a step that is under way may take.
const STEP_MAX: Duration = Duration::from_secs(120);
/// How long an authorisation that ended is kept.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// How an authorisation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    /// A word for programs: the account's `reason_code`.
    pub(super) code: String,
    pub(super) reason: String,
    pub(super) action: String,
    pub(super) level: LogLevel,
}

/// The way out that most endings have.
pub(super) const AGAIN: &str = "Begin again: POST /rest/v1/channel_accounts/{id}/connect";

impl Ending {
    pub(super) fn new(code: &str, reason: impl Into<String>, action: impl Into<String>) -> Ending {
        Ending { code: code.to_owned(), reason: reason.into(), action: action.into(), level: LogLevel::Warn }
    }

    fn of_exchange(error: ExchangeError) -> Ending {
        match error {
            ExchangeError::Refused { code, text } => Ending::new(
                "oauth_refused",
                format!("The provider gave no token for its code: {text} ({code})"),
                "Check the app's client secret and its redirect URL at the provider, then begin again.",
            ),
            ExchangeError::Unreachable(why) => {
                Ending::new("oauth_unreachable", format!("The provider can't be reached: {why}"), "Begin again in a while.")
            }
            ExchangeError::Malformed(why) => Ending::new(
                "oauth_malformed",
                format!("The provider can't be asked for a token: {why}"),
                "Check the app's settings: GET /admin/v1/apps.",
            ),
        }
    }

    fn of_step(error: StepError) -> Ending {
        match error {
            StepError::Provider(failure) => Ending::new(&failure.code, short(&failure.message), short(&failure.way_out)),
            StepError::Gateway(error) => {
                Ending::new(error.body.code, error.body.message, error.body.hint.unwrap_or_else(|| AGAIN.to_owned()))
            }
        }
    }
}

/// Where an authorisation stands after a step.
pub(super) enum Progress {
    /// The account is connected, or will be without anybody.
    Done(Box<Account>),
    /// The user has to choose: the account's prompt asks.
    Choice(Box<Account>),
    Ended(Ending),
}

/// The recipe that an account is authorised by.
pub(super) fn recipe_of<'a>(manifest: &'a Manifest, account: &Account) -> Option<&'a OauthRecipe> {
    manifest.oauth_recipe(&Value::Object(account.settings.clone()))
}

fn owner(account: &Account) -> Owner<'_> {
    Owner { organization_id: &account.organization_id, account_id: &account.id }
}

pub(super) fn random() -> Result<Secret, ApiError> {
    generate(RANDOM_LEN).map_err(|error| ApiError::internal(&error))
}

/// Begins an authorisation where the account needs one: it has no token, its token is dead, or another is asked for. Answers the
/// account with the page to open in its prompt; none where its token will do.
///
/// # Errors
/// 422 where there is no app to ask the provider with.
pub async fn begin(app: &Arc<App>, account: &Account, reauthorize: bool) -> Result<Option<Account>, ApiError> {
    let Some(manifest) = app.plugins.manifest_for(account) else { return Ok(None) };
    let Some(recipe) = recipe_of(&manifest, account) else {
        let why = "the account isn't authorised by OAuth: its credentials are typed in";
        return if reauthorize { Err(ApiError::invalid_field("/reauthorize", why)) } else { Ok(None) };
    };
    let stored = store::secrets::list(&app.db, &account.id).await?;
    let has_token = stored.iter().any(|secret| secret.name == recipe.access_token);
    let may_be_typed = |name: &str| manifest.secrets.get(name).is_some_and(|spec| spec.also_typed);
    if !has_token && !reauthorize && stored.iter().any(|secret| may_be_typed(&secret.name)) {
        // Somebody typed a token in, in place of all this.
        return Ok(None);
    }
    if has_token && !reauthorize && account.standing.connection != Connection::NeedsReauth {
        return Ok(None);
    }
    let provider_app = match &account.app_id {
        Some(id) => apps::of_account(app, Some(id)).await?,
        None => apps::serving(&app.db, &account.channel_type, None).await?,
    };
    let provider_app = match provider_app {
        Some(provider_app) => provider_app,
        // It was typed in.
        None if has_token && !reauthorize => return Ok(None),
        None => return Err(app_missing(account)),
    };
    let settings = accounts::effective_settings(&manifest, account, Some(&provider_app));
    if let Err(why) = Registration::of(app, recipe, &settings, &provider_app).await? {
        let hint = "Correct the app's settings: PATCH /admin/v1/apps/{id}.";
        return Err(ApiError::invalid_field("/app_id", format!("the app “{}” can't be used: {why}", provider_app.name)).hint(hint));
    }
    start(app, account, recipe, &provider_app).await.map(Some)
}

fn app_missing(account: &Account) -> ApiError {
    let error = ApiError::new(
        axum::http::StatusCode::UNPROCESSABLE_ENTITY,
        "app_missing",
        format!("The account is authorised through an app at the provider, and it has none that serves {}.", account.channel_type),
    );
    error.hint("The operator registers one at the provider and makes it here (POST /admin/v1/apps); where there are several, choose with PATCH /rest/v1/channel_accounts/{id} {\"app_id\": …}.")
}

async fn start(app: &Arc<App>, account: &Account, recipe: &OauthRecipe, provider_app: &ProviderApp) -> Result<Account, ApiError> {
    let now = app.clock.now();
    let ticket = random()?;
    let verifier = if recipe.pkce { Some(accounts::seal_aside(app, account, VERIFIER, &random()?)?) } else { None };
    let mut tx = app.db.begin_ordered().await?;
    let stood_now = store::accounts::find(&mut tx, &account.id).await?;
    let stood_now = stood_now.ok_or_else(|| ApiError::not_found("channel account", &account.id))?;
    let open = store::oauth::open_of(&mut tx, &account.id).await?;
    let is_choosing = stood_now.connect_prompt.as_ref().is_some_and(|prompt| prompt.get("kind") == Some(&json!("ask")));
    let is_busy = |flow: &Flow| flow.used_at.and_then(|at| now.since(at)).is_some_and(|since| since < STEP_MAX) && !is_choosing;
    if open.iter().any(is_busy) {
        return Err(
            ApiError::conflict("oauth_busy", "An authorisation of the account is just being finished.").hint("Look again in a moment.")
        );
    }
    // One at a time: what came of an earlier one is taken back.
    let stood = open.first().map_or(stood_now.standing, |flow| flow.stood.clone());
    for flow in &open {
        give_back(app, &mut tx, account, flow, "oauth_superseded", now).await?;
    }
    let flow = Flow {
        id: app.ids.next(now),
        account_id: account.id.clone(),
        app_id: provider_app.id.clone(),
        ticket_hash: browser::hash(ticket.expose()),
        state_hash: browser::hash(&browser::state_of(ticket.expose())),
        browser_hash: None,
        verifier,
        redirect_uri: app.oauth_redirect_url(),
        stood,
        kept: None,
        created_at: now,
        expires_at: now.plus(FLOW_LIFE),
        used_at: None,
        settled_at: None,
    };
    store::oauth::insert(&mut tx, &flow).await?;
    if account.app_id.is_none() {
        store::accounts::set_app(&mut tx, &account.id, Some(&provider_app.id), now).await?;
    }
    // The link is told to whoever began, and kept nowhere: whoever may only read the account must not go on with it.
    let prompt = json!({"kind": "open", "expires_at": flow.expires_at});
    store::accounts::set_connect_progress(&mut tx, &account.id, account.connect_state.clone(), Some(prompt)).await?;
    let standing = Standing::because(
        Connection::Authorizing,
        "oauth",
        "The provider is to be asked for access, in a browser.",
        "Open `prompt.url` before it expires, and allow the access there.",
    );
    accounts::stand(app, &mut tx, owner(account), &standing, now).await?;
    store::jobs::schedule(&mut tx, &account.id, OAUTH_EXPIRE, flow.expires_at.plus(Duration::from_secs(1))).await?;
    let note = Note::new(account, LogKind::Oauth, LogLevel::Info, "oauth_started", "An authorisation at the provider was begun.");
    app.logbook.note_in(&mut tx, note.detail("app_id", provider_app.id.clone())).await?;
    accounts::commit(app, tx, &account.id).await?;
    let mut begun =
        store::accounts::find(&app.db, &account.id).await?.ok_or_else(|| ApiError::not_found("channel account", &account.id))?;
    let url = format!("{}/oauth/start/{}", app.public_url, ticket.expose());
    begun.connect_prompt = Some(json!({"kind": "open", "url": url, "expires_at": flow.expires_at}));
    Ok(begun)
}

/// The provider's page for a flow that a browser has opened.
pub(super) async fn provider_page(app: &App, flow: &Flow, ticket: &str) -> Result<url::Url, ApiError> {
    let (account, registration) = registration_of(app, flow).await?;
    let verifier = verifier_of(app, &account, flow)?;
    let page = registration.authorize_url(&flow.redirect_uri, &browser::state_of(ticket), verifier.as_ref());
    Ok(app.egress.as_reached(&page.map_err(|why| unusable(&why))?))
}

fn verifier_of(app: &App, account: &Account, flow: &Flow) -> store::Result<Option<Secret>> {
    flow.verifier.as_deref().map(|sealed| accounts::open_aside(app, account, VERIFIER, sealed)).transpose()
}

fn unusable(why: &str) -> ApiError {
    ApiError::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "oauth_malformed", format!("The provider can't be asked: {why}"))
        .hint("Check the app's settings: GET /admin/v1/apps.")
}

/// The flow's account, and its recipe filled in.
async fn registration_of(app: &App, flow: &Flow) -> Result<(Account, Registration), ApiError> {
    let account = store::accounts::find(&app.db, &flow.account_id).await?;
    let account = account.ok_or_else(|| ApiError::not_found("channel account", &flow.account_id))?;
    let manifest = app.plugins.manifest_for(&account);
    let recipe = manifest.as_ref().and_then(|manifest| Some((manifest, recipe_of(manifest, &account)?)));
    let provider_app = apps::of_account(app, Some(&flow.app_id)).await?;
    let (Some((manifest, recipe)), Some(provider_app)) = (recipe, provider_app) else {
        return Err(ApiError::conflict("oauth_changed", "The account or its app was changed meanwhile.").hint(AGAIN));
    };
    let settings = accounts::effective_settings(manifest, &account, Some(&provider_app));
    let registration = Registration::of(app, recipe, &settings, &provider_app).await?.map_err(|why| unusable(&why))?;
    Ok((account, registration))
}

/// The provider has sent its code: it is exchanged, and the account is connected with what comes. The flow has to be taken by
/// the caller: nobody else goes on with it.
pub(super) async fn finish(app: &Arc<App>, flow: &Flow, code: &str) -> Result<Progress, ApiError> {
    match try_finish(app, flow, code).await {
        Ok(Ok(progress)) => Ok(progress),
        Ok(Err(ending)) => end(app, flow, ending).await,
        Err(error) => end(app, flow, Ending::of_step(StepError::Gateway(error))).await,
    }
}

async fn try_finish(app: &Arc<App>, flow: &Flow, code: &str) -> Result<Result<Progress, Ending>, ApiError> {
    let (account, registration) = registration_of(app, flow).await?;
    let verifier = verifier_of(app, &account, flow)?;
    let tokens = match registration.exchange_code(&app.egress, &flow.redirect_uri, code, verifier.as_ref()).await {
        Ok(tokens) => tokens,
        Err(error) => return Ok(Err(Ending::of_exchange(error))),
    };
    if !keep_tokens(app, &account, flow, tokens).await? {
        return Ok(Err(Ending::new("oauth_superseded", "Another authorisation was begun meanwhile.", AGAIN)));
    }
    Ok(step(app, flow, ConnectStep::START).await)
}

/// Stores what the provider gave and sets aside what the account had; false where the flow has ended meanwhile.
async fn keep_tokens(app: &App, account: &Account, flow: &Flow, tokens: Tokens) -> Result<bool, ApiError> {
    let manifest = app.plugins.manifest_for(account);
    let Some((manifest, recipe)) = manifest.as_ref().and_then(|manifest| Some((manifest, recipe_of(manifest, account)?))) else {
        return Ok(false);
    };
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    let had = store::secrets::list(&mut tx, &account.id).await?;
    let is_granted = |name: &str| manifest.secrets.get(name).is_some_and(SecretSpec::is_granted);
    let granted = had.into_iter().filter(|secret| is_granted(&secret.name));
    let secrets = granted.map(|SealedSecret { name, sealed, last4 }| KeptSecret { name, sealed: hex::encode(sealed), last4 }).collect();
    let kept = Kept {
        secrets,
        expires_at: account.oauth_expires_at.map(At::micros),
        refresh_expires_at: account.oauth_refresh_expires_at.map(At::micros),
    };
    if !store::oauth::keep(&mut tx, &flow.id, &kept).await? {
        return Ok(false);
    }
    store::oauth::set_refresh_expiry(&mut tx, &account.id, None).await?;
    store_tokens(app, &mut tx, account, recipe, tokens, now).await?;
    if let Some(refresh) = recipe.refresh_token.as_ref() {
        // Whatever refresh token there was belongs to the grant before.
        let stale = kept.secrets.iter().find(|secret| secret.name == *refresh);
        let current = store::secrets::list(&mut tx, &account.id).await?;
        let unchanged =
            |stale: &KeptSecret| current.iter().any(|secret| secret.name == *refresh && hex::encode(&secret.sealed) == stale.sealed);
        if stale.is_some_and(unchanged) {
            store::secrets::remove(&mut tx, &account.id, refresh).await?;
        }
    }
    // Connected, the account gets its job anew, by what it expires now.
    store::jobs::cancel(&mut tx, &account.id, OAUTH_REFRESH).await?;
    accounts::commit(app, tx, &account.id).await?;
    Ok(true)
}

/// Seals the access token, the refresh token where there is one, and when they expire: in one transaction. What was known of the
/// refresh token's life stays where the provider says nothing of either.
pub(super) async fn store_tokens(
    app: &App,
    tx: &mut Tx,
    account: &Account,
    recipe: &OauthRecipe,
    tokens: Tokens,
    now: At,
) -> store::Result<()> {
    let mut sealed = vec![(recipe.access_token.clone(), tokens.access)];
    let told = tokens.refresh_expires_in.map(|span| now.plus(span));
    if told.is_some() || tokens.refresh.is_some() {
        store::oauth::set_refresh_expiry(tx, &account.id, told).await?;
    }
    if let (Some(name), Some(refresh)) = (&recipe.refresh_token, tokens.refresh) {
        sealed.push((name.clone(), refresh));
    }
    accounts::seal(app, tx, account, &sealed, now).await?;
    store::oauth::set_renewed(tx, &account.id, now).await?;
    store::oauth::set_expiry(tx, &account.id, tokens.expires_in.map(|span| now.plus(span))).await
}

/// Takes a step of connecting with the tokens of the flow.
pub(super) async fn go_on(app: &Arc<App>, flow: &Flow, step_taken: ConnectStep) -> Result<Progress, ApiError> {
    match step(app, flow, step_taken).await {
        Ok(progress) => Ok(progress),
        Err(ending) => end(app, flow, ending).await,
    }
}

async fn step(app: &Arc<App>, flow: &Flow, step: ConnectStep) -> Result<Progress, Ending> {
    let found = store::accounts::find(&app.db, &flow.account_id).await.map_err(|error| Ending::of_step(error.into()))?;
    let Some(account) = found else {
        return Err(Ending::new("account_deleted", "The account was deleted meanwhile.", "Make another one."));
    };
    let account = accounts::try_step(app, &account, step).await.map_err(Ending::of_step)?;
    let is_choice = account.connect_prompt.as_ref().is_some_and(|prompt| prompt.get("kind") == Some(&json!("ask")));
    if is_choice {
        return Ok(Progress::Choice(Box::new(account)));
    }
    let note = Note::new(
        &account,
        LogKind::Oauth,
        LogLevel::Info,
        "oauth_connected",
        "The provider gave access, and the account went on with it.",
    );
    app.logbook.note(note);
    Ok(Progress::Done(Box::new(account)))
}

/// Ends a flow that came to nothing: the tokens from before come back, the account says why, its log has a line.
pub(super) async fn end(app: &App, flow: &Flow, ending: Ending) -> Result<Progress, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    let Some(account) = store::accounts::find(&mut tx, &flow.account_id).await? else { return Ok(Progress::Ended(ending)) };
    // As it is now: tokens may have been set aside meanwhile.
    let Some(flow) = store::oauth::find(&mut tx, &flow.id).await? else { return Ok(Progress::Ended(ending)) };
    if !give_back(app, &mut tx, &account, &flow, &ending.code, now).await? {
        return Ok(Progress::Ended(ending));
    }
    if store::oauth::open_of(&mut tx, &account.id).await?.is_empty() {
        store::jobs::cancel(&mut tx, &account.id, OAUTH_EXPIRE).await?;
        if account.standing.connection == Connection::Authorizing {
            store::accounts::set_connect_progress(&mut tx, &account.id, None, None).await?;
            accounts::stand(app, &mut tx, owner(&account), &standing_after(&flow.stood, &ending), now).await?;
        }
    }
    let note = Note::new(&account, LogKind::Oauth, ending.level, ending.code.clone(), ending.reason.clone());
    app.logbook.note_in(&mut tx, note.detail("user_action", ending.action.clone())).await?;
    accounts::commit(app, tx, &account.id).await?;
    Ok(Progress::Ended(ending))
}

/// An account that was connected is so again; another one says what went wrong.
fn standing_after(stood: &Standing, ending: &Ending) -> Standing {
    let connection = match stood.connection {
        connected if connected.is_connected() => return stood.clone(),
        Connection::NeedsReauth => Connection::NeedsReauth,
        _ => Connection::Unconfigured,
    };
    Standing::because(connection, ending.code.clone(), ending.reason.clone(), ending.action.clone())
}

/// Settles a flow that gave the account nothing: where its tokens were stored, those from before take their place. False where
/// it had ended already.
async fn give_back(app: &App, tx: &mut Tx, account: &Account, flow: &Flow, outcome: &str, now: At) -> store::Result<bool> {
    if !store::oauth::settle(tx, &flow.id, outcome, now).await? {
        return Ok(false);
    }
    let Some(kept) = &flow.kept else { return Ok(true) };
    let manifest = app.plugins.manifest_for(account);
    for name in manifest.as_ref().map(|manifest| manifest.granted_secrets()).unwrap_or_default() {
        store::secrets::remove(tx, &account.id, name).await?;
    }
    for KeptSecret { name, sealed, last4 } in &kept.secrets {
        let sealed =
            hex::decode(sealed).map_err(|error| store::StoreError::Corrupt { column: "oauth_flows.kept", reason: error.to_string() })?;
        store::secrets::put(tx, &account.id, &SealedSecret { name: name.clone(), sealed, last4: last4.clone() }, now).await?;
    }
    store::oauth::set_expiry(tx, &account.id, kept.expires_at.map(At::from_micros)).await?;
    store::oauth::set_refresh_expiry(tx, &account.id, kept.refresh_expires_at.map(At::from_micros)).await?;
    store::jobs::cancel(tx, &account.id, OAUTH_REFRESH).await?;
    Ok(true)
}

/// Ends what is under way, without a word on the account's standing: the caller has one.
pub async fn abandon(app: &App, account: &Account, outcome: &str) -> store::Result<()> {
    let now = app.clock.now();
    if store::oauth::open_of(&app.db, &account.id).await?.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.begin_ordered().await?;
    for flow in store::oauth::open_of(&mut tx, &account.id).await? {
        give_back(app, &mut tx, account, &flow, outcome, now).await?;
    }
    accounts::commit(app, tx, &account.id).await
}

/// The job that ends an authorisation that nobody went on with.
pub async fn expire(app: &App, account: &Account) -> Option<Duration> {
    let now = app.clock.now();
    let open = match store::oauth::open_of(&app.db, &account.id).await {
        Ok(open) => open,
        Err(error) => {
            tracing::error!(account.id = %account.id, %error, "authorisations under way could not be read");
            return Some(STEP_MAX);
        }
    };
    let mut next = None;
    for flow in open {
        // A step that began in time may end.
        let until = if flow.used_at.is_some() { flow.expires_at.plus(STEP_MAX) } else { flow.expires_at };
        if let Some(left) = until.since(now) {
            next = Some(left.saturating_add(Duration::from_secs(1)));
            continue;
        }
        if let Err(error) = end(app, &flow, expired()).await {
            tracing::error!(account.id = %account.id, error = %error.body.message, "an authorisation could not be ended");
            next = Some(STEP_MAX);
        }
    }
    next
}

pub(super) fn expired() -> Ending {
    Ending::new("oauth_expired", "Nobody finished the authorisation in time.", AGAIN)
}

/// Forgets authorisations that ended long ago.
pub async fn sweep(app: &App, now: At) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    store::oauth::prune(&mut tx, now.minus(REMEMBERED)).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_goes_back_to_what_it_was_or_says_what_went_wrong() {
        let ending = Ending::new("oauth_denied", "Denied.", "Begin again.");
        let degraded = Standing::because(Connection::Degraded, "slow", "Slow.", "Wait.");
        assert_eq!(standing_after(&degraded, &ending), degraded);
        let code = |connection: Connection| {
            let after = standing_after(&Standing::plain(connection), &ending);
            (after.connection, after.reason_code)
        };
        let denied = Some("oauth_denied".to_owned());
        assert_eq!(code(Connection::Connected), (Connection::Connected, None));
        assert_eq!(code(Connection::NeedsReauth), (Connection::NeedsReauth, denied.clone()));
        assert_eq!(code(Connection::LoggedOut), (Connection::Unconfigured, denied.clone()));
        assert_eq!(code(Connection::Authorizing), (Connection::Unconfigured, denied));
    }
}
