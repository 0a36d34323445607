//! What a client gives as `settings`, taken apart: plain settings, and secrets that go another way.

use serde_json::{Map, Value, json};

use crate::{
    app::App,
    domain::{account::Account, failure::FieldProblem, provider_app::ProviderApp},
    error::ApiError,
    manifest::{Manifest, SecretKind, SecretSource},
    plugins::{CallServices, Version, convert, es256},
    secrets::Secret,
};

/// The account's settings as requests and recipes read them. Those that say to which host credentials go are its app's, where it
/// has one: whoever may change the account must not learn the operator's secret.
pub fn effective_settings(manifest: &Manifest, account: &Account, provider_app: Option<&ProviderApp>) -> Value {
    let mut settings = account.settings.clone();
    if let Some(provider_app) = provider_app {
        for name in manifest.base_settings() {
            match provider_app.settings.get(name) {
                Some(own) => settings.insert(name.to_owned(), own.clone()),
                None => settings.remove(name),
            };
        }
    }
    Value::Object(settings)
}

/// Refuses a setting that is the app's to say.
pub(super) fn refuse_bases(manifest: &Manifest, given: &Map<String, Value>, provider_app: Option<&ProviderApp>) -> Result<(), ApiError> {
    let Some(provider_app) = provider_app else { return Ok(()) };
    let default = |name: &str| manifest.settings_schema.pointer(&format!("/properties/{name}/default"));
    let is_own = |name: &&str| given.get(*name).is_some_and(|value| !value.is_null() && value != "" && Some(value) != default(name));
    let mut problems: Vec<FieldProblem> = manifest
        .base_settings()
        .filter(is_own)
        .map(|name| {
            let why =
                format!("says where the secret of the app “{}” goes: it is a setting of the app (PATCH /admin/v1/apps)", provider_app.name);
            FieldProblem::new(format!("/settings/{name}"), why)
        })
        .collect();
    problems.dedup();
    if problems.is_empty() { Ok(()) } else { Err(ApiError::invalid(problems)) }
}

/// Settings without secrets, and what becomes of each secret.
pub(super) struct Split {
    pub plain: Map<String, Value>,
    pub given: Vec<(String, Secret)>,
    pub removed: Vec<String>,
}

/// Takes the typed secrets out. A secret shown as it is read (`{"set": true, …}`) is kept as it is; null takes it away.
pub(super) fn split(manifest: &Manifest, settings: &Map<String, Value>) -> Result<Split, ApiError> {
    let mut split = Split { plain: settings.clone(), given: Vec::new(), removed: Vec::new() };
    let mut problems = Vec::new();
    for (name, spec) in &manifest.secrets {
        let Some(value) = split.plain.remove(name) else { continue };
        let pointer = format!("/settings/{name}");
        if !spec.is_typed() {
            problems.push(FieldProblem::new(pointer, "is kept by the gateway: it can't be given"));
            continue;
        }
        match value {
            Value::String(text) if spec.kind == SecretKind::Es256 => match es256::import(&text) {
                Some(key) => split.given.push((name.clone(), key)),
                None => problems.push(FieldProblem::new(pointer, es256::FORMS)),
            },
            Value::String(text) => split.given.push((name.clone(), Secret::new(text.trim().to_owned()))),
            Value::Null => split.removed.push(name.clone()),
            Value::Object(hint) if hint.contains_key("set") => {}
            _ => problems.push(FieldProblem::new(pointer, "must be text")),
        }
    }
    if problems.is_empty() { Ok(split) } else { Err(ApiError::invalid(problems)) }
}

/// Checks settings against the plugin's schema, then asks its `configure`; answers them normalised.
///
/// Secrets that are set already are `kept`; the schema sees a value for each, made to pass, since only new ones can be wrong.
pub(super) async fn judge(app: &App, version: &Version, split: &Split, kept: &[String]) -> Result<Map<String, Value>, ApiError> {
    let mut plain = Value::Object(split.plain.clone());
    version.manifest.fill_defaults(&mut plain);
    let mut whole = plain.as_object().cloned().unwrap_or_default();
    // A key was judged already, and is kept in another form than the one that was typed in.
    let is_key = |name: &str| version.manifest.secrets.get(name).is_some_and(|spec| spec.kind == SecretKind::Es256);
    let judged = split.given.iter().filter(|(name, _)| !is_key(name));
    whole.extend(judged.map(|(name, secret)| (name.clone(), json!(secret.expose()))));
    let whole = Value::Object(whole);
    let keys = split.given.iter().map(|(name, _)| name).filter(|name| is_key(name));
    let kept_pointers: Vec<String> = kept.iter().chain(keys).map(|name| format!("/{name}")).collect();
    let mut problems: Vec<FieldProblem> =
        version.manifest.validate_settings(&whole).into_iter().filter(|problem| !kept_pointers.contains(&problem.pointer)).collect();
    problems.extend(missing_secrets(&version.manifest, split, kept, &problems));
    if !problems.is_empty() {
        return Err(ApiError::invalid(under_settings(problems)));
    }
    match version.configure(CallServices::detached(app, version), &plain).await {
        Ok(Ok(normalised)) => match serde_json::from_str(&normalised) {
            Ok(Value::Object(settings)) => Ok(settings),
            _ => Err(ApiError::internal(&"a plugin's configure answered something else than an object")),
        },
        Ok(Err(failure)) => {
            let failure = convert::failure_in(failure);
            if failure.fields.is_empty() {
                return Err(ApiError::invalid_field("/settings", failure.message));
            }
            Err(ApiError::invalid(under_settings(failure.fields)))
        }
        Err(fault) => {
            Err(ApiError::unavailable("plugin_fault", format!("The plugin for {} failed: {fault}", version.manifest.channel_type))
                .hint("Its log says more; POST /admin/v1/plugins/{type}/rollback goes back to the version before."))
        }
    }
}

/// A typed secret that the plugin can't do without, and that neither is given nor stands already.
fn missing_secrets(manifest: &Manifest, split: &Split, kept: &[String], found: &[FieldProblem]) -> Vec<FieldProblem> {
    manifest
        .secrets
        .iter()
        .filter(|(name, spec)| {
            let named = found.iter().any(|problem| problem.pointer == format!("/{name}"));
            let there = kept.contains(name) || split.given.iter().any(|(given, _)| given == *name);
            spec.required && spec.from == SecretSource::Typed && !there && !named
        })
        .map(|(name, _)| FieldProblem::new(format!("/{name}"), "is required"))
        .collect()
}

/// The plugin's pointers are of the settings alone; a client's are of the account.
pub(super) fn under_settings(problems: Vec<FieldProblem>) -> Vec<FieldProblem> {
    problems.into_iter().map(|problem| FieldProblem::new(format!("/settings{}", problem.pointer), problem.message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let manifest = json!({
            "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": "1.0.0",
            "settings": {"type": "object", "properties": {"signing_key": {"type": "string", "writeOnly": true}}},
            "secrets": {"signing_key": {"title": "Key", "from": "generated", "kind": "es256", "also_typed": true}},
            "capabilities": {},
        });
        Manifest::from_json(manifest.to_string().as_bytes()).unwrap()
    }

    fn given(value: &Value) -> Result<Split, ApiError> {
        split(&manifest(), json!({ "signing_key": value }).as_object().unwrap())
    }

    #[test]
    fn a_key_is_judged_at_the_door_and_kept_in_its_own_form() {
        let key = "b5N-8R4vHpeWxSUOavfFvdB7aEuMLFQyprAX29OZLHA";
        let taken = given(&json!(format!(" {key}\n"))).unwrap();
        assert!(taken.plain.is_empty() && taken.given[0].1 == es256::import(key).unwrap());
        for wrong in [json!("hunter2"), json!(""), json!(format!("{key}A")), json!(7)] {
            let refused = given(&wrong).err().unwrap();
            let problem = &refused.body.errors[0];
            assert_eq!((refused.status.as_u16(), problem.pointer.as_str()), (422, "/settings/signing_key"), "{wrong}");
            assert!(!problem.message.contains("hunter2"), "{problem:?}");
        }
        assert_eq!(given(&Value::Null).unwrap().removed, ["signing_key"]);
        assert!(given(&json!({"set": true})).unwrap().given.is_empty(), "as it is shown: it stays");
    }
}
