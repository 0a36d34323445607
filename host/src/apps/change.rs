//! An app made, changed, deleted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::vault::{self, CLIENT_SECRET, VERIFY_TOKEN, WEBHOOK_SECRET};
use crate::{
    app::App,
    audit::{self, Deed},
    domain::{
        actor::Actor,
        failure::FieldProblem,
        provider_app::{ProviderApp, as_text},
    },
    error::ApiError,
    secrets::{Secret, generate},
    store,
};

const NAME_MAX: usize = 200;
const TEXT_MAX: usize = 4096;
/// Characters of a verify token that the gateway makes.
const VERIFY_TOKEN_LEN: usize = 32;
/// Secrets that have a field of their own.
const OWN_FIELDS: &[&str] = &[CLIENT_SECRET, WEBHOOK_SECRET, VERIFY_TOKEN];

/// What the operator gives to make an app.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApp {
    pub name: String,
    /// The channel types that it serves.
    pub types: Vec<String>,
    pub client_id: String,
    pub client_secret: String,
    /// The client secret where it is absent.
    #[serde(default)]
    pub webhook_secret: Option<String>,
    /// Made where it is absent.
    #[serde(default)]
    pub verify_token: Option<String>,
    /// Plain values for plugins and recipes.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// More secrets, which manifests name.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

/// What the operator may change; what is absent stays.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppChange {
    pub name: Option<String>,
    pub types: Option<Vec<String>>,
    pub client_id: Option<String>,
    /// As it is shown (`{"set": true, …}`), it stays.
    #[serde(default, deserialize_with = "given")]
    pub client_secret: Option<Value>,
    /// Null takes it away: the client secret signs.
    #[serde(default, deserialize_with = "given")]
    pub webhook_secret: Option<Value>,
    pub verify_token: Option<String>,
    /// Merged into what stands: null takes a setting away.
    pub settings: Option<Map<String, Value>>,
    /// Merged into what stands: null takes a secret away.
    pub secrets: Option<BTreeMap<String, Value>>,
}

impl AppChange {
    /// The names of what is to be changed: of settings and secrets too, never a value.
    fn fields(&self) -> Vec<String> {
        let given = [
            ("name", self.name.is_some()),
            ("types", self.types.is_some()),
            ("client_id", self.client_id.is_some()),
            (CLIENT_SECRET, self.client_secret.is_some()),
            (WEBHOOK_SECRET, self.webhook_secret.is_some()),
            (VERIFY_TOKEN, self.verify_token.is_some()),
        ];
        let settings = self.settings.iter().flat_map(Map::keys).map(|name| format!("settings.{name}"));
        let secrets = self.secrets.iter().flat_map(BTreeMap::keys).map(|name| format!("secrets.{name}"));
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name.to_owned()).chain(settings).chain(secrets).collect()
    }
}

/// Tells null from nothing at all.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What is wrong, field by field.
#[derive(Default)]
struct Problems(Vec<FieldProblem>);

impl Problems {
    fn check(&mut self, right: bool, pointer: &str, message: impl Into<String>) {
        if !right {
            self.0.push(FieldProblem::new(pointer, message));
        }
    }

    fn done(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.0)) }
    }

    fn text(&mut self, text: &str, pointer: &str) {
        self.check(!text.trim().is_empty(), pointer, "is empty");
        self.check(text.len() <= TEXT_MAX, pointer, format!("has more than {TEXT_MAX} bytes"));
    }

    fn name(&mut self, name: &str) {
        self.check(!name.trim().is_empty(), "/name", "is empty");
        self.check(name.chars().count() <= NAME_MAX, "/name", format!("has more than {NAME_MAX} characters"));
    }

    fn types(&mut self, app: &App, types: &[String]) {
        self.check(!types.is_empty(), "/types", "names at least one channel type");
        let known = app.plugins.type_names();
        for (n, channel_type) in types.iter().enumerate() {
            let there_are = || if known.is_empty() { "none: no plugin is installed".to_owned() } else { known.join(", ") };
            let is_known = known.contains(channel_type);
            self.check(is_known, &format!("/types/{n}"), format!("there is no channel type “{channel_type}”; there are: {}", there_are()));
            self.check(!types.iter().take(n).any(|other| other == channel_type), &format!("/types/{n}"), "is named twice");
        }
    }

    fn settings(&mut self, settings: &Map<String, Value>) {
        for (name, value) in settings {
            let pointer = format!("/settings/{name}");
            self.check(is_field_name(name), &pointer, "is named with 1 to 40 lower case letters, digits and underscores");
            self.check(name != "client_id", &pointer, "has a field of its own");
            let plain = value.is_null() || as_text(value).is_some_and(|text| text.len() <= TEXT_MAX);
            self.check(plain, &pointer, "must be text, a number or a boolean");
        }
    }

    fn secret_name(&mut self, name: &str) {
        let pointer = format!("/secrets/{name}");
        self.check(is_field_name(name), &pointer, "is named with 1 to 40 lower case letters, digits and underscores");
        self.check(!OWN_FIELDS.contains(&name), &pointer, "has a field of its own");
    }
}

fn is_field_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 40 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(rest)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.trim().to_owned())
}

/// Makes an app.
///
/// # Errors
/// 422 names each bad field; nothing is stored then.
pub async fn create(app: &App, new: NewApp, actor: &Actor) -> Result<ProviderApp, ApiError> {
    let mut problems = Problems::default();
    problems.name(&new.name);
    problems.types(app, &new.types);
    problems.text(&new.client_id, "/client_id");
    problems.text(&new.client_secret, "/client_secret");
    for (text, pointer) in [(&new.webhook_secret, "/webhook_secret"), (&new.verify_token, "/verify_token")] {
        if let Some(text) = text {
            problems.text(text, pointer);
        }
    }
    problems.settings(&new.settings);
    for (name, text) in &new.secrets {
        problems.secret_name(name);
        problems.text(text, &format!("/secrets/{name}"));
    }
    problems.done()?;

    let verify_token = match &new.verify_token {
        Some(text) => secret(text),
        None => generate(VERIFY_TOKEN_LEN).map_err(|error| ApiError::internal(&error))?,
    };
    let mut secrets = vec![(CLIENT_SECRET.to_owned(), secret(&new.client_secret)), (VERIFY_TOKEN.to_owned(), verify_token)];
    secrets.extend(new.webhook_secret.iter().map(|text| (WEBHOOK_SECRET.to_owned(), secret(text))));
    secrets.extend(new.secrets.iter().map(|(name, text)| (name.clone(), secret(text))));
    let now = app.clock.now();
    let id = app.ids.next(now);
    let (data_key, _) = app.keyring.new_data_key(&id).map_err(|error| ApiError::internal(&error))?;
    let mut settings = new.settings;
    settings.retain(|_, value| !value.is_null());
    let provider_app = ProviderApp {
        id,
        name: new.name.trim().to_owned(),
        types: new.types,
        client_id: new.client_id.trim().to_owned(),
        settings,
        data_key,
        created_at: now,
        updated_at: now,
    };
    let mut tx = app.db.begin().await?;
    store::apps::insert(&mut tx, &provider_app).await?;
    vault::seal(app, &mut tx, &provider_app, &secrets, now).await?;
    let detail = json!({"name": provider_app.name, "types": provider_app.types});
    audit::record(app, &mut tx, actor, deed("app.create", &provider_app.id, detail)).await?;
    tx.commit().await?;
    Ok(provider_app)
}

/// Changes an app. Its accounts go on with what it says now.
///
/// # Errors
/// 422 names each bad field, 409 a type that accounts still use; nothing is changed then.
pub async fn update(app: &App, id: &str, change: AppChange, actor: &Actor) -> Result<ProviderApp, ApiError> {
    let now = app.clock.now();
    let fields = change.fields();
    let mut tx = app.db.begin().await?;
    let mut updated = store::apps::find(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("app", id))?;
    let mut problems = Problems::default();
    if let Some(name) = change.name {
        problems.name(&name);
        name.trim().clone_into(&mut updated.name);
    }
    if let Some(types) = change.types {
        problems.types(app, &types);
        updated.types = types;
    }
    if let Some(client_id) = change.client_id {
        problems.text(&client_id, "/client_id");
        client_id.trim().clone_into(&mut updated.client_id);
    }
    if let Some(settings) = change.settings {
        problems.settings(&settings);
        updated.settings.extend(settings);
        updated.settings.retain(|_, value| !value.is_null());
    }
    let mut changes: Vec<(String, String, Value)> = Vec::new();
    let own = [
        (CLIENT_SECRET, change.client_secret),
        (WEBHOOK_SECRET, change.webhook_secret),
        (VERIFY_TOKEN, change.verify_token.map(Value::from)),
    ];
    changes.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), format!("/{name}"), value?))));
    for (name, value) in change.secrets.unwrap_or_default() {
        problems.secret_name(&name);
        changes.push((name.clone(), format!("/secrets/{name}"), value));
    }
    let (mut sealed, mut removed) = (Vec::new(), Vec::new());
    for (name, pointer, value) in changes {
        match value {
            Value::String(text) => {
                problems.text(&text, &pointer);
                sealed.push((name, secret(&text)));
            }
            Value::Null => {
                problems.check(name != CLIENT_SECRET, &pointer, "can't be taken away");
                removed.push(name);
            }
            Value::Object(hint) if hint.contains_key("set") => {}
            _ => problems.check(false, &pointer, "must be text"),
        }
    }
    problems.done()?;
    for (channel_type, accounts) in store::apps::accounts_by_type(&mut tx, id).await? {
        if !updated.serves(&channel_type) {
            return Err(ApiError::conflict("app_in_use", format!("The app is used by {} of {channel_type}.", counted(accounts)))
                .hint("Move them to another app first: PATCH /rest/v1/channel_accounts/{id} with app_id."));
        }
    }
    updated.updated_at = now;
    store::apps::update(&mut tx, &updated).await?;
    vault::seal(app, &mut tx, &updated, &sealed, now).await?;
    for name in &removed {
        store::apps::remove_secret(&mut tx, id, name).await?;
    }
    audit::record(app, &mut tx, actor, deed("app.update", id, json!({"fields": fields}))).await?;
    tx.commit().await?;
    // Every node remembers accounts with what their app gave them.
    app.wake.all_accounts_changed();
    Ok(updated)
}

/// Deletes an app that no account uses; its secrets go at once.
///
/// # Errors
/// 409 tells how many accounts use it.
pub async fn delete(app: &App, id: &str, actor: &Actor) -> Result<(), ApiError> {
    let mut tx = app.db.begin().await?;
    let found = store::apps::find(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("app", id))?;
    let using: i64 = store::apps::accounts_by_type(&mut tx, id).await?.iter().map(|(_, accounts)| accounts).sum();
    if using > 0 {
        return Err(ApiError::conflict("app_in_use", format!("The app is used by {}.", counted(using)))
            .hint("Delete them, or move them to another app: PATCH /rest/v1/channel_accounts/{id} with app_id."));
    }
    store::apps::delete(&mut tx, id, app.clock.now()).await?;
    audit::record(app, &mut tx, actor, deed("app.delete", id, json!({"name": found.name}))).await?;
    tx.commit().await?;
    app.wake.all_accounts_changed();
    Ok(())
}

/// What the audit log is told of an app: it is the operator's.
fn deed<'a>(action: &'a str, id: &'a str, detail: Value) -> Deed<'a> {
    Deed { action, subject_kind: "app", subject_id: id, organization_id: None, detail }
}

fn counted(accounts: i64) -> String {
    if accounts == 1 { "1 account".to_owned() } else { format!("{accounts} accounts") }
}
