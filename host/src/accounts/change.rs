//! An account made, changed, deleted.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{
    OAUTH_REFRESH, RECONNECT, RELEASE, connect, pairing, settings,
    standing::{announce, commit, stand},
    vault,
};
use crate::{
    app::App,
    apps,
    audit::{self, Deed},
    clock::At,
    domain::{
        account::{Account, Connection, Standing, WebhookToken},
        actor::Actor,
        failure::{Failure, FailureClass},
    },
    error::ApiError,
    manifest::{Manifest, SecretKind, SecretSource, SecretSpec},
    outbox,
    plugins::{Version, es256},
    secrets::{Secret, generate},
    store::{self, Tx, people::Owner},
};

const NAME_MAX: usize = 200;
/// Characters of the token in a webhook URL, six random bits each.
const WEBHOOK_TOKEN_LEN: usize = 32;

/// What a client gives to make an account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    pub organization_id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub channel_type: String,
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The app that it goes through; where one alone serves the type, that one is taken by itself.
    #[serde(default)]
    pub app_id: Option<String>,
    /// False when absent: an account is connected and tested before it works.
    #[serde(default)]
    pub is_active: bool,
}

/// What a client may change; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    pub name: Option<String>,
    /// Merged into what stands: null takes a setting away.
    pub settings: Option<Map<String, Value>>,
    /// Null takes the app away.
    #[serde(default, deserialize_with = "given")]
    pub app_id: Option<Option<String>>,
    pub is_active: Option<bool>,
}

impl AccountChange {
    /// The names of what is to be changed: of each setting, never its value.
    fn fields(&self) -> Vec<String> {
        let given = [("name", self.name.is_some()), ("app_id", self.app_id.is_some()), ("is_active", self.is_active.is_some())];
        let settings = self.settings.iter().flat_map(Map::keys).map(|name| format!("settings.{name}"));
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name.to_owned()).chain(settings).collect()
    }
}

/// Tells null from nothing at all.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Makes an account.
///
/// # Errors
/// 422 names each bad field; nothing is stored then.
pub async fn create(app: &App, new: NewAccount, actor: &Actor) -> Result<Account, ApiError> {
    let made = create_all(app, vec![new], actor).await?.pop();
    made.ok_or_else(|| ApiError::internal(&"no account was made"))
}

/// Makes accounts, all of them or none; answers them in their order.
///
/// # Errors
/// As for [`create`].
pub async fn create_all(app: &App, new: Vec<NewAccount>, actor: &Actor) -> Result<Vec<Account>, ApiError> {
    let now = app.clock.now();
    let mut candidates = Vec::new();
    for new in new {
        candidates.push(candidate(app, new, now).await?);
    }
    let mut tx = app.db.begin().await?;
    for Candidate { account, version, split, given } in &candidates {
        store::organizations::ensure(&mut tx, &account.organization_id, now).await?;
        store::accounts::insert(&mut tx, account).await?;
        vault::seal(app, &mut tx, account, &split.given, now).await?;
        generate_secrets(app, &mut tx, &version.manifest, account, &split.given, now).await?;
        let detail = json!({"name": account.name, "type": account.channel_type, "is_active": account.is_active, "fields": given});
        audit::record(app, &mut tx, actor, deed("channel_account.create", account, detail)).await?;
    }
    tx.commit().await?;
    for candidate in &candidates {
        announce(app, &candidate.account.id);
    }
    Ok(candidates.into_iter().map(|candidate| candidate.account).collect())
}

/// An account that nothing speaks against, before it is stored.
struct Candidate {
    account: Account,
    version: Arc<Version>,
    split: settings::Split,
    /// Names of the settings that came, for the audit log.
    given: Vec<String>,
}

async fn candidate(app: &App, new: NewAccount, now: At) -> Result<Candidate, ApiError> {
    check_name(&new.name)?;
    let given: Vec<String> = new.settings.keys().map(|name| format!("settings.{name}")).collect();
    let version = running(app, &new.channel_type)?;
    let split = settings::split(&version.manifest, &new.settings)?;
    let provider_app = apps::serving(&app.db, &new.channel_type, new.app_id.as_deref()).await?;
    settings::refuse_bases(&version.manifest, &new.settings, provider_app.as_ref())?;
    let plain = settings::judge(app, &version, &split, &[]).await?;
    let id = app.ids.next(now);
    let (data_key, _) = app.keyring.new_data_key(&id).map_err(|error| ApiError::internal(&error))?;
    let webhook_token = generate(WEBHOOK_TOKEN_LEN).map_err(|error| ApiError::internal(&error))?.expose().to_owned();
    let account = Account {
        id,
        organization_id: new.organization_id,
        channel_type: new.channel_type,
        name: new.name.trim().to_owned(),
        settings: plain,
        app_id: provider_app.map(|provider_app| provider_app.id),
        is_active: new.is_active,
        standing: Standing::because(
            Connection::Unconfigured,
            "not_connected",
            "The account hasn't been connected yet.",
            "POST /rest/v1/channel_accounts/{id}/connect",
        ),
        external_id: None,
        display_name: None,
        facts: json!({}),
        connect_state: None,
        connect_prompt: None,
        data_key,
        health: None,
        health_at: None,
        webhook_refusals: 0,
        last_refused_at: None,
        poll_cursor: None,
        created_at: now,
        updated_at: now,
        connected_at: None,
        oauth_expires_at: None,
        oauth_refresh_expires_at: None,
        oauth_renewed_at: None,
        webhook_token: Some(WebhookToken(webhook_token)),
    };
    Ok(Candidate { account, version, split, given })
}

/// Changes an account. Deactivated, it sends nothing and holds what comes in; activated, it processes what was held.
///
/// # Errors
/// 422 names each bad field; nothing is changed then.
pub async fn update(app: &Arc<App>, account: Account, change: AccountChange, actor: &Actor) -> Result<Account, ApiError> {
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    let changed_fields = change.fields();
    let now = app.clock.now();
    let mut updated = account.clone();
    let renamed = change.name.is_some();
    if let Some(name) = change.name {
        name.trim().clone_into(&mut updated.name);
    }
    updated.is_active = change.is_active.unwrap_or(account.is_active);
    updated.updated_at = now;
    if let Some(asked) = &change.app_id {
        updated.app_id = match asked {
            Some(id) => apps::serving(&app.db, &account.channel_type, Some(id)).await?.map(|provider_app| provider_app.id),
            None => None,
        };
    }
    let app_changed = updated.app_id != account.app_id;
    let mut split = None;
    let mut typed_token = false;
    if let Some(given) = &change.settings {
        let version = running_for(app, &account)?;
        let changed = settings::split(&version.manifest, &merged(&account.settings, given))?;
        let provider_app = apps::of_account(app, updated.app_id.as_deref()).await?;
        settings::refuse_bases(&version.manifest, given, provider_app.as_ref())?;
        let is_token = |name: &String| version.manifest.oauth.iter().any(|recipe| recipe.access_token == *name);
        typed_token = changed.given.iter().any(|(name, _)| is_token(name)) || changed.removed.iter().any(is_token);
        let set = store::secrets::list(&app.db, &account.id).await?.into_iter().map(|secret| secret.name);
        let kept: Vec<String> = set.filter(|name| !changed.removed.contains(name)).collect();
        updated.settings = settings::judge(app, &version, &changed, &kept).await?;
        split = Some(changed);
    }
    // What the provider was told under the old settings may be wrong under the new ones: it is told again.
    let secrets_changed = split.as_ref().is_some_and(|split| !split.given.is_empty() || !split.removed.is_empty());
    let reconnects = account.standing.connection.is_connected() && (secrets_changed || app_changed || updated.settings != account.settings);
    if reconnects {
        // Under the old credential: the new one may be another's at the provider.
        let _ = connect::tell_provider_goodbye(app, &account).await;
    }
    let kept = vault::open_secrets(app, &account).await?;
    let mut tx = app.db.begin_ordered().await?;
    // As it stands now, which two changes at the same time would each see otherwise.
    let stood = store::accounts::find(&mut tx, &account.id).await?;
    // Only what was asked for: somebody else may be changing the rest.
    let fields = store::accounts::Change {
        name: renamed.then_some(&updated.name),
        settings: split.is_some().then_some(&updated.settings),
        is_active: change.is_active,
    };
    store::accounts::update(&mut tx, &account.id, &fields, now).await?;
    if app_changed {
        store::accounts::set_app(&mut tx, &account.id, updated.app_id.as_deref(), now).await?;
    }
    if typed_token {
        forget_grant(app, &mut tx, &mut updated, now).await?;
    }
    if let Some(split) = &split {
        vault::seal(app, &mut tx, &account, &split.given, now).await?;
        for name in &split.removed {
            store::secrets::remove(&mut tx, &account.id, name).await?;
        }
        change_keys(app, &mut tx, &account, split, &kept, now).await?;
    }
    if let Some(stood) = stood.filter(|stood| stood.is_active != change.is_active.unwrap_or(stood.is_active)) {
        match (updated.is_active, stood.standing.connection.is_connected()) {
            (true, true) => store::outbox::unpark(&mut tx, &account.id, None).await?,
            (true, false) => store::outbox::park(&mut tx, &account.id, "not_connected").await?,
            (false, _) => store::outbox::park(&mut tx, &account.id, "inactive").await?,
        }
        if updated.is_active {
            store::jobs::schedule(&mut tx, &account.id, RELEASE, now).await?;
        } else if stood.standing.connection == Connection::Pairing {
            updated.standing = pairing::stopped(&stood);
            updated.connect_prompt = None;
            let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
            stand(app, &mut tx, owner, &updated.standing, now).await?;
        }
    }
    if reconnects {
        updated.standing = Standing::because(
            Connection::Connecting,
            "settings_changed",
            "The settings were changed: the account is connected with them again.",
            "Nothing: the gateway goes on by itself.",
        );
        let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
        stand(app, &mut tx, owner, &updated.standing, now).await?;
        store::jobs::schedule(&mut tx, &account.id, RECONNECT, now).await?;
    }
    audit::record(app, &mut tx, actor, deed("channel_account.update", &account, json!({"fields": changed_fields}))).await?;
    commit(app, tx, &account.id).await?;
    Ok(updated)
}

/// A person takes the token over: what OAuth gave besides has no more to do with it.
async fn forget_grant(app: &App, tx: &mut Tx, account: &mut Account, now: At) -> Result<(), ApiError> {
    let manifest = app.plugins.manifest_for(account);
    if let Some(manifest) = manifest {
        for recipe in &manifest.oauth {
            if let Some(refresh_token) = &recipe.refresh_token {
                store::secrets::remove(tx, &account.id, refresh_token).await?;
            }
        }
    }
    store::oauth::set_expiry(tx, &account.id, None).await?;
    store::oauth::set_refresh_expiry(tx, &account.id, None).await?;
    (account.oauth_expires_at, account.oauth_refresh_expires_at) = (None, None);
    store::jobs::cancel(tx, &account.id, OAUTH_REFRESH).await?;
    if account.standing.connection == Connection::NeedsReauth {
        account.standing = Standing::because(
            Connection::Unconfigured,
            "credential_changed",
            "The credential was changed; the account hasn't been connected with it yet.",
            "POST /rest/v1/channel_accounts/{id}/connect",
        );
        let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
        stand(app, tx, owner, &account.standing, now).await?;
    }
    Ok(())
}

/// Deletes an account: the provider is told, its queue is cancelled, its secrets are erased; its history stays. Answers what the
/// provider said against it, if anything: the account is gone all the same.
pub async fn delete(app: &Arc<App>, account: &Account, actor: &Actor) -> Result<Option<Failure>, ApiError> {
    let objection = match connect::tell_provider_goodbye(app, account).await {
        Ok(objection) => objection,
        Err(error) => Some(Failure::new(FailureClass::Unavailable, error.body.code, error.body.message)),
    };
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
    stand(app, &mut tx, owner, &Standing::plain(Connection::LoggedOut), now).await?;
    let failure = Failure::new(FailureClass::Cancelled, "account_deleted", "The account was deleted.");
    outbox::cancel_waiting(app, &mut tx, account, &failure, now).await?;
    store::secrets::remove_all(&mut tx, &account.id).await?;
    store::routes::remove_all(&mut tx, &account.id).await?;
    store::subscriptions::remove_all(&mut tx, &account.id).await?;
    store::oauth::settle_all(&mut tx, &account.id, "account_deleted", now).await?;
    store::jobs::cancel_all(&mut tx, &account.id).await?;
    store::accounts::delete(&mut tx, &account.id, now).await?;
    let detail = json!({"name": account.name, "type": account.channel_type});
    audit::record(app, &mut tx, actor, deed("channel_account.delete", account, detail)).await?;
    commit(app, tx, &account.id).await?;
    Ok(objection)
}

/// What the audit log is told of an account.
pub(super) fn deed<'a>(action: &'a str, account: &'a Account, detail: Value) -> Deed<'a> {
    let organization_id = Some(account.organization_id.as_str());
    Deed { action, subject_kind: "channel_account", subject_id: &account.id, organization_id, detail }
}

/// The plugin that runs for the account.
pub(super) fn running_for(app: &App, account: &Account) -> Result<Arc<Version>, ApiError> {
    match app.plugins.for_account(account) {
        Some(version) => Ok(version),
        None => running(app, &account.channel_type),
    }
}

/// The plugin that runs for the type, where there is no account yet.
pub fn running(app: &App, channel_type: &str) -> Result<Arc<Version>, ApiError> {
    if let Some(version) = app.plugins.get(channel_type) {
        return Ok(version);
    }
    if let Some(problem) = app.plugins.problem(channel_type) {
        return Err(ApiError::unavailable("plugin_failed", format!("The plugin for {channel_type} can't run: {}", problem.reason)).hint(
            "POST /admin/v1/plugins installs a mended version; POST /admin/v1/plugins/{type}/rollback goes back to the one before.",
        ));
    }
    let known = app.plugins.type_names();
    let known = if known.is_empty() { "none: no plugin is installed".to_owned() } else { known.join(", ") };
    Err(ApiError::invalid_field("/type", format!("there is no channel type “{channel_type}”; there are: {known}")))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let length = name.trim().chars().count();
    match length {
        0 => Err(ApiError::invalid_field("/name", "is empty")),
        1..=NAME_MAX => Ok(()),
        _ => Err(ApiError::invalid_field("/name", format!("has {length} characters; {NAME_MAX} are the most"))),
    }
}

fn merged(standing: &Map<String, Value>, given: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = standing.clone();
    for (name, value) in given {
        // A secret's null goes on: it takes the secret away.
        merged.insert(name.clone(), value.clone());
    }
    merged.retain(|name, value| !value.is_null() || !standing.contains_key(name));
    merged
}

/// A key that signs is never missing: one that is taken away has a new one in its place. What subscribed did so by the old one, and takes
/// nothing that another has signed. `kept` are the secrets as they were: a key that is given as it stands changes nothing.
async fn change_keys(
    app: &App,
    tx: &mut Tx,
    account: &Account,
    split: &settings::Split,
    kept: &BTreeMap<String, Secret>,
    now: At,
) -> Result<(), ApiError> {
    let Some(manifest) = app.plugins.manifest_for(account) else { return Ok(()) };
    let is_key = |name: &String| manifest.secrets.get(name).filter(|spec| spec.kind == SecretKind::Es256);
    let mut made = Vec::new();
    for (name, spec) in split.removed.iter().filter_map(|name| Some((name, is_key(name)?))) {
        if spec.from == SecretSource::Generated {
            made.push((name.clone(), generated(spec)?));
        }
    }
    let is_new = |(name, secret): &&(String, Secret)| kept.get(name).is_none_or(|kept| kept.expose() != secret.expose());
    if split.given.iter().filter(is_new).map(|(name, _)| name).chain(&split.removed).any(|name| is_key(name).is_some()) {
        store::subscriptions::remove_all(tx, &account.id).await?;
    }
    Ok(vault::seal(app, tx, account, &made, now).await?)
}

fn generated(spec: &SecretSpec) -> Result<Secret, ApiError> {
    let made = match spec.kind {
        SecretKind::Text => generate(spec.generated_length()),
        SecretKind::Es256 => es256::generate(),
    };
    made.map_err(|error| ApiError::internal(&error))
}

/// Makes the secrets that the gateway chooses itself.
async fn generate_secrets(
    app: &App,
    tx: &mut Tx,
    manifest: &Manifest,
    account: &Account,
    given: &[(String, Secret)],
    now: At,
) -> Result<(), ApiError> {
    let mut made: Vec<(String, Secret)> = Vec::new();
    for (name, spec) in &manifest.secrets {
        if spec.from == SecretSource::Generated && !given.iter().any(|(typed, _)| typed == name) {
            made.push((name.clone(), generated(spec)?));
        }
    }
    Ok(vault::seal(app, tx, account, &made, now).await?)
}
