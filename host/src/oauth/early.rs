//! A token that dies before its time: the provider refuses it, and a new one may do. The account isn't told to need a person
//! before that was tried.

use std::time::Duration;

use super::flow;
use crate::{
    accounts::OAUTH_REFRESH,
    app::App,
    clock::At,
    domain::{
        account::{Account, Connection},
        failure::{Failure, FailureClass},
        log::{LogKind, LogLevel, Note},
    },
    store::{self, Tx},
};

/// A token that is refused so soon after it was given isn't what is wrong.
const FRESH: Duration = Duration::from_secs(60);
/// Refreshes that failed in a row: then the refusal is told.
const FAILURES_MAX: i64 = 5;

/// Whether the refusal is to be passed over, because the account gets, or just got, a new access token: its refresh is due now.
/// `asked` is the account as it was read before the provider was asked, by which the refused token is known. The transaction has
/// to be an ordered one, and be followed by [`crate::accounts::commit`].
pub async fn renew_early(app: &App, tx: &mut Tx, asked: &Account, failure: &Failure, now: At) -> store::Result<bool> {
    if failure.class != FailureClass::Unauthorized || failure.ended_session() {
        return Ok(false);
    }
    let Some(manifest) = app.plugins.manifest_for(asked) else { return Ok(false) };
    let Some(account) = store::accounts::find(&mut *tx, &asked.id).await? else { return Ok(false) };
    let recipe = flow::recipe_of(&manifest, &account).filter(|recipe| recipe.refreshes());
    let Some(refresh_token) = recipe.and_then(|recipe| recipe.refresh_token.as_ref()) else { return Ok(false) };
    let connection = account.standing.connection;
    let has_use = connection.is_connected() || connection == Connection::Connecting;
    if !has_use || account.app_id.is_none() {
        return Ok(false);
    }
    if !store::secrets::list(&mut *tx, &account.id).await?.iter().any(|secret| secret.name == *refresh_token) {
        return Ok(false);
    }
    // Several are under way when a token dies; the first of them has had it renewed.
    if account.oauth_renewed_at != asked.oauth_renewed_at {
        return Ok(true);
    }
    let is_fresh = account.oauth_renewed_at.and_then(|at| now.since(at)).is_some_and(|since| since < FRESH);
    if is_fresh || store::oauth::failures(&mut *tx, &account.id).await? >= FAILURES_MAX {
        return Ok(false);
    }
    if store::oauth::expire_token(tx, &account.id, now).await? {
        store::jobs::hasten(tx, &account.id, OAUTH_REFRESH, now).await?;
        let text = format!("The provider refuses the access token, so a new one is asked for: {}", failure.message);
        let note = Note::new(&account, LogKind::Oauth, LogLevel::Warn, "oauth_token_refused", text);
        app.logbook.note_in(tx, note).await?;
    } else {
        // It is known to be dead: where the provider couldn't be asked for another, it is asked in a while.
        store::jobs::ensure(tx, &account.id, OAUTH_REFRESH, now).await?;
    }
    Ok(true)
}
