//! `/admin/v1/plugin_keys`: whose signatures count.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{auth::Caller, extract, extract::ListQuery, to_the_end};
use crate::{
    app::App,
    audit::{self, Deed},
    domain::actor::Actor,
    error::ApiError,
    plugins,
    signing::PublicKey,
    store::{
        self,
        plugins::keys::{self, PluginKey},
    },
};

/// Characters of a name.
const NAME_MAX: usize = 100;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/plugin_keys", get(list).post(add)).route("/plugin_keys/{id}", delete(revoke))
}

/// Those of the database, and those that the configuration has besides.
async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<Value>>, ApiError> {
    caller.operates()?;
    let kept = keys::list(&app.db).await?;
    let mut shown: Vec<Value> = kept.iter().map(|key| render(key, "database")).collect();
    let configured = app.config.plugins.trusted_keys.keys().filter_map(|name| configured(&app, |own, _| own == name));
    shown.extend(configured.filter(|own| kept.iter().all(|key| key.id != own.id)).map(|key| render(&key, "configuration")));
    Ok(Json(shown))
}

fn render(key: &PluginKey, source: &str) -> Value {
    let mut shown = json!(key);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("source".to_owned(), json!(source));
    }
    shown
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    public_key: String,
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    extract::Json(request): extract::Json<NewKey>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
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
    Ok((StatusCode::CREATED, Json(render(&key, "database"))))
}

/// `?reason=…` is kept. What that key alone vouched for is revoked with it.
async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    mut query: ListQuery,
) -> Result<Json<Value>, ApiError> {
    caller.operates()?;
    let reason = query.take("reason").unwrap_or_else(|| "by hand".to_owned());
    query.finish("reason")?;
    let actor = caller.actor();
    let unknown = ApiError::not_found("trusted key", &id).hint("See GET /admin/v1/plugin_keys.");
    to_the_end(&app, |app| async move {
        let configured = configured(&app, |_, own| own == id);
        let taken = plugins::revoke_key(&app, &id, configured.as_ref(), &actor, &reason).await?.ok_or(unknown)?;
        let key = store::plugins::keys::find(&app.db, &id).await?;
        Ok(Json(json!({"key": key, "revoked_versions": taken})))
    })
    .await
}
