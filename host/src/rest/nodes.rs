//! `/admin/v1/nodes`: the processes that share the database.

use std::sync::Arc;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::auth::Caller;
use crate::{app::App, domain::node::SeenNode, error::ApiError, nodes::presence, openapi::schemas::answers, store};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

answers!(ShownNode);

/// A process that shares the database.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Node")]
struct ShownNode {
    #[serde(flatten)]
    node: SeenNode,
    /// `live`, or `gone`: no heartbeat for 30 s.
    state: &'static str,
    /// The one that answers.
    answers: bool,
}

/// List the nodes
///
/// The processes that share the database, with what each runs. For the operator.
#[utoipa::path(
    get,
    path = "/nodes",
    tag = "operations",
    operation_id = "list_nodes",
    responses((status = 200, description = "All nodes, gone ones too for a while.", body = Vec<ShownNode>)),
)]
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
