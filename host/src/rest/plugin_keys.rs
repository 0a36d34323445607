//! `/admin/v1/plugin_keys`: whose signatures count.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract, extract::ListQuery, to_the_end};
use crate::{
    app::App,
    audit::{self, Deed},
    domain::actor::Actor,
    error::ApiError,
    openapi::schemas::{answers, requests},
    plugins,
    signing::PublicKey,
    store::{
        self,
        plugins::keys::{self, PluginKey},
    },
};

/// Characters of a name.
const NAME_MAX: usize = 100;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(revoke))
}

answers!(ShownKey, Revoked);
requests!(NewKey);

/// A key that is trusted, or was.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TrustedKey")]
struct ShownKey {
    #[serde(flatten)]
    key: PluginKey,
    source: KeySource,
}

/// Where it is written down.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum KeySource {
    Database,
    Configuration,
}

/// List the keys whose signatures count
///
/// Those of the database, and those that the configuration has besides.
#[utoipa::path(
    get,
    path = "/plugin_keys",
    tag = "plugins",
    operation_id = "list_plugin_keys",
    responses((status = 200, description = "All keys, revoked ones too.", body = Vec<ShownKey>)),
)]
async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<ShownKey>>, ApiError> {
    caller.operates()?;
    let kept = keys::list(&app.db).await?;
    let configured = app.config.plugins.trusted_keys.keys().filter_map(|name| configured(&app, |own, _| own == name));
    let besides: Vec<PluginKey> = configured.filter(|own| kept.iter().all(|key| key.id != own.id)).collect();
    let of = |keys: Vec<PluginKey>, source| keys.into_iter().map(move |key| ShownKey { key, source });
    Ok(Json(of(kept, KeySource::Database).chain(of(besides, KeySource::Configuration)).collect()))
}

/// The configuration's key that `wanted` picks by its name and id.
fn configured(app: &App, wanted: impl Fn(&str, &str) -> bool) -> Option<PluginKey> {
    let read = |(name, text): (&String, &String)| {
        let key = PublicKey::parse(text).ok()?;
        let id = key.id().to_string();
        wanted(name, &id).then(|| PluginKey {
            id,
            name: name.clone(),
            public_key: key.to_string(),
            added_at: app.node.started_at,
            added_by: Actor::configuration(),
            revoked_at: None,
            revoked_by: None,
            revoked_reason: None,
        })
    };
    app.config.plugins.trusted_keys.iter().find_map(read)
}

/// A key to trust.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTrustedKey")]
struct NewKey {
    /// What you call it.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// As `patchbay plugin keygen` writes it.
    public_key: String,
}

/// Trust a key
///
/// What it signs counts from now on.
#[utoipa::path(
    post,
    path = "/plugin_keys",
    tag = "plugins",
    operation_id = "add_plugin_key",
    request_body = NewKey,
    responses(
        (status = 201, description = "It is trusted.", body = ShownKey),
        (status = 409, description = "It is trusted already (`key_known`), or was revoked (`key_revoked`)."),
    ),
)]
async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    extract::Json(request): extract::Json<NewKey>,
) -> Result<(StatusCode, Json<ShownKey>), ApiError> {
    caller.operates()?;
    let name = request.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(ApiError::invalid_field("/name", format!("has to have 1 to {NAME_MAX} characters")));
    }
    let public = PublicKey::parse(&request.public_key).map_err(|error| ApiError::invalid_field("/public_key", error.to_string()))?;
    let key = PluginKey {
        id: public.id().to_string(),
        name: name.to_owned(),
        public_key: public.to_string(),
        added_at: app.clock.now(),
        added_by: caller.actor(),
        revoked_at: None,
        revoked_by: None,
        revoked_reason: None,
    };
    let mut tx = app.db.begin().await?;
    if !keys::insert(&mut tx, &key).await? {
        let known = keys::find(&mut tx, &key.id).await?;
        return Err(match known {
            Some(known) if known.revoked_at.is_some() => {
                ApiError::conflict("key_revoked", format!("The key {} was revoked: it stays so.", key.id))
                    .hint("Make another: patchbay plugin keygen")
            }
            Some(known) => ApiError::conflict("key_known", format!("The key {} is trusted already, as “{}”.", key.id, known.name)),
            None => ApiError::conflict("overtaken", "The key was changed meanwhile: try again."),
        });
    }
    let detail = json!({"name": key.name, "public_key": key.public_key});
    let deed = Deed { action: "plugin_key.add", subject_kind: "plugin_key", subject_id: &key.id, organization_id: None, detail };
    audit::record(&app, &mut tx, &key.added_by, deed).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(ShownKey { key, source: KeySource::Database })))
}

/// A key that is trusted no more.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RevokedKey")]
struct Revoked {
    key: Option<PluginKey>,
    /// Digests of the versions that it alone vouched for.
    revoked_versions: Vec<String>,
}

/// Revoke a key
///
/// What that key alone vouched for is revoked with it.
#[utoipa::path(
    delete,
    path = "/plugin_keys/{id}",
    tag = "plugins",
    operation_id = "revoke_plugin_key",
    params(("reason" = Option<String>, Query, description = "Why; it is kept.", example = "lost")),
    responses((status = 200, description = "The key, and what went with it.", body = Revoked)),
)]
async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    mut query: ListQuery,
) -> Result<Json<Revoked>, ApiError> {
    caller.operates()?;
    let reason = query.take("reason").unwrap_or_else(|| "by hand".to_owned());
    query.finish("reason")?;
    let actor = caller.actor();
    let unknown = ApiError::not_found("trusted key", &id).hint("See GET /admin/v1/plugin_keys.");
    to_the_end(&app, |app| async move {
        let configured = configured(&app, |_, own| own == id);
        let revoked_versions = plugins::revoke_key(&app, &id, configured.as_ref(), &actor, &reason).await?.ok_or(unknown)?;
        let key = store::plugins::keys::find(&app.db, &id).await?;
        Ok(Json(Revoked { key, revoked_versions }))
    })
    .await
}
