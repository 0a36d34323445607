//! `/rest/v1/audit_log`: who changed what, of an organisation for its own admins; and `/admin/v1/audit`, the same of everything.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};

use super::{auth::Caller, extract::ListQuery};
use crate::{
    app::App,
    domain::{actor::ActorKind, key::Scope},
    error::ApiError,
    store::{
        self,
        audit::{Entry, Filter},
    },
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/audit", get(list_all))
}

pub(super) fn own_router() -> Router<Arc<App>> {
    Router::new().route("/audit_log", get(list))
}

async fn list_all(state: State<Arc<App>>, caller: Caller, query: ListQuery) -> Result<Json<Vec<Entry>>, ApiError> {
    caller.operates()?;
    list(state, caller, query).await
}

/// Newest first; `before` is the id of the last one of the page before. `action=plugin.` is all of that kind.
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
