//! An app's secrets, opened and sealed.

use std::collections::BTreeMap;

use crate::{
    app::App,
    clock::At,
    domain::provider_app::ProviderApp,
    secrets::{Secret, SecretError},
    store::{self, StoreError, Tx, secrets::SealedSecret},
};

pub const CLIENT_SECRET: &str = "client_secret";
/// Signs webhooks; where it isn't set, the client secret does.
pub const WEBHOOK_SECRET: &str = "webhook_secret";
/// What the provider shows when it asks whether the webhook's URL is ours.
pub const VERIFY_TOKEN: &str = "verify_token";

/// Everything that the gateway keeps for the app, opened.
///
/// # Errors
/// [`StoreError::Corrupt`] where one can't be opened: the master key isn't the one it was sealed under.
pub async fn open_secrets(app: &App, provider_app: &ProviderApp) -> store::Result<BTreeMap<String, Secret>> {
    let sealed = store::apps::secrets(&app.db, &provider_app.id).await?;
    let key = app.keyring.open_data_key(&provider_app.id, &provider_app.data_key).map_err(|error| corrupt(&error))?;
    sealed
        .into_iter()
        .map(|secret| {
            let opened = key.open(&secret.name, &secret.sealed).map_err(|error| corrupt(&error))?;
            Ok((secret.name, opened))
        })
        .collect()
}

/// One of the app's secrets as a manifest names it.
pub fn field<'a>(secrets: &'a BTreeMap<String, Secret>, name: &str) -> Option<&'a Secret> {
    secrets.get(name).or_else(|| if name == WEBHOOK_SECRET { secrets.get(CLIENT_SECRET) } else { None })
}

/// Seals and stores secrets of the app.
pub(super) async fn seal(app: &App, tx: &mut Tx, provider_app: &ProviderApp, secrets: &[(String, Secret)], now: At) -> store::Result<()> {
    let key = app.keyring.open_data_key(&provider_app.id, &provider_app.data_key).map_err(|error| corrupt(&error))?;
    for (name, secret) in secrets {
        let sealed = key.seal(name, secret).map_err(|error| corrupt(&error))?;
        let row = SealedSecret { name: name.clone(), sealed, last4: secret.last4().unwrap_or_default() };
        store::apps::put_secret(tx, &provider_app.id, &row, now).await?;
    }
    Ok(())
}

fn corrupt(error: &SecretError) -> StoreError {
    StoreError::Corrupt { column: "app_secrets.sealed", reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_signed_with_the_client_secret_unless_there_is_another() {
        let mut secrets = BTreeMap::from([(CLIENT_SECRET.to_owned(), Secret::from("client"))]);
        assert_eq!(field(&secrets, WEBHOOK_SECRET), Some(&Secret::from("client")));
        assert_eq!(field(&secrets, VERIFY_TOKEN), None);
        secrets.insert(WEBHOOK_SECRET.to_owned(), Secret::from("webhook"));
        assert_eq!(field(&secrets, WEBHOOK_SECRET), Some(&Secret::from("webhook")));
    }
}
