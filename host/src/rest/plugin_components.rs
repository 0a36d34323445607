//! The component that a request brings: its body, or what its body names in a registry.

use axum::http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    app::App,
    domain::plugin::Source,
    error::ApiError,
    oci::{self, PullError},
    openapi::schemas::requests,
};

requests!(Named);

/// A component in a registry.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PluginReference")]
pub(super) struct Named {
    /// Its registry, repository and tag or digest.
    reference: String,
}

/// The component, and where it came from: of a registry, with the digest that the reference meant.
pub(super) async fn brought(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<(Vec<u8>, Source), ApiError> {
    if body.is_empty() {
        return Err(ApiError::bad_request("no_component", "The body is empty: send the component's bytes.")
            .hint("curl --data-binary @plugin.wasm -H 'content-type: application/wasm' …"));
    }
    let is_json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.starts_with("application/json"));
    if !is_json {
        return Ok((body.to_vec(), Source::upload()));
    }
    let Named { reference } = serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request("not_a_reference", format!("The body names no component: {error}."))
            .hint("As JSON it is {\"reference\": \"registry.example/pigeon:1.2.0\"}; a component itself comes as application/wasm.")
    })?;
    let pulled = oci::pull(app, &reference).await.map_err(|error| refusal(&error))?;
    tracing::info!(reference = %pulled.pinned, bytes = pulled.component.len(), "a plugin was pulled");
    Ok((pulled.component, Source::registry(&pulled.pinned)))
}

fn refusal(error: &PullError) -> ApiError {
    let status = match error {
        PullError::Unreachable { .. } => StatusCode::BAD_GATEWAY,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    ApiError::new(status, "not_pulled", format!("Nothing was pulled: {error}"))
}
