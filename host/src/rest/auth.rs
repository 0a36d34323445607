//! Who calls, and what they may. A key comes in `Authorization: Bearer` or `apikey`; only its hash is kept.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use ring::digest;

use crate::{
    app::App,
    clock::At,
    domain::{
        actor::Actor,
        key::{ApiKey, Scope},
    },
    error::ApiError,
    ids::Ids,
    store,
};

/// What a key looks like: it is known by this in a log or a leak.
const PREFIX: &str = "pb_";
/// Characters of a key that are kept to know it by.
const SHOWN: usize = 9;

/// A caller with a valid key.
pub(super) struct Caller {
    key: ApiKey,
}

impl Caller {
    /// Who holds the key that was given.
    ///
    /// # Errors
    /// 401 where it is none, or not valid any more.
    pub(super) async fn of(app: &App, given: Option<String>) -> Result<Caller, ApiError> {
        let given = given.ok_or_else(|| {
            unauthorized("There is no API key.")
                .hint("Send it as “Authorization: Bearer pb_…” or as “apikey: pb_…”. A new one: patchbay key new")
        })?;
        let key = store::api_keys::find_by_hash(&app.db, &hash_key(&given)).await?;
        let key = key.ok_or_else(|| unauthorized("The API key is unknown.").hint("Make a new one: patchbay key new"))?;
        if key.revoked_at.is_some() {
            return Err(unauthorized("The API key was revoked."));
        }
        if key.expires_at.is_some_and(|expires| expires <= app.clock.now()) {
            return Err(unauthorized("The API key has expired."));
        }
        Ok(Caller { key })
    }

    /// Whether what belongs to the organisation is the caller's; of none, it is the operator's.
    pub(super) fn owns(&self, organization_id: Option<&str>) -> bool {
        self.key.organization_id.as_deref().is_none_or(|own| organization_id == Some(own))
    }

    /// The caller, as the audit log knows it.
    pub(super) fn actor(&self) -> Actor {
        Actor::key(&self.key.id, &self.key.name)
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key.id
    }

    /// # Errors
    /// 403 where the key's scope doesn't include `scope`.
    pub(super) fn may(&self, scope: Scope) -> Result<(), ApiError> {
        if self.key.scope.includes(scope) {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "scope",
            format!("The key “{}” has the scope {}; this needs {scope}.", self.key.name, self.key.scope),
        )
        .hint("Make a key with a wider scope: patchbay key new --scope …"))
    }

    /// # Errors
    /// 403 but for the operator: an admin key that belongs to no organisation. Plugins run for all of them.
    pub(super) fn operates(&self) -> Result<(), ApiError> {
        self.may(Scope::Admin)?;
        match self.key.organization_id {
            None => Ok(()),
            Some(_) => {
                Err(ApiError::new(StatusCode::FORBIDDEN, "operator_only", "The key belongs to an organisation; this is the operator's.")
                    .hint("Make a key without one: patchbay key new"))
            }
        }
    }

    /// # Errors
    /// 403 but for a key of the operator, of whatever scope: what is told is of all organisations.
    pub(super) fn oversees(&self) -> Result<(), ApiError> {
        if self.key.organization_id.is_none() {
            return Ok(());
        }
        Err(ApiError::new(StatusCode::FORBIDDEN, "operator_only", "The key belongs to an organisation; this is the operator's.")
            .hint("Make a key without one: patchbay key new --scope read"))
    }

    /// Whose Idempotency-Keys the caller's are: its organisation's; each of the operator's keys has its own.
    pub(super) fn idempotency_owner(&self) -> String {
        self.key.organization_id.clone().unwrap_or_else(|| format!("key:{}", self.key.id))
    }

    /// Whether the caller may see what belongs to the organisation.
    pub(super) fn sees(&self, organization_id: &str) -> bool {
        self.key.organization_id.as_deref().is_none_or(|own| own == organization_id)
    }

    /// Whether the key belongs to no organisation: then it sees what belongs to none, too.
    pub(super) fn sees_all(&self) -> bool {
        self.key.organization_id.is_none()
    }

    /// The organisation that a list is narrowed to: the key's own, else the one asked for.
    ///
    /// # Errors
    /// 403 where another one than the key's own is asked for.
    pub(super) fn narrow(&self, asked: Option<String>) -> Result<Option<String>, ApiError> {
        match (&self.key.organization_id, asked) {
            (Some(own), Some(asked)) if *own != asked => {
                Err(ApiError::new(StatusCode::FORBIDDEN, "organization", "The key belongs to another organisation."))
            }
            (Some(own), _) => Ok(Some(own.clone())),
            (None, asked) => Ok(asked),
        }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Caller, ApiError> {
        Caller::of(app, given_key(&parts.headers)).await
    }
}

fn unauthorized(message: &str) -> ApiError {
    let mut error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
    error.headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    error
}

pub(super) fn given_key(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| text(header::HeaderName::from_static("apikey"))).map(str::to_owned)
}

/// A key has 192 random bits: a plain hash is enough to keep it.
pub fn hash_key(key: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, key.as_bytes()).as_ref().to_vec()
}

/// Makes a key: what is told once, and what is stored of it.
pub fn new_key(ids: &Ids, name: &str, organization_id: Option<String>, scope: Scope, expires_at: Option<At>, now: At) -> (String, ApiKey) {
    let random: String = ids.bytes::<24>().iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("{PREFIX}{random}");
    let stored = ApiKey {
        id: ids.next(now),
        organization_id,
        name: name.to_owned(),
        prefix: key.chars().take(SHOWN).collect(),
        scope,
        created_at: now,
        expires_at,
        revoked_at: None,
    };
    (key, stored)
}
