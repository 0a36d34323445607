//! An account's secrets, opened and sealed.

use std::collections::BTreeMap;

use ring::hmac;

use super::standing::commit;
use crate::{
    app::App,
    apps,
    clock::At,
    domain::{account::Account, provider_app::ProviderApp},
    manifest::{Manifest, Placeholder, PlaceholderSource, SecretSource},
    oauth,
    plugins::Captured,
    secrets::Secret,
    store::{self, StoreError, Tx, secrets::SealedSecret},
};

/// What an account's calls are made with.
pub struct Opened {
    /// The account's own, what its manifest asks of its app, and what is computed from both.
    pub secrets: BTreeMap<String, Secret>,
    pub provider_app: Option<ProviderApp>,
}

/// Opens everything that the gateway keeps for the account.
///
/// # Errors
/// [`StoreError::Corrupt`] where a secret can't be opened: the master key isn't the one it was sealed under.
pub async fn open(app: &App, account: &Account) -> store::Result<Opened> {
    let mut secrets = open_own(app, account).await?;
    let Some(manifest) = app.plugins.manifest_for(account) else { return Ok(Opened { secrets, provider_app: None }) };
    let provider_app = apps::of_account(app, account.app_id.as_deref()).await?;
    if let Some(provider_app) = &provider_app {
        let of_app = apps::open_secrets(app, provider_app).await?;
        for (name, spec) in manifest.secrets.iter().filter(|(_, spec)| spec.from == SecretSource::App) {
            // One that was typed in for this account is its own.
            let given = spec.field.as_deref().and_then(|field| apps::field(&of_app, field));
            if let (Some(secret), false) = (given, secrets.contains_key(name)) {
                secrets.insert(name.clone(), secret.clone());
            }
        }
    }
    derive(&manifest, provider_app.as_ref(), &mut secrets);
    Ok(Opened { secrets, provider_app })
}

/// The secrets of [`open`] alone.
///
/// # Errors
/// As [`open`].
pub async fn open_secrets(app: &App, account: &Account) -> store::Result<BTreeMap<String, Secret>> {
    Ok(open(app, account).await?.secrets)
}

/// Computes the derived secrets anew; one that lacks a part is absent.
pub fn derive(manifest: &Manifest, provider_app: Option<&ProviderApp>, secrets: &mut BTreeMap<String, Secret>) {
    for (name, spec) in manifest.secrets.iter().filter(|(_, spec)| spec.from == SecretSource::Derived) {
        let found = |name: &str| secrets.get(name).filter(|secret| !secret.expose().is_empty());
        let hashed = spec.hmac.as_ref().and_then(|hmac| Some(keyed_hash(found(&hmac.key)?, found(&hmac.of)?)));
        let written = || {
            let value = |placeholder: &Placeholder| match placeholder.source {
                PlaceholderSource::App => provider_app.and_then(|provider_app| provider_app.value(&placeholder.name)),
                PlaceholderSource::Secret => found(&placeholder.name).map(|secret| secret.expose().to_owned()),
                PlaceholderSource::Setting => None,
            };
            spec.text.as_ref().and_then(|text| text.fill(value)).map(Secret::new)
        };
        match hashed.or_else(written) {
            Some(secret) => secrets.insert(name.clone(), secret),
            None => secrets.remove(name),
        };
    }
}

fn keyed_hash(key: &Secret, of: &Secret) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    Secret::new(hex::encode(hmac::sign(&key, of.expose().as_bytes())))
}

/// Seals a value that isn't among the account's secrets, for its eyes alone.
pub fn seal_aside(app: &App, account: &Account, name: &str, value: &Secret) -> store::Result<Vec<u8>> {
    let key = app.keyring.open_data_key(&account.id, &account.data_key).map_err(|error| corrupt(&error))?;
    key.seal(name, value).map_err(|error| corrupt(&error))
}

/// Opens what [`seal_aside`] sealed.
pub fn open_aside(app: &App, account: &Account, name: &str, sealed: &[u8]) -> store::Result<Secret> {
    let key = app.keyring.open_data_key(&account.id, &account.data_key).map_err(|error| corrupt(&error))?;
    key.open(name, sealed).map_err(|error| corrupt(&error))
}

async fn open_own(app: &App, account: &Account) -> store::Result<BTreeMap<String, Secret>> {
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
pub async fn seal(app: &App, tx: &mut Tx, account: &Account, secrets: &[(String, Secret)], now: At) -> store::Result<()> {
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

/// Keeps what a hook lifted out of the provider's answers: the next call on any node has it.
pub async fn keep_captured(app: &App, account: &Account, captured: &Captured) -> store::Result<()> {
    let lifted = captured.all();
    if lifted.is_empty() {
        return Ok(());
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // A deleted account's secrets are erased, and stay so.
    if store::accounts::find(&mut tx, &account.id).await?.is_none() {
        return Ok(());
    }
    seal_lifted(app, &mut tx, account, &lifted, now).await?;
    commit(app, tx, &account.id).await
}

/// The same in the caller's transaction.
pub(super) async fn seal_lifted(app: &App, tx: &mut Tx, account: &Account, lifted: &[(String, Secret)], now: At) -> store::Result<()> {
    seal(app, tx, account, lifted, now).await?;
    if oauth::holds_token(app, account, lifted) {
        // It is another one now, and only the plugin knows how long it lives.
        store::oauth::set_expiry(tx, &account.id, None).await?;
    }
    Ok(())
}

fn corrupt(error: &crate::secrets::SecretError) -> StoreError {
    StoreError::Corrupt { column: "account_secrets.sealed", reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn manifest() -> Manifest {
        let manifest = json!({
            "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": "1.0.0",
            "settings": {"type": "object", "properties": {}},
            "secrets": {
                "token": {"title": "Token", "from": "oauth"},
                "app_secret": {"title": "App secret", "from": "app", "field": "client_secret"},
                "proof": {"title": "Proof", "from": "derived", "hmac": {"key": "app_secret", "of": "token"}},
                "app_token": {"title": "App token", "from": "derived", "text": "{app:client_id}|{secret:app_secret}"},
            },
            "capabilities": {},
        });
        Manifest::from_json(manifest.to_string().as_bytes()).unwrap()
    }

    fn provider_app() -> ProviderApp {
        ProviderApp {
            id: "app".to_owned(),
            name: "App".to_owned(),
            types: vec!["TEST".to_owned()],
            client_id: "77".to_owned(),
            settings: Map::new(),
            data_key: Vec::new(),
            created_at: At::from_micros(0),
            updated_at: At::from_micros(0),
        }
    }

    #[test]
    fn what_is_derived_follows_its_parts() {
        let (manifest, provider_app) = (manifest(), provider_app());
        let mut secrets = BTreeMap::from([("app_secret".to_owned(), Secret::from("sec"))]);
        derive(&manifest, Some(&provider_app), &mut secrets);
        assert!(!secrets.contains_key("proof"), "there is no token yet");
        assert_eq!(secrets["app_token"].expose(), "77|sec");
        secrets.insert("token".to_owned(), Secret::from("PT"));
        derive(&manifest, Some(&provider_app), &mut secrets);
        // A published vector: two libraries agree on it.
        assert_eq!(secrets["proof"].expose(), "2dc6231c9410219be5368f0186a8894992947784254d1eda6a9021cd5164b40c");
        secrets.insert("token".to_owned(), Secret::from("PT2"));
        derive(&manifest, None, &mut secrets);
        assert_ne!(secrets["proof"].expose(), "2dc6231c9410219be5368f0186a8894992947784254d1eda6a9021cd5164b40c");
        assert!(!secrets.contains_key("app_token"), "without an app it can't be computed");
        secrets.remove("token");
        derive(&manifest, None, &mut secrets);
        assert!(!secrets.contains_key("proof"), "what was computed goes with its parts");
    }
}
