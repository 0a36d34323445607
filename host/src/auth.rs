//! Who calls: by an API key of the gateway's, or by a token (JWT) of the operator's identity provider. Whoever it is becomes an
//! [`Identity`]: a name, an organisation and a scope; the doors ask no further.
//!
//! Touches: the store, egress (for a provider's keys). Start at [`identify`].

mod jwks;
mod keys;
mod limits;
mod tokens;
mod uses;
mod verifier;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

pub use keys::{KeyChange, Made, NewKey, OVERLAP_MAX, OVERLAP_USUAL, Text, change, create, deed, hash, insert, revoke, rotate};
pub use limits::{Limits, Standing};
pub use tokens::Tokens;

use crate::{
    app::App,
    clock::At,
    domain::{
        actor::{Actor, ActorKind},
        key::{ApiKey, KeyState, Scope},
    },
    error::ApiError,
    store,
};

/// The gateway's parts that know who calls.
pub struct Auth {
    pub tokens: Tokens,
    pub limits: Limits,
    uses: uses::Uses,
}

impl Auth {
    pub fn new(tokens: Tokens, limits: Limits) -> Auth {
        Auth { tokens, limits, uses: uses::Uses::default() }
    }
}

/// Somebody who proved who it is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The id of an API key; of a token, `jwt:` and its subject.
    pub id: String,
    pub actor: Actor,
    /// None: the operator, for all organisations.
    pub organization_id: Option<String>,
    pub scope: Scope,
    /// When an API key ends. Nothing that it makes may outlive it.
    pub expires_at: Option<At>,
}

impl Identity {
    fn of_key(key: ApiKey) -> Identity {
        Identity {
            actor: Actor::key(&key.id, &key.name),
            id: key.id,
            organization_id: key.organization_id,
            scope: key.scope,
            expires_at: key.expires_at,
        }
    }

    /// How a person is told who it is.
    pub fn told(&self) -> String {
        match self.actor.kind {
            ActorKind::Token => format!("The token of “{}”", self.actor.name),
            _ => format!("The key “{}”", self.actor.name),
        }
    }

    /// # Errors
    /// 403 where the scope doesn't include `scope`.
    pub fn may(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scope.includes(scope) {
            return Ok(());
        }
        let hint = match self.actor.kind {
            ActorKind::Token => "The scope comes of the token's role: see auth.jwt.roles.",
            _ => "Make a key with a wider scope: POST /rest/v1/api_keys, or patchbay key new --scope …",
        };
        let told = format!("{} has the scope {}; this needs {scope}.", self.told(), self.scope);
        Err(ApiError::new(StatusCode::FORBIDDEN, "scope", told).hint(hint))
    }
}

/// What a request shows to be let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// `Authorization: Bearer …`
    bearer: Option<String>,
    /// `apikey: …`
    apikey: Option<String>,
}

impl Credentials {
    pub fn of(headers: &HeaderMap) -> Credentials {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION).and_then(|value| {
            let (scheme, key) = value.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
        });
        let apikey = text(HeaderName::from_static("apikey")).map(|key| key.trim().to_owned());
        let given = |text: &String| !text.is_empty();
        Credentials { bearer: bearer.filter(given), apikey: apikey.filter(given) }
    }

    /// With a key from somewhere else, where no header has one.
    #[must_use]
    pub fn or(self, apikey: Option<String>) -> Credentials {
        if self.bearer.is_some() || self.apikey.is_some() { self } else { Credentials { bearer: None, apikey } }
    }
}

/// Who it is. Where both headers come and differ, `Authorization` says who calls and `apikey` has to be valid as well: supabase-js
/// sends the project's key in the one and the user's token in the other.
///
/// # Errors
/// 401 where it is nobody, or nobody any more; 503 where the provider's keys can't be had.
pub async fn identify(app: &Arc<App>, given: &Credentials) -> Result<Identity, ApiError> {
    match (&given.bearer, &given.apikey) {
        (None, None) => Err(nobody("There is no API key and no token.")
            .hint("Send a key as “apikey: pb_…” or “Authorization: Bearer pb_…”. A new one: patchbay key new")),
        (Some(bearer), Some(apikey)) if bearer != apikey => {
            let project = read(app, apikey, Place::Beside).await?;
            let caller = read(app, bearer, Place::Alone).await?.ok_or_else(anonymous)?;
            // The key of an organisation opens no other, whoever's token comes with it.
            let own = project.and_then(|project| project.organization_id);
            if own.is_some() && own != caller.organization_id {
                return Err(unauthorized("unauthorized", "The apikey belongs to another organisation than the token.")
                    .hint("Send the apikey of the token's organisation, or the token alone."));
            }
            Ok(caller)
        }
        (Some(one), _) | (None, Some(one)) => read(app, one, Place::Alone).await?.ok_or_else(anonymous),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It says who calls.
    Alone,
    /// It comes with another that does.
    Beside,
}

/// None: a token of a role that may nothing by itself.
async fn read(app: &Arc<App>, text: &str, place: Place) -> Result<Option<Identity>, ApiError> {
    if tokens::is_token(text) {
        // A project's token needn't be of any organisation.
        return app.auth.tokens.identify(app, text, place == Place::Alone).await;
    }
    let now = app.clock.now();
    let found = store::api_keys::find_by_hash(&app.db, &hash(text)).await?;
    let unknown = || unauthorized("unauthorized", "The API key is unknown.").hint("Make a new one: patchbay key new");
    let store::api_keys::Found { key, by_previous } = found.ok_or_else(unknown)?;
    match key.state(now) {
        KeyState::Revoked => return Err(unauthorized("unauthorized", "The API key was revoked.")),
        KeyState::Expired => return Err(unauthorized("unauthorized", "The API key has expired.")),
        KeyState::Valid => {}
    }
    if by_previous && key.previous.as_ref().is_none_or(|previous| previous.until <= now) {
        return Err(unauthorized("unauthorized", "The API key was rotated, and its text before doesn't work any more.")
            .hint("Use the text that its rotation told, or rotate it again: POST /rest/v1/api_keys/{id}/rotate"));
    }
    app.auth.uses.note(app, &key, now);
    Ok(Some(Identity::of_key(key)))
}

/// 401 with what a client asks by.
fn unauthorized(code: &'static str, message: &str) -> ApiError {
    let mut error = ApiError::new(StatusCode::UNAUTHORIZED, code, message);
    error.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    error
}

fn nobody(message: &str) -> ApiError {
    unauthorized("PGRST302", message)
}

fn anonymous() -> ApiError {
    nobody("Anonymous access is disabled.").hint("Sign in first, and send the user's token; or map the token's role in auth.jwt.roles.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(headers: &[(&'static str, &'static str)]) -> Credentials {
        Credentials::of(&headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect())
    }

    #[test]
    fn a_key_is_taken_from_either_header() {
        let both = credentials(&[("authorization", "bearer  pb_1 "), ("apikey", "pb_2")]);
        assert_eq!((both.bearer.as_deref(), both.apikey.as_deref()), (Some("pb_1"), Some("pb_2")));
        for nothing in [&[][..], &[("authorization", "Basic pb_1")], &[("authorization", "Bearer ")], &[("apikey", " ")]] {
            assert_eq!(credentials(nothing), Credentials::default(), "{nothing:?}");
        }
    }

    #[test]
    fn a_key_from_elsewhere_counts_where_no_header_has_one() {
        let elsewhere = || Some("pb_3".to_owned());
        assert_eq!(credentials(&[]).or(elsewhere()).apikey, elsewhere());
        assert_eq!(credentials(&[("authorization", "Bearer pb_1")]).or(elsewhere()).apikey, None);
    }
}
