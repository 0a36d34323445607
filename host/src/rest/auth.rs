//! Who calls, and what they may: let in before any handler runs, counted, and told where they stand.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use crate::{
    app::App,
    auth::{self, Credentials, Identity},
    browser,
    domain::{actor::Actor, key::Scope},
    error::ApiError,
};

/// The route that takes its key in the query too: a browser's EventSource sends no headers of its own.
const KEY_IN_QUERY: &str = "/events";

/// The middleware of every route that isn't open: nothing behind it runs for somebody who is nobody, or who asks too often.
pub(super) async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match admitted(&app, &parts).await {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let standing = app.auth.limits.count(&caller.identity.id);
    let mut response = match standing.map_or(Ok(()), |standing| standing.check()) {
        Ok(()) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => error.into_response(),
    };
    if let Some(standing) = standing {
        standing.tell(response.headers_mut());
    }
    response
}

/// The middleware of the operator's routes, behind [`admit`]: nothing of a request is read for anybody else.
pub(super) async fn operate(State(_): State<Arc<App>>, caller: Caller, request: Request, next: Next) -> Response {
    match caller.operates() {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn admitted(app: &Arc<App>, parts: &Parts) -> Result<Caller, ApiError> {
    let in_query = || {
        let query = parts.uri.query().filter(|_| parts.uri.path() == KEY_IN_QUERY)?;
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "apikey").map(|(_, key)| key.into_owned())
    };
    let admitted = Caller::of(app, &Credentials::of(&parts.headers).or(in_query())).await;
    if admitted.as_ref().is_err_and(|error| error.status == StatusCode::UNAUTHORIZED) {
        app.auth.limits.count_failure(browser::caller(&app.config.http.client_ip_header, &parts.headers, &parts.extensions))?;
    }
    admitted
}

/// A caller who proved who it is.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    identity: Identity,
}

impl Caller {
    /// Who shows that.
    ///
    /// # Errors
    /// 401 where it is nobody, or nobody any more.
    pub(super) async fn of(app: &Arc<App>, given: &Credentials) -> Result<Caller, ApiError> {
        Ok(Caller { identity: auth::identify(app, given).await? })
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether what belongs to the organisation is the caller's; of none, it is the operator's.
    pub(super) fn owns(&self, organization_id: Option<&str>) -> bool {
        self.identity.organization_id.as_deref().is_none_or(|own| organization_id == Some(own))
    }

    /// The caller, as the audit log knows it.
    pub(super) fn actor(&self) -> Actor {
        self.identity.actor.clone()
    }

    /// The id of the key, or of the token's subject.
    pub(super) fn id(&self) -> &str {
        &self.identity.id
    }

    /// # Errors
    /// 403 where the caller's scope doesn't include `scope`.
    pub(super) fn may(&self, scope: Scope) -> Result<(), ApiError> {
        self.identity.may(scope)
    }

    /// # Errors
    /// 403 but for the operator: an admin key that belongs to no organisation. Plugins run for all of them.
    pub(super) fn operates(&self) -> Result<(), ApiError> {
        self.may(Scope::Admin)?;
        self.oversees()
    }

    /// # Errors
    /// 403 but for a key of the operator, of whatever scope: what is told is of all organisations.
    pub(super) fn oversees(&self) -> Result<(), ApiError> {
        if self.identity.organization_id.is_none() {
            return Ok(());
        }
        let told = format!("{} belongs to an organisation; this is the operator's.", self.identity.told());
        Err(ApiError::new(StatusCode::FORBIDDEN, "operator_only", told)
            .hint("It takes a key without an organisation: patchbay key new, where the gateway runs."))
    }

    /// Whose Idempotency-Keys the caller's are: its organisation's with that scope, since a kept answer is told without asking what
    /// the caller may; each of the operator's keys has its own.
    pub(super) fn idempotency_owner(&self) -> String {
        match &self.identity.organization_id {
            Some(organization_id) => format!("{organization_id}:{}", self.identity.scope),
            None => format!("key:{}", self.identity.id),
        }
    }

    /// Whether the caller may see what belongs to the organisation.
    pub(super) fn sees(&self, organization_id: &str) -> bool {
        self.identity.organization_id.as_deref().is_none_or(|own| own == organization_id)
    }

    /// Whether the key belongs to no organisation: then it sees what belongs to none, too.
    pub(super) fn sees_all(&self) -> bool {
        self.identity.organization_id.is_none()
    }

    /// The organisation that a list is narrowed to: the key's own, else the one asked for.
    ///
    /// # Errors
    /// 403 where another one than the key's own is asked for.
    pub(super) fn narrow(&self, asked: Option<String>) -> Result<Option<String>, ApiError> {
        match (&self.identity.organization_id, asked) {
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
        match parts.extensions.get::<Caller>() {
            Some(caller) => Ok(caller.clone()),
            None => admitted(app, parts).await,
        }
    }
}
