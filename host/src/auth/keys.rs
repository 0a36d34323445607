//! API keys made, changed, rotated, revoked: by whoever may, and never into more than whoever makes them has.

use std::time::Duration;

use axum::http::StatusCode;
use ring::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::Identity;
use crate::{
    app::App,
    audit::{self, Deed},
    clock::At,
    domain::{
        actor::ActorKind,
        key::{ApiKey, KeyState, Scope},
        organization,
    },
    error::ApiError,
    ids::Ids,
    secrets::Secret,
    store::{self, Tx},
};

/// What a key looks like: it is known by this in a log or a leak.
const PREFIX: &str = "pb_";
/// Characters of a key that are kept to know it by.
const SHOWN: usize = 9;
const NAME_MAX: usize = 100;
/// Keys of an organisation that open something at the same time.
const KEYS_MAX: i64 = 200;
/// How long the text before a rotation works, unless whoever rotates says otherwise; and at most.
pub const OVERLAP_USUAL: Duration = Duration::from_secs(24 * 3600);
pub const OVERLAP_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// A key's text and what is kept of it.
pub struct Text {
    /// Told once.
    pub text: Secret,
    pub hash: Vec<u8>,
    pub prefix: String,
}

impl Text {
    pub fn make(ids: &Ids) -> Text {
        let random: String = ids.bytes::<24>().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{PREFIX}{random}");
        Text { hash: hash(&text), prefix: text.chars().take(SHOWN).collect(), text: Secret::new(text) }
    }
}

/// A key has 192 random bits: a plain hash is enough to keep it.
pub fn hash(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec()
}

/// What a client gives to make a key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewApiKey")]
pub struct NewKey {
    pub name: String,
    pub scope: Scope,
    /// The maker's own where it is absent. The operator says whose, or null for a key of its own.
    #[serde(default, deserialize_with = "given")]
    pub organization_id: Option<Option<String>>,
    /// It works for ever without.
    #[serde(default)]
    pub expires_at: Option<At>,
}

/// What a client may change; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApiKeyChange")]
pub struct KeyChange {
    pub name: Option<String>,
    /// Null: for ever.
    #[serde(default, deserialize_with = "given")]
    pub expires_at: Option<Option<At>>,
}

/// Tells null from nothing at all.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A key, with its text that is told once.
pub struct Made {
    pub key: ApiKey,
    pub text: Secret,
}

/// Stores a new key.
///
/// # Errors
/// The database failed.
pub async fn insert(
    tx: &mut Tx,
    ids: &Ids,
    name: &str,
    organization_id: Option<&str>,
    scope: Scope,
    expires_at: Option<At>,
    now: At,
) -> store::Result<Made> {
    let made = Text::make(ids);
    let key = ApiKey {
        id: ids.next(now),
        organization_id: organization_id.map(str::to_owned),
        name: name.to_owned(),
        prefix: made.prefix,
        scope,
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
        rotated_at: None,
        previous: None,
    };
    if let Some(organization_id) = organization_id {
        store::organizations::ensure(tx, organization_id, now).await?;
    }
    store::api_keys::insert(tx, &key, &made.hash).await?;
    Ok(Made { key, text: made.text })
}

/// Makes a key.
///
/// # Errors
/// 403 where it would have more than its maker, 422 names a bad field; nothing is stored then.
pub async fn create(app: &App, maker: &Identity, new: NewKey) -> Result<Made, ApiError> {
    maker.may(Scope::Admin)?;
    maker.may(new.scope)?;
    let name = checked_name(&new.name)?;
    let organization_id = owner(maker, new.organization_id)?;
    let now = app.clock.now();
    // Where its maker ends and nothing is said, it ends with it.
    let expires_at = new.expires_at.or(maker.expires_at);
    check_expiry(maker, expires_at, now)?;
    let mut tx = app.db.begin().await?;
    if store::api_keys::count_valid(&mut tx, organization_id.as_deref(), now).await? >= KEYS_MAX {
        return Err(ApiError::conflict("too_many", format!("There are {KEYS_MAX} keys already, the most there can be."))
            .hint("Revoke those that nobody uses: GET /rest/v1/api_keys tells when each was last used."));
    }
    let made = insert(&mut tx, &app.ids, name, organization_id.as_deref(), new.scope, expires_at, now).await?;
    let detail = json!({"name": made.key.name, "scope": made.key.scope, "expires_at": expires_at});
    audit::record(app, &mut tx, &maker.actor, deed("api_key.create", &made.key, detail)).await?;
    tx.commit().await?;
    Ok(made)
}

fn owner(maker: &Identity, asked: Option<Option<String>>) -> Result<Option<String>, ApiError> {
    match (&maker.organization_id, asked) {
        (Some(own), None) => Ok(Some(own.clone())),
        (Some(own), Some(asked)) if asked.as_ref() == Some(own) => Ok(asked),
        (Some(_), Some(_)) => {
            Err(ApiError::new(StatusCode::FORBIDDEN, "organization", "A key of an organisation makes keys of that organisation alone.")
                .hint("Leave organization_id out."))
        }
        (None, Some(Some(asked))) if !organization::is_id(&asked) => {
            Err(ApiError::invalid_field("/organization_id", organization::ID_RULE))
        }
        (None, Some(asked)) => Ok(asked),
        (None, None) => Err(ApiError::invalid_field("/organization_id", "is required: whose key it is")
            .hint("null makes a key of the operator's, which opens all organisations.")),
    }
}

/// Renames a key, or says when it ends.
///
/// # Errors
/// 422 names a bad field, 409 where it was revoked; nothing is changed then.
pub async fn change(app: &App, maker: &Identity, id: &str, change: KeyChange) -> Result<ApiKey, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let mut key = live(&mut tx, id).await?;
    let mut fields = Vec::new();
    if let Some(name) = &change.name {
        checked_name(name)?.clone_into(&mut key.name);
        fields.push("name");
    }
    if let Some(expires_at) = change.expires_at {
        check_expiry(maker, expires_at, now)?;
        key.expires_at = expires_at;
        fields.push("expires_at");
    }
    store::api_keys::update(&mut tx, &key).await?;
    let detail = json!({"fields": fields, "expires_at": key.expires_at});
    audit::record(app, &mut tx, &maker.actor, deed("api_key.update", &key, detail)).await?;
    tx.commit().await?;
    Ok(key)
}

/// Gives a key a new text at once; the one before works for the overlap. What was bound to the key stays.
///
/// # Errors
/// 409 where it opens nothing any more, 422 for an overlap that is too long.
pub async fn rotate(app: &App, maker: &Identity, id: &str, overlap: Duration) -> Result<Made, ApiError> {
    if overlap > OVERLAP_MAX {
        let most = OVERLAP_MAX.as_secs();
        return Err(ApiError::invalid_field("/overlap_s", format!("is more than {most} seconds, which are 7 days")));
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let key = live(&mut tx, id).await?;
    if key.state(now) == KeyState::Expired {
        return Err(ApiError::conflict("expired", "The key has expired: a new text would open nothing.")
            .hint("Set when it ends first: PATCH /rest/v1/api_keys/{id} with expires_at."));
    }
    let made = Text::make(&app.ids);
    let until = now.plus(overlap);
    store::api_keys::rotate(&mut tx, id, &made.hash, &made.prefix, until, now).await?;
    let rotated = store::api_keys::find(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("API key", id))?;
    let detail = json!({"previous_until": until});
    audit::record(app, &mut tx, &maker.actor, deed("api_key.rotate", &rotated, detail)).await?;
    tx.commit().await?;
    Ok(Made { key: rotated, text: made.text })
}

/// Makes a key worthless at once, with the text that it had before.
///
/// # Errors
/// 409 where it was revoked already.
pub async fn revoke(app: &App, maker: &Identity, id: &str) -> Result<(), ApiError> {
    let mut tx = app.db.begin().await?;
    let key = live(&mut tx, id).await?;
    store::api_keys::revoke(&mut tx, id, app.clock.now()).await?;
    audit::record(app, &mut tx, &maker.actor, deed("api_key.revoke", &key, json!({"name": key.name}))).await?;
    Ok(tx.commit().await?)
}

/// What the audit log is told of a key.
pub fn deed<'a>(action: &'a str, key: &'a ApiKey, detail: serde_json::Value) -> Deed<'a> {
    Deed { action, subject_kind: "api_key", subject_id: &key.id, organization_id: key.organization_id.as_deref(), detail }
}

async fn live(tx: &mut Tx, id: &str) -> Result<ApiKey, ApiError> {
    let key = store::api_keys::find(tx, id).await?.ok_or_else(|| ApiError::not_found("API key", id))?;
    if key.revoked_at.is_some() {
        return Err(ApiError::conflict("revoked", "The key was revoked: it stays so.").hint("Make another: POST /rest/v1/api_keys"));
    }
    Ok(key)
}

fn checked_name(name: &str) -> Result<&str, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(ApiError::invalid_field("/name", format!("has to have 1 to {NAME_MAX} characters: what the key is for")));
    }
    Ok(name)
}

/// A key that ends would go on for ever through another one, if that could outlive it.
fn check_expiry(maker: &Identity, expires_at: Option<At>, now: At) -> Result<(), ApiError> {
    if expires_at.is_some_and(|expires| expires <= now) {
        return Err(
            ApiError::invalid_field("/expires_at", "lies in the past").hint("To end a key now, revoke it: DELETE /rest/v1/api_keys/{id}")
        );
    }
    let bound = maker.expires_at.filter(|_| maker.actor.kind == ActorKind::Key);
    if let Some(bound) = bound
        && expires_at.is_none_or(|expires| expires > bound)
    {
        return Err(ApiError::invalid_field("/expires_at", format!("has to be {bound} at the latest: then the key ends that asks for it"))
            .hint("Ask with a key that lasts longer."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Actor;

    fn maker(organization_id: Option<&str>, expires_at: Option<At>) -> Identity {
        Identity {
            id: "k".to_owned(),
            actor: Actor::key("k", "mine"),
            organization_id: organization_id.map(str::to_owned),
            scope: Scope::Admin,
            expires_at,
        }
    }

    #[test]
    fn a_text_is_kept_as_a_hash_and_known_by_its_beginning() {
        let made = Text::make(&Ids::default());
        let text = made.text.expose();
        assert!(text.len() == 51 && text.starts_with(&made.prefix) && made.prefix.len() == SHOWN, "{text}");
        assert_eq!(made.hash, hash(text));
        assert_ne!(Text::make(&Ids::default()).hash, made.hash);
    }

    #[test]
    fn an_organisation_makes_keys_for_itself_alone_and_the_operator_says_for_whom() {
        let own = maker(Some("a"), None);
        assert_eq!(owner(&own, None).unwrap().as_deref(), Some("a"));
        assert_eq!(owner(&own, Some(Some("a".to_owned()))).unwrap().as_deref(), Some("a"));
        for foreign in [None, Some("b".to_owned())] {
            assert_eq!(owner(&own, Some(foreign)).unwrap_err().status, StatusCode::FORBIDDEN);
        }
        let operator = maker(None, None);
        assert_eq!(owner(&operator, Some(None)).unwrap(), None);
        assert_eq!(owner(&operator, Some(Some("b".to_owned()))).unwrap().as_deref(), Some("b"));
        assert_eq!(owner(&operator, None).unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn a_key_that_ends_makes_none_that_outlives_it() {
        let [past, now, soon, late] = [0, 1, 2, 3].map(At::from_micros);
        let short = maker(None, Some(soon));
        assert!(check_expiry(&short, Some(soon), now).is_ok());
        assert!(check_expiry(&short, Some(late), now).is_err() && check_expiry(&short, None, now).is_err());
        assert!(check_expiry(&maker(None, None), None, now).is_ok());
        assert!(check_expiry(&maker(None, None), Some(past), now).is_err());
    }
}
