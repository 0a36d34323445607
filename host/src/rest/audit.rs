//! `/rest/v1/audit_log`: who changed what, of an organisation for its own admins; and `/admin/v1/audit`, the same of everything.

use std::sync::Arc;

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract::ListQuery};
use crate::{
    app::App,
    domain::{actor::ActorKind, key::Scope},
    error::ApiError,
    openapi::schemas::answers,
    store::{
        self,
        audit::{Entry, Filter},
    },
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_all))
}

pub(super) fn own_router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

answers!(Entry);

/// List who changed what
///
/// Newest first; `before` is the id of the last one of the page before. For the operator.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "operations",
    operation_id = "list_audit",
    params(
        ("organization_id" = Option<String>, Query),
        ("actor_kind" = Option<String>, Query, description = "Who: `key`, `folder`, `registry`, `configuration` or `system`.", example = "key"),
        ("actor_id" = Option<String>, Query, description = "The key's id.", example = "01a0c0de-0000-7000-8000-000000000002"),
        ("action" = Option<String>, Query, description = "What was done; with a dot at its end, all of that kind.", example = "plugin."),
        ("subject_kind" = Option<String>, Query, description = "To what kind of thing.", example = "plugin_version"),
        ("subject_id" = Option<String>, Query, description = "To which one.", example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("since" = Option<String>, Query),
        ("until" = Option<String>, Query),
        ("before" = Option<String>, Query),
        ("limit" = Option<u32>, Query),
    ),
    responses((status = 200, description = "The changes.", body = Vec<Entry>)),
)]
async fn list_all(state: State<Arc<App>>, caller: Caller, query: ListQuery) -> Result<Json<Vec<Entry>>, ApiError> {
    caller.operates()?;
    list(state, caller, query).await
}

/// List who changed what
///
/// Of the key's organisation, newest first; `before` is the id of the last one of the page before.
#[utoipa::path(
    get,
    path = "/audit_log",
    tag = "operations",
    operation_id = "list_own_audit",
    params(
        ("organization_id" = Option<String>, Query),
        ("actor_kind" = Option<String>, Query, description = "Who: `key`, `folder`, `registry`, `configuration` or `system`.", example = "key"),
        ("actor_id" = Option<String>, Query, description = "The key's id.", example = "01a0c0de-0000-7000-8000-000000000002"),
        ("action" = Option<String>, Query, description = "What was done; with a dot at its end, all of that kind.", example = "plugin."),
        ("subject_kind" = Option<String>, Query, description = "To what kind of thing.", example = "plugin_version"),
        ("subject_id" = Option<String>, Query, description = "To which one.", example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("since" = Option<String>, Query),
        ("until" = Option<String>, Query),
        ("before" = Option<String>, Query),
        ("limit" = Option<u32>, Query),
    ),
    responses((status = 200, description = "The changes.", body = Vec<Entry>)),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, mut query: ListQuery) -> Result<Json<Vec<Entry>>, ApiError> {
    caller.may(Scope::Admin)?;
    let actor_kind: Option<ActorKind> = query.take_word("actor_kind", ActorKind::WORDS)?;
    let filter = Filter {
        organization_id: caller.narrow(query.take("organization_id"))?,
        actor_kind,
        actor_id: query.take("actor_id"),
        action: query.take("action"),
        subject_kind: query.take("subject_kind"),
        subject_id: query.take("subject_id"),
        since: query.take_time("since")?,
        until: query.take_time("until")?,
        before: query.take("before"),
    };
    let known = "organization_id, actor_kind, actor_id, action, subject_kind, subject_id, since, until, before";
    let page = query.finish(known)?;
    if page.offset > 0 {
        return Err(ApiError::bad_request("bad_query", "offset: pages of this list go on with before=<the last id>."));
    }
    Ok(Json(store::audit::list(&app.db, &filter, page.limit).await?))
}
