//! Whose signatures count, and what those of a component are worth.

use std::collections::BTreeMap;

use crate::{
    app::App,
    domain::plugin::{SeenSignature, SourceKind},
    signing::{self, Found, PublicKey},
    store,
};

/// The operator's keys, of the database and of the configuration.
#[derive(Debug, Default)]
pub(super) struct Keys {
    trusted: Vec<PublicKey>,
    /// By id: what the operator calls them.
    names: BTreeMap<String, String>,
    revoked: BTreeMap<String, String>,
}

/// Reads the keys. A key that was revoked is worth nothing, even where the configuration still has it.
///
/// # Errors
/// The database failed.
pub(super) async fn keys(app: &App) -> store::Result<Keys> {
    let mut keys = Keys::default();
    for kept in store::plugins::keys::list(&app.db).await? {
        if kept.revoked_at.is_some() {
            keys.revoked.insert(kept.id, kept.name);
        } else {
            keys.add(&kept.name, &kept.public_key);
        }
    }
    for (name, key) in &app.config.plugins.trusted_keys {
        keys.add(name, key);
    }
    Ok(keys)
}

impl Keys {
    fn add(&mut self, name: &str, key: &str) {
        // It was read before it was kept.
        let Ok(key) = PublicKey::parse(key) else { return };
        let id = key.id().to_string();
        if !self.revoked.contains_key(&id) {
            self.names.entry(id).or_insert_with(|| name.to_owned());
            self.trusted.push(key);
        }
    }

    /// Looks at a component's signatures; answers those that it has.
    ///
    /// # Errors
    /// Why it may not come in this way.
    pub(super) fn judge(&self, component: &[u8], unsigned_allowed: bool, by: SourceKind) -> Result<Vec<SeenSignature>, String> {
        let verdict = signing::verify(component, &self.trusted).map_err(|error| error.to_string())?;
        let seen = |found: &Found, trusted: bool| {
            let key_id = found.key_id.to_string();
            let key = self.names.get(&key_id).or_else(|| self.revoked.get(&key_id)).cloned();
            SeenSignature { key, key_id, trusted, comment: found.comment.clone() }
        };
        let signatures: Vec<SeenSignature> =
            verdict.trusted.iter().map(|found| seen(found, true)).chain(verdict.unknown.iter().map(|found| seen(found, false))).collect();
        if verdict.is_trusted() {
            return Ok(signatures);
        }
        if let Some((id, name)) = signatures.iter().find_map(|signature| self.revoked.get_key_value(&signature.key_id)) {
            return Err(format!("it is signed by the key “{name}” ({id}), which was revoked: have it signed by one that is trusted"));
        }
        if unsigned_allowed {
            return Ok(signatures);
        }
        let what = match signatures.first() {
            Some(signature) => format!("its signature is by the key {}, which isn't trusted here", signature.key_id),
            None => "it isn't signed".to_owned(),
        };
        Err(format!(
            "{what}, and plugins.unsigned doesn't have “{by}”: sign it with a trusted key, or trust its key with `patchbay plugin keys add`"
        ))
    }
}

/// What the signatures of a component that came this way are worth now.
///
/// # Errors
/// The database failed; inside, why it may not come in.
pub(super) async fn judge(app: &App, component: &[u8], by: SourceKind) -> store::Result<Result<Vec<SeenSignature>, String>> {
    Ok(keys(app).await?.judge(component, app.config.plugins.unsigned.contains(&by), by))
}
