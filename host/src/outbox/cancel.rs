//! Messages taken back before they are sent.

use serde_json::json;

use super::dead_letters::deed;
use crate::{
    app::App,
    audit,
    clock::At,
    domain::{
        account::Account,
        actor::Actor,
        event::EventType,
        failure::{Failure, FailureClass},
        message::{Message, MessageState},
    },
    error::ApiError,
    ledger::{About, Ledger, Wanted},
    store::{self, Tx, people::Owner},
    wake::Topic,
};

/// Takes a message back unless a worker has it.
///
/// # Errors
/// 409 once it is too late.
pub async fn cancel(app: &App, message: Message, actor: &Actor) -> Result<Message, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    if !store::outbox::cancel(&mut tx, &message.id).await? {
        let state = message.state;
        return Err(ApiError::conflict("too_late", format!("The message is {state}: only one that still waits can be cancelled.")));
    }
    let failure = Failure::new(FailureClass::Cancelled, "cancelled", "It was cancelled before it was sent.");
    let owner = Owner { organization_id: &message.organization_id, account_id: &message.channel_account_id };
    let cancelled = set_cancelled(app, &mut tx, owner, std::slice::from_ref(&message.id), &failure, now).await?.pop();
    audit::record(app, &mut tx, actor, deed("message.cancel", &message, json!({}))).await?;
    tx.commit().await?;
    app.wake.tell(Topic::Outbox);
    app.wake.tell(Topic::Events);
    Ok(cancelled.unwrap_or(message))
}

/// Takes back all that the account has waiting.
pub async fn cancel_waiting(app: &App, tx: &mut Tx, account: &Account, failure: &Failure, now: At) -> store::Result<()> {
    let ids = store::outbox::waiting_of_account(&mut *tx, &account.id).await?;
    for id in &ids {
        store::outbox::cancel(tx, id).await?;
    }
    let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
    set_cancelled(app, tx, owner, &ids, failure, now).await?;
    Ok(())
}

async fn set_cancelled(
    app: &App,
    tx: &mut Tx,
    owner: Owner<'_>,
    ids: &[String],
    failure: &Failure,
    now: At,
) -> store::Result<Vec<Message>> {
    let mut wanted = Wanted::default();
    for id in ids {
        wanted.message(owner.account_id, id);
    }
    let mut ledger = Ledger::new(std::sync::Arc::clone(&app.ids), now);
    ledger.load(tx, &wanted).await?;
    let mut page = ledger.page(owner, true, None);
    let mut cancelled = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(known) = page.message(id).cloned() else { continue };
        let message = Message { state: MessageState::Cancelled, failed_at: Some(now), failure: Some(failure.clone()), ..known };
        page.save(message.clone());
        page.tell_message(EventType::MessageFailed, &message, None, &About::default(), None);
        cancelled.push(message);
    }
    ledger.save(tx, &app.keyring).await?;
    Ok(cancelled)
}
