//! An endpoint made, changed, deleted.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use url::Url;

use super::keys;
use crate::{
    app::App,
    audit::{self, Deed},
    clock::At,
    domain::{
        actor::Actor,
        endpoint::{Endpoint, EndpointKind, Health, Target, Webhook},
        event::EventType,
        event_types::Selection,
    },
    error::ApiError,
    secrets::Secret,
    store,
    wake::Topic,
};

const ENDPOINTS_MAX: i64 = 50;
const DESCRIPTION_MAX: usize = 500;
/// How long the secret before signs along.
const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// What an endpoint that was inactive is still owed when it is activated again.
const OWED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a client gives to make an endpoint.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEndpoint {
    /// The key's own where it is absent.
    #[serde(default)]
    pub organization_id: Option<String>,
    #[serde(default = "webhook")]
    pub kind: EndpointKind,
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub description: String,
    /// Types and families like `message.*`; empty for all.
    #[serde(default)]
    pub event_types: Vec<String>,
    #[serde(default)]
    pub channel_account_id: Option<String>,
    #[serde(default = "active")]
    pub is_active: bool,
}

fn webhook() -> EndpointKind {
    EndpointKind::Webhook
}

fn active() -> bool {
    true
}

/// What a client may change; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointChange {
    pub url: Option<String>,
    pub description: Option<String>,
    pub event_types: Option<Vec<String>>,
    /// Null for all accounts.
    #[serde(default, deserialize_with = "given")]
    pub channel_account_id: Option<Option<String>>,
    pub is_active: Option<bool>,
}

/// Tells null from nothing at all.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl EndpointChange {
    /// The names of what is to be changed.
    fn fields(&self) -> Vec<&'static str> {
        let given = [
            ("url", self.url.is_some()),
            ("description", self.description.is_some()),
            ("event_types", self.event_types.is_some()),
            ("channel_account_id", self.channel_account_id.is_some()),
            ("is_active", self.is_active.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }
}

pub struct Created {
    pub endpoint: Endpoint,
    /// Told once. None of NATS, which signs nothing.
    pub secret: Option<Secret>,
}

/// Makes an endpoint; it gets what happens from now on.
///
/// # Errors
/// 422 names the bad field; 409 where the organisation has as many as it may.
pub async fn create(app: &App, new: NewEndpoint, actor: &Actor) -> Result<Created, ApiError> {
    check_description(&new.description)?;
    let event_types = select(new.event_types)?;
    let now = app.clock.now();
    let id = app.ids.next(now);
    let (target, secret) = match new.kind {
        EndpointKind::Webhook => {
            if new.organization_id.is_none() {
                return Err(ApiError::invalid_field("/organization_id", "is required"));
            }
            let url = new.url.ok_or_else(|| ApiError::invalid_field("/url", "is required: where the events are posted"))?;
            let url = check_url(app, &url).await?;
            let (secret, keys) = keys::make(&app.keyring, &app.ids, &id).map_err(|error| ApiError::internal(&error))?;
            (Target::Webhook(Webhook { url, keys }), Some(secret))
        }
        EndpointKind::Nats => {
            if new.url.is_some() {
                return Err(ApiError::invalid_field("/url", "is the operator's setting nats.url for an endpoint of the kind nats"));
            }
            if !app.nats.is_configured() {
                return Err(ApiError::invalid_field("/kind", "nats needs the operator's setting nats.url, which is empty"));
            }
            (Target::Nats, None)
        }
    };
    check_account(app, new.organization_id.as_deref(), new.channel_account_id.as_deref()).await?;
    let mut tx = app.db.begin().await?;
    if let Some(organization_id) = &new.organization_id {
        store::organizations::ensure(&mut tx, organization_id, now).await?;
        if store::endpoints::count(&mut tx, organization_id).await? >= ENDPOINTS_MAX {
            return Err(ApiError::conflict("too_many", format!("The organisation has {ENDPOINTS_MAX} endpoints, the most there can be."))
                .hint("Delete one that isn't used any more."));
        }
    }
    let endpoint = Endpoint {
        id,
        organization_id: new.organization_id,
        target,
        description: new.description,
        event_types,
        channel_account_id: new.channel_account_id,
        is_active: new.is_active,
        disabled: None,
        health: Health::default(),
        cursor: store::events::last_seq(&mut tx).await?,
        created_at: now,
        updated_at: now,
    };
    store::endpoints::insert(&mut tx, &endpoint).await?;
    let detail = json!({"kind": endpoint.target.kind(), "event_types": endpoint.event_types, "is_active": endpoint.is_active});
    audit::record(app, &mut tx, actor, deed("endpoint.create", &endpoint, detail)).await?;
    tx.commit().await?;
    Ok(Created { endpoint, secret })
}

/// Changes an endpoint. Activated again, it goes on where it stopped, 7 days back at most.
///
/// # Errors
/// 422 names the bad field; nothing is changed then.
pub async fn update(app: &App, endpoint: &Endpoint, change: EndpointChange, actor: &Actor) -> Result<Endpoint, ApiError> {
    let fields = change.fields();
    let url = match (&change.url, &endpoint.target) {
        (Some(url), Target::Webhook(_)) => Some(check_url(app, url).await?),
        (Some(_), Target::Nats) => return Err(ApiError::invalid_field("/url", "isn't the endpoint's own where its kind is nats")),
        (None, _) => None,
    };
    if let Some(description) = &change.description {
        check_description(description)?;
    }
    let event_types = change.event_types.map(select).transpose()?;
    if let Some(Some(account_id)) = &change.channel_account_id {
        check_account(app, endpoint.organization_id.as_deref(), Some(account_id)).await?;
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    store::endpoints::lock(&mut tx, &endpoint.id).await?;
    // As it stands now: the gateway may have deactivated it meanwhile.
    let mut changed = store::endpoints::find(&mut tx, &endpoint.id).await?.ok_or_else(|| ApiError::not_found("endpoint", &endpoint.id))?;
    if let (Some(url), Target::Webhook(webhook)) = (url, &mut changed.target) {
        webhook.url = url;
    }
    if let Some(description) = change.description {
        changed.description = description;
    }
    if let Some(event_types) = event_types {
        changed.event_types = event_types;
    }
    if let Some(account_id) = change.channel_account_id {
        changed.channel_account_id = account_id;
    }
    changed.updated_at = now;
    match change.is_active {
        Some(true) if !changed.is_active => {
            changed.is_active = true;
            changed.disabled = None;
            changed.health.failing_since = None;
            store::endpoints::update(&mut tx, &changed).await?;
            resume(&mut tx, &changed, now).await?;
        }
        wanted => {
            changed.is_active = wanted.unwrap_or(changed.is_active);
            store::endpoints::update(&mut tx, &changed).await?;
        }
    }
    audit::record(app, &mut tx, actor, deed("endpoint.update", &changed, json!({"fields": fields}))).await?;
    tx.commit().await?;
    app.wake.tell(Topic::Events);
    Ok(changed)
}

async fn resume(tx: &mut store::Tx, endpoint: &Endpoint, now: At) -> store::Result<()> {
    let owed_from = store::events::first_seq_since(&mut *tx, now.minus(OWED)).await?;
    if endpoint.cursor < owed_from - 1 {
        store::endpoints::set_cursor(tx, &endpoint.id, owed_from - 1).await?;
    }
    store::endpoints::deliveries::refresh(tx, &endpoint.id, now).await
}

pub struct Rotated {
    /// Told once.
    pub secret: Secret,
    /// Until when the one before signs along.
    pub previous_until: At,
}

/// Gives the endpoint a new signing secret; for 24 hours the one before signs along.
///
/// # Errors
/// 409 for a kind that signs nothing.
pub async fn rotate(app: &App, endpoint: &Endpoint, actor: &Actor) -> Result<Rotated, ApiError> {
    let Target::Webhook(webhook) = &endpoint.target else {
        return Err(ApiError::conflict("no_secret", "An endpoint of the kind nats signs nothing: the NATS server knows who publishes."));
    };
    let now = app.clock.now();
    let previous_until = now.plus(OVERLAP);
    let (secret, keys) =
        keys::replace(&app.keyring, &app.ids, &endpoint.id, &webhook.keys, previous_until).map_err(|error| ApiError::internal(&error))?;
    let mut tx = app.db.begin().await?;
    store::endpoints::set_keys(&mut tx, &endpoint.id, &keys, now).await?;
    audit::record(app, &mut tx, actor, deed("endpoint.rotate_secret", endpoint, json!({"previous_until": previous_until}))).await?;
    tx.commit().await?;
    Ok(Rotated { secret, previous_until })
}

/// Deletes it with its secrets, its history and what it was still owed.
pub async fn delete(app: &App, endpoint: &Endpoint, actor: &Actor) -> store::Result<()> {
    let mut tx = app.db.begin().await?;
    store::endpoints::lock(&mut tx, &endpoint.id).await?;
    store::endpoints::delete(&mut tx, &endpoint.id).await?;
    audit::record(app, &mut tx, actor, deed("endpoint.delete", endpoint, json!({"description": endpoint.description}))).await?;
    tx.commit().await
}

/// What the audit log is told of an endpoint.
pub(super) fn deed<'a>(action: &'a str, endpoint: &'a Endpoint, detail: Value) -> Deed<'a> {
    Deed { action, subject_kind: "endpoint", subject_id: &endpoint.id, organization_id: endpoint.organization_id.as_deref(), detail }
}

/// The URL as it is kept.
async fn check_url(app: &App, text: &str) -> Result<String, ApiError> {
    let refuse = |why: &str| ApiError::invalid_field("/url", why);
    let url = Url::parse(text).map_err(|_| refuse("is no URL, like https://example.com/patchbay"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(refuse("must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("must hold no user and no password: the signature proves who posts"));
    }
    app.egress.check_url(&url).await.map_err(|why| {
        refuse(&format!("is never dialled: {why}"))
            .hint("Give a public https URL. The operator lets private networks through with egress.allow.")
    })?;
    Ok(url.to_string())
}

fn check_description(text: &str) -> Result<(), ApiError> {
    if text.chars().count() <= DESCRIPTION_MAX {
        return Ok(());
    }
    Err(ApiError::invalid_field("/description", format!("has more than {DESCRIPTION_MAX} characters")))
}

fn select(names: Vec<String>) -> Result<Selection, ApiError> {
    Selection::new(names).map_err(|unknown| {
        ApiError::invalid_field("/event_types", format!("“{unknown}” is no type of event"))
            .hint(format!("There are: {}; and families like message.*", EventType::WORDS.join(", ")))
    })
}

async fn check_account(app: &App, organization_id: Option<&str>, account_id: Option<&str>) -> Result<(), ApiError> {
    let Some(account_id) = account_id else { return Ok(()) };
    let account = store::accounts::find(&app.db, account_id).await?;
    if account.is_some_and(|account| organization_id.is_none_or(|own| own == account.organization_id)) {
        return Ok(());
    }
    Err(ApiError::invalid_field("/channel_account_id", format!("the organisation has no channel account “{account_id}”")))
}
