//! Devices and browsers that take notifications: whom a message reaches, and where to push. Plugins tell of them
//! ([`Happening::Subscription`](crate::domain::event::Happening)); the [`ledger`](crate::ledger) keeps them.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use crate::{
    app::App,
    audit::{self, Deed},
    domain::{
        actor::Actor,
        subscription::{Endpoint, Subscriber},
    },
    ledger::{About, Ledger, Wanted},
    secrets::{DataKey, Keyring, Secret, SecretError},
    store::{self, StoreError, Tx, people::Owner},
    wake::Topic,
};

/// Devices that one message goes to: the last seen ones.
const DEVICES_MAX: u32 = 10;

/// Whom a message to that recipient reaches; the last seen first.
pub async fn reached_by(app: &App, account_id: &str, to: &str) -> store::Result<Vec<Subscriber>> {
    let found = store::subscriptions::reached_by(&app.db, account_id, to, DEVICES_MAX).await?;
    Ok(found.into_iter().map(|found| found.subscriber).collect())
}

/// The same, with where to push.
pub async fn opened(app: &App, account_id: &str, to: &str) -> store::Result<Vec<(Subscriber, Endpoint)>> {
    let mut opened = Vec::new();
    for found in store::subscriptions::reached_by(&app.db, account_id, to, DEVICES_MAX).await? {
        let key = app.keyring.open_data_key(account_id, &found.data_key).map_err(|error| corrupt(&error))?;
        let text = key.open(&name(&found.subscriber.id), &found.sealed).map_err(|error| corrupt(&error))?;
        let endpoint = serde_json::from_str(text.expose())
            .map_err(|_| StoreError::Corrupt { column: "subscriptions.sealed", reason: "it holds no endpoint".to_owned() })?;
        opened.push((found.subscriber, endpoint));
    }
    Ok(opened)
}

/// Seals and stores subscribers; those of an account that was deleted are none any more.
pub async fn put(tx: &mut Tx, keyring: &Keyring, subscribers: &[(&Subscriber, &Endpoint)]) -> store::Result<()> {
    let mut keys: BTreeMap<&str, Option<DataKey>> = BTreeMap::new();
    let mut sealed = Vec::new();
    for (subscriber, endpoint) in subscribers {
        let account_id = subscriber.channel_account_id.as_str();
        if !keys.contains_key(account_id) {
            let account = store::accounts::find(&mut *tx, account_id).await?;
            let key = account.map(|account| keyring.open_data_key(account_id, &account.data_key)).transpose();
            keys.insert(account_id, key.map_err(|error| corrupt(&error))?);
        }
        let Some(Some(key)) = keys.get(account_id) else { continue };
        let text = Secret::new(serde_json::to_string(endpoint).unwrap_or_default());
        sealed.push((*subscriber, key.seal(&name(&subscriber.id), &text).map_err(|error| corrupt(&error))?));
    }
    store::subscriptions::put(tx, &sealed).await
}

/// Forgets a subscriber, and tells of it.
pub async fn forget(app: &App, subscriber: &Subscriber, actor: &Actor) -> store::Result<()> {
    let owner = Owner { organization_id: &subscriber.organization_id, account_id: &subscriber.channel_account_id };
    let mut tx = app.db.begin_ordered().await?;
    let mut wanted = Wanted::default();
    wanted.subscription(owner.account_id, &subscriber.id);
    let mut ledger = Ledger::new(Arc::clone(&app.ids), app.clock.now());
    ledger.load(&mut tx, &wanted).await?;
    let mut page = ledger.page(owner, true, None);
    let forgotten = page.unsubscribe(&subscriber.id);
    page.tell_subscription(&forgotten, None, &About::default());
    ledger.save(&mut tx, &app.keyring).await?;
    let (organization_id, detail) =
        (Some(subscriber.organization_id.as_str()), json!({"channel_account_id": subscriber.channel_account_id}));
    let deed = Deed { action: "subscription.delete", subject_kind: "subscription", subject_id: &subscriber.id, organization_id, detail };
    audit::record(app, &mut tx, actor, deed).await?;
    tx.commit().await?;
    app.wake.tell(Topic::Events);
    Ok(())
}

/// What the bytes are sealed under: those of one subscription don't open as another's.
fn name(id: &str) -> String {
    format!("subscription:{id}")
}

fn corrupt(error: &SecretError) -> StoreError {
    StoreError::Corrupt { column: "subscriptions.sealed", reason: error.to_string() }
}

#[cfg(test)]
mod tests;
