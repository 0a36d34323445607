//! An account's secrets, opened and sealed.

use std::collections::BTreeMap;

use crate::{
    app::App,
    clock::At,
    domain::account::Account,
    secrets::Secret,
    store::{self, StoreError, Tx, secrets::SealedSecret},
};

/// Everything that the gateway keeps for the account, opened.
///
/// # Errors
/// [`StoreError::Corrupt`] where one can't be opened: the master key isn't the one it was sealed under.
pub async fn open_secrets(app: &App, account: &Account) -> store::Result<BTreeMap<String, Secret>> {
    let sealed = store::secrets::list(&app.db, &account.id).await?;
    if sealed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let key = app.keyring.open_data_key(&account.id, &account.data_key).map_err(|error| corrupt(&error))?;
    sealed
        .into_iter()
        .map(|secret| {
            let opened = key.open(&secret.name, &secret.sealed).map_err(|error| corrupt(&error))?;
            Ok((secret.name, opened))
        })
        .collect()
}

/// Seals and stores secrets of the account.
pub(super) async fn seal(app: &App, tx: &mut Tx, account: &Account, secrets: &[(String, Secret)], now: At) -> store::Result<()> {
    if secrets.is_empty() {
        return Ok(());
    }
    let key = app.keyring.open_data_key(&account.id, &account.data_key).map_err(|error| corrupt(&error))?;
    for (name, secret) in secrets {
        let sealed = key.seal(name, secret).map_err(|error| corrupt(&error))?;
        let row = SealedSecret { name: name.clone(), sealed, last4: secret.last4().unwrap_or_default() };
        store::secrets::put(tx, &account.id, &row, now).await?;
    }
    Ok(())
}

fn corrupt(error: &crate::secrets::SecretError) -> StoreError {
    StoreError::Corrupt { column: "account_secrets.sealed", reason: error.to_string() }
}
