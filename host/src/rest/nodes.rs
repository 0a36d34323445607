//! `/admin/v1/nodes`: the processes that share the database.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use serde::Serialize;

use super::auth::Caller;
use crate::{app::App, domain::node::SeenNode, error::ApiError, nodes::presence, store};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/nodes", get(list))
}

#[derive(Serialize)]
struct ShownNode {
    #[serde(flatten)]
    node: SeenNode,
    /// `live`, or `gone`: no heartbeat for 30 s.
    state: &'static str,
    /// The one that answers.
    answers: bool,
}

async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<ShownNode>>, ApiError> {
    caller.operates()?;
    let now = app.clock.now();
    let show = |node: SeenNode| ShownNode {
        state: if presence::is_gone(&app, &node, now) { "gone" } else { "live" },
        answers: node.node.id == app.node.id,
        node,
    };
    Ok(Json(store::nodes::list(&app.db).await?.into_iter().map(show).collect()))
}
