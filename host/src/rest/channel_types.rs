//! `/rest/v1/channel_types`: what the loaded plugins can do.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{asked::Asked, auth::Caller, lists};
use crate::{app::App, domain::key::Scope, error::ApiError, manifest::Manifest, openapi::schemas::answers, store::tables::CHANNEL_TYPES};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

answers!(ShownType);

/// List the channel types
///
/// What the loaded plugins need and can do.
#[utoipa::path(
    get,
    path = "/channel_types",
    tag = "channel_types",
    operation_id = "list_channel_types",
    responses((status = 200, description = "The types.")),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    caller.may(Scope::Read)?;
    let rows = app.plugins.manifests().iter().map(|manifest| json!(render(&app, manifest))).collect();
    lists::held(&asked, &CHANNEL_TYPES, rows)
}

/// Show a channel type
#[utoipa::path(
    get,
    path = "/channel_types/{type}",
    tag = "channel_types",
    operation_id = "show_channel_type",
    responses((status = 200, description = "What its plugin needs and can do.", body = ShownType)),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(channel_type): Path<String>) -> Result<Json<ShownType>, ApiError> {
    caller.may(Scope::Read)?;
    let manifest = app.plugins.manifest(&channel_type).ok_or_else(|| ApiError::not_found("channel type", &channel_type))?;
    Ok(Json(render(&app, &manifest)))
}

/// What a channel type needs and can do.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelType")]
struct ShownType {
    #[serde(rename = "type")]
    channel_type: String,
    name: String,
    description: String,
    /// An SVG document.
    icon: Option<String>,
    plugin: ShownPlugin,
    /// The JSON Schema of an account's settings.
    settings_schema: Value,
    secrets: Vec<ShownSecret>,
    /// What can be sent and received, and how much of it.
    capabilities: Value,
}

/// The plugin that runs for a type.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelTypePlugin")]
struct ShownPlugin {
    id: String,
    version: String,
    contract: String,
    digest: Option<String>,
    state: PluginState,
    /// Why it can't run.
    reason: Option<String>,
}

/// Whether a plugin runs.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PluginState {
    Running,
    Failed,
}

/// A credential or key that the gateway keeps for an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelTypeSecret")]
struct ShownSecret {
    name: String,
    title: String,
    help: Option<String>,
    /// Where its value comes from: `typed`, `oauth`, `captured`, `generated`, `app`, `derived`.
    from: Value,
    required: bool,
}

fn render(app: &App, manifest: &Manifest) -> ShownType {
    let running = app.plugins.get(&manifest.channel_type);
    let secrets = manifest.secrets.iter().map(|(name, spec)| ShownSecret {
        name: name.clone(),
        title: spec.title.clone(),
        help: spec.help.clone(),
        from: json!(spec.from),
        required: spec.required,
    });
    ShownType {
        channel_type: manifest.channel_type.clone(),
        name: manifest.name.clone(),
        description: manifest.description.clone(),
        icon: manifest.icon.clone(),
        plugin: ShownPlugin {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            contract: manifest.contract.clone(),
            digest: running.as_ref().map(|version| version.digest.clone()),
            state: if running.is_some() { PluginState::Running } else { PluginState::Failed },
            reason: app.plugins.problem(&manifest.channel_type).map(|problem| problem.reason),
        },
        settings_schema: manifest.settings_schema.clone(),
        secrets: secrets.collect(),
        capabilities: json!(manifest.capabilities),
    }
}
