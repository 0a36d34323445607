//! A new access token before the old one expires. The job's lease makes it one node's matter; the new tokens are stored before
//! anything uses them.

use std::{sync::Arc, time::Duration};

use super::{
    exchange::{ExchangeError, Registration, Tokens},
    flow,
};
use crate::{
    accounts::{self, HEALTH},
    app::App,
    apps,
    clock::At,
    domain::{
        account::{Account, Connection, Standing},
        log::{LogKind, LogLevel, Note},
    },
    manifest::{Manifest, OauthRecipe},
    secrets::Secret,
    store::{self, jobs::DueJob, people::Owner},
};

/// The wait after the first failure; it doubles with each.
const BACKOFF: Duration = Duration::from_secs(15);
const BACKOFF_MAX: Duration = Duration::from_secs(10 * 60);

/// When the account's token is to be refreshed; none where it isn't the gateway's to refresh.
pub fn refresh_due(manifest: &Manifest, account: &Account) -> Option<At> {
    let recipe = flow::recipe_of(manifest, account).filter(|recipe| recipe.refreshes())?;
    let ahead = Duration::from_secs(u64::from(recipe.refresh_ahead_s?));
    Some(account.oauth_expires_at?.minus(ahead))
}

/// Whether an access token from OAuth is among these.
pub fn holds_token(app: &App, account: &Account, secrets: &[(String, Secret)]) -> bool {
    let Some(manifest) = app.plugins.manifest_for(account) else { return false };
    secrets.iter().any(|(name, _)| manifest.oauth.iter().any(|recipe| recipe.access_token == *name))
}

/// What came of asking for a new token.
enum Asked {
    Tokens(Tokens),
    /// There is nothing to refresh.
    Nothing,
    Failed(ExchangeError),
}

/// The job: answers when it is due again, none for never.
pub async fn refresh(app: &Arc<App>, account: &Account, job: &DueJob) -> Option<Duration> {
    let manifest = app.plugins.manifest_for(account)?;
    let recipe = flow::recipe_of(&manifest, account)?;
    let result = match ask(app, account, &manifest, recipe).await {
        Ok(Asked::Tokens(tokens)) => store_new(app, account, &manifest, recipe, tokens, job).await,
        Ok(Asked::Nothing) => Ok(None),
        Ok(Asked::Failed(error)) => failed(app, account, recipe, error, job).await,
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        tracing::error!(account.id = %account.id, %error, "an access token could not be refreshed");
        Some(BACKOFF)
    })
}

async fn ask(app: &App, account: &Account, manifest: &Manifest, recipe: &OauthRecipe) -> store::Result<Asked> {
    let Some(name) = recipe.refresh_token.as_ref().filter(|_| refresh_due(manifest, account).is_some()) else { return Ok(Asked::Nothing) };
    let provider_app = apps::of_account(app, account.app_id.as_deref()).await?;
    let secrets = accounts::open_secrets(app, account).await?;
    let (Some(refresh), Some(provider_app)) = (secrets.get(name), provider_app) else { return Ok(Asked::Nothing) };
    let settings = accounts::effective_settings(manifest, account, Some(&provider_app));
    let answer = match Registration::of(app, recipe, &settings, &provider_app).await? {
        Ok(registration) => registration.exchange_refresh(&app.egress, &app.oauth_redirect_url(), refresh).await,
        Err(why) => Err(ExchangeError::Malformed(why)),
    };
    Ok(answer.map_or_else(Asked::Failed, Asked::Tokens))
}

/// Access and refresh token in one transaction, by whoever still holds the job.
async fn store_new(
    app: &App,
    account: &Account,
    manifest: &Manifest,
    recipe: &OauthRecipe,
    tokens: Tokens,
    job: &DueJob,
) -> store::Result<Option<Duration>> {
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    // Somebody authorised it anew, or took it away, meanwhile.
    if !store::jobs::is_held(&mut tx, job).await? {
        return Ok(None);
    }
    flow::store_tokens(app, &mut tx, account, recipe, tokens, now).await?;
    let renewed = store::accounts::find(&mut tx, &account.id).await?;
    let note = Note::new(account, LogKind::Oauth, LogLevel::Info, "oauth_refreshed", "The provider gave a new access token.");
    app.logbook.note_in(&mut tx, note).await?;
    // What was found with the old token is looked at again.
    let is_ill = |account: &Account| {
        account.standing.connection == Connection::NeedsReauth || account.health.as_ref().is_some_and(|report| !report.ok)
    };
    if renewed.as_ref().is_some_and(is_ill) {
        store::jobs::hasten(&mut tx, &account.id, HEALTH, now).await?;
    }
    accounts::commit(app, tx, &account.id).await?;
    let due = renewed.and_then(|renewed| refresh_due(manifest, &renewed));
    // One that lives shorter than it is refreshed ahead isn't refreshed all the time.
    Ok(due.map(|due| due.since(now).unwrap_or_default().max(BACKOFF)))
}

async fn failed(app: &App, account: &Account, recipe: &OauthRecipe, error: ExchangeError, job: &DueJob) -> store::Result<Option<Duration>> {
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    if !store::jobs::is_held(&mut tx, job).await? {
        return Ok(None);
    }
    let (reason, is_dead) = match error {
        ExchangeError::Refused { code, text } => {
            let is_dead = code == "invalid_grant" || recipe.dead_codes.contains(&code);
            (format!("The provider gives no new access token: {text} ({code})"), is_dead)
        }
        ExchangeError::Unreachable(why) => (format!("The provider can't be reached for a new access token: {why}"), false),
        ExchangeError::Malformed(why) => (format!("The provider can't be asked for a new access token: {why}"), false),
    };
    let note = |level, code: &str| Note::new(account, LogKind::Oauth, level, code, reason.clone());
    if is_dead {
        let action = "Authorise it again: POST /rest/v1/channel_accounts/{id}/connect";
        let standing = Standing::because(Connection::NeedsReauth, "oauth_refresh_refused", reason.clone(), action);
        let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
        app.logbook.note_in(&mut tx, note(LogLevel::Error, "oauth_refresh_refused")).await?;
        accounts::stand(app, &mut tx, owner, &standing, now).await?;
        accounts::commit(app, tx, &account.id).await?;
        return Ok(None);
    }
    let failures = store::oauth::count_failure(&mut tx, &account.id).await?;
    app.logbook.note_in(&mut tx, note(LogLevel::Warn, "oauth_refresh_failed").detail("failures", failures)).await?;
    tx.commit().await?;
    let wait = backoff(failures);
    let jitter = Duration::from_millis(app.ids.below(u64::try_from(wait.as_millis() / 5).unwrap_or(1)));
    Ok(Some(wait + jitter))
}

fn backoff(failures: i64) -> Duration {
    let doubled = u32::try_from(failures.clamp(1, 10) - 1).unwrap_or_default();
    BACKOFF.saturating_mul(1 << doubled).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_is_bounded() {
        let waits: Vec<u64> = [0, 1, 2, 3, 6, 7, 100, i64::MAX].into_iter().map(|failures| backoff(failures).as_secs()).collect();
        assert_eq!(waits, [15, 15, 30, 60, 480, 600, 600, 600]);
    }
}
