//! A provider tells that a person took his grant back, or wants what is known of him deleted: a form field with a text that the
//! app's secret signed.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::Value;

use crate::{
    accounts::{self, OAUTH_EXPIRE, OAUTH_REFRESH},
    app::App,
    apps,
    domain::{
        account::{Connection, Standing},
        log::{LogKind, LogLevel, Note},
        provider_app::{ProviderApp, as_text},
    },
    manifest::SignedCallbacks,
    secrets::Secret,
    store::{self, oauth::Deletion, people::Owner},
};

/// Why a callback isn't believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No type of the app has such callbacks.
    NotTaken,
    /// The field is missing, or isn't of the form.
    Malformed,
    /// The signature, or what it says of itself, is wrong.
    Mismatch,
}

/// Accounts that a callback means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meant {
    channel_type: String,
    route: String,
}

/// Checks a callback's form against the recipes of the app's types; answers whom it means.
pub(super) async fn verify(app: &App, provider_app: &ProviderApp, form: &[(String, String)]) -> store::Result<Result<Vec<Meant>, Refusal>> {
    let secrets = apps::open_secrets(app, provider_app).await?;
    let mut refusal = Refusal::NotTaken;
    let mut meant = Vec::new();
    for channel_type in &provider_app.types {
        let Some(manifest) = app.plugins.manifest(channel_type) else { continue };
        let Some(recipe) = &manifest.signed_callbacks else { continue };
        let fields = recipe.secrets().filter_map(|name| manifest.secrets.get(name)?.field.as_deref());
        let keys: Vec<&Secret> = fields.filter_map(|field| apps::field(&secrets, field)).collect();
        match route(recipe, &keys, form) {
            Ok(route) => meant.push(Meant { channel_type: channel_type.clone(), route }),
            // One that came near says most.
            Err(why) if refusal != Refusal::Mismatch => refusal = why,
            Err(_) => {}
        }
    }
    Ok(if meant.is_empty() { Err(refusal) } else { Ok(meant) })
}

/// The route that a signed text names.
fn route(recipe: &SignedCallbacks, keys: &[&Secret], form: &[(String, String)]) -> Result<String, Refusal> {
    let (_, text) = form.iter().find(|(name, _)| *name == recipe.field).ok_or(Refusal::Malformed)?;
    let (signature, payload) = text.split_once('.').ok_or(Refusal::Malformed)?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| Refusal::Malformed);
    let signature = decoded(signature)?;
    // Over the text as it came; an empty key would let everybody sign.
    let signs = |key: &&&Secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
        hmac::verify(&key, payload.as_bytes(), &signature).is_ok()
    };
    keys.iter().filter(|key| !key.expose().is_empty()).find(signs).ok_or(Refusal::Mismatch)?;
    let payload: Value = serde_json::from_slice(&decoded(payload)?).map_err(|_| Refusal::Malformed)?;
    if payload.get("algorithm").and_then(Value::as_str) != Some("HMAC-SHA256") {
        return Err(Refusal::Mismatch);
    }
    let subject = payload.pointer(&recipe.subject).and_then(as_text).filter(|subject| !subject.is_empty()).ok_or(Refusal::Malformed)?;
    Ok(recipe.route.replace("{subject}", &subject))
}

/// Takes the tokens of every account that is meant away. Answers how many there were.
pub(super) async fn deauthorize(app: &App, provider_app: &ProviderApp, meant: &[Meant], forget: bool) -> store::Result<usize> {
    let mut found = BTreeSet::new();
    for Meant { channel_type, route } in meant {
        let ids = store::routes::account_ids_of_app(&app.db, &provider_app.id, channel_type, route).await?;
        found.extend(ids.into_iter().map(|id| (id, route.clone())));
    }
    for (id, route) in &found {
        take_away(app, id, forget.then_some(route)).await?;
    }
    Ok(found.len())
}

/// The same, with what the accounts' facts tell and the route that names the person; answers the record of it.
pub(super) async fn delete(app: &App, provider_app: &ProviderApp, meant: &[Meant]) -> store::Result<Deletion> {
    let requested_at = app.clock.now();
    let accounts = deauthorize(app, provider_app, meant, true).await?;
    let code = hex::encode(app.ids.bytes::<16>());
    let accounts = i64::try_from(accounts).unwrap_or(i64::MAX);
    let deletion = Deletion { code, accounts, requested_at, completed_at: Some(app.clock.now()) };
    let mut tx = app.db.begin().await?;
    store::oauth::insert_deletion(&mut tx, &provider_app.id, &deletion).await?;
    tx.commit().await?;
    Ok(deletion)
}

async fn take_away(app: &App, account_id: &str, forgotten_route: Option<&String>) -> store::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin_ordered().await?;
    let Some(account) = store::accounts::find(&mut tx, account_id).await? else { return Ok(()) };
    let manifest = app.plugins.manifest_for(&account);
    for name in manifest.as_ref().map(|manifest| manifest.granted_secrets()).unwrap_or_default() {
        store::secrets::remove(&mut tx, account_id, name).await?;
    }
    store::oauth::set_expiry(&mut tx, account_id, None).await?;
    store::oauth::set_refresh_expiry(&mut tx, account_id, None).await?;
    // Tokens from before that were set aside go with the flow.
    store::oauth::settle_all(&mut tx, account_id, "deauthorized", now).await?;
    for job in [OAUTH_REFRESH, OAUTH_EXPIRE] {
        store::jobs::cancel(&mut tx, account_id, job).await?;
    }
    store::accounts::set_connect_progress(&mut tx, account_id, None, None).await?;
    let (code, text) = match forgotten_route {
        Some(route) => {
            store::accounts::clear_facts(&mut tx, account_id, now).await?;
            store::routes::remove(&mut tx, account_id, route).await?;
            (
                "deletion_requested",
                "The person who authorised the account asked the provider to have the data deleted: its tokens and facts were erased.",
            )
        }
        None => ("deauthorized", "The person who authorised the account took the access back at the provider: its tokens were erased."),
    };
    let standing = Standing::because(
        Connection::NeedsReauth,
        "deauthorized",
        "The access was taken back at the provider.",
        "Authorise it again: POST /rest/v1/channel_accounts/{id}/connect",
    );
    let owner = Owner { organization_id: &account.organization_id, account_id };
    accounts::stand(app, &mut tx, owner, &standing, now).await?;
    app.logbook.note_in(&mut tx, Note::new(&account, LogKind::Oauth, LogLevel::Error, code, text)).await?;
    accounts::commit(app, tx, account_id).await
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn recipe() -> SignedCallbacks {
        SignedCallbacks {
            field: "signed_request".to_owned(),
            secret: "app_secret".to_owned(),
            alternatives: Vec::new(),
            subject: "/user_id".to_owned(),
            route: "user:{subject}".to_owned(),
        }
    }

    pub(in crate::oauth) fn signed(key: &str, payload: &str) -> String {
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), payload.as_bytes());
        format!("{}.{payload}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }

    fn told(keys: &[&str], text: &str) -> Result<String, Refusal> {
        let keys: Vec<Secret> = keys.iter().map(|key| Secret::from(*key)).collect();
        let keys: Vec<&Secret> = keys.iter().collect();
        route(&recipe(), &keys, &[("other".to_owned(), "x".to_owned()), ("signed_request".to_owned(), text.to_owned())])
    }

    #[test]
    fn a_published_signed_text_names_its_subject() {
        let text = "SLIeSH0wk2f7xLzHZDyr0r6JlDRr3hjAQkRscxdFpQc.\
                    eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZF9hdCI6MTc5MDAwMDAwMCwidXNlcl9pZCI6IjIxODQ3MSJ9";
        assert_eq!(told(&["appsecret"], text).as_deref(), Ok("user:218471"));
        assert_eq!(told(&["other", "appsecret"], text).as_deref(), Ok("user:218471"), "an alternative will do");
        assert_eq!(told(&["other"], text), Err(Refusal::Mismatch));
        assert_eq!(told(&[], text), Err(Refusal::Mismatch));
    }

    #[test]
    fn what_is_not_signed_as_the_recipe_says_is_refused() {
        let payload = r#"{"algorithm":"HMAC-SHA256","user_id":12345678901234567890}"#;
        assert_eq!(told(&["key"], &signed("key", payload)).as_deref(), Ok("user:12345678901234567890"));
        assert_eq!(told(&[""], &signed("", payload)), Err(Refusal::Mismatch), "an empty key is none");
        for other in [r#"{"algorithm":"none","user_id":"1"}"#, r#"{"user_id":"1"}"#, r#"{"algorithm":"hmac-sha256","user_id":"1"}"#] {
            assert_eq!(told(&["key"], &signed("key", other)), Err(Refusal::Mismatch), "{other}");
        }
        for lacking in
            [r#"{"algorithm":"HMAC-SHA256"}"#, r#"{"algorithm":"HMAC-SHA256","user_id":""}"#, r#"{"algorithm":"HMAC-SHA256","user_id":{}}"#]
        {
            assert_eq!(told(&["key"], &signed("key", lacking)), Err(Refusal::Malformed), "{lacking}");
        }
        let right = signed("key", payload);
        for cut in [0, 10, 43, 44, right.len() - 1] {
            assert!(told(&["key"], &right[..cut]).is_err(), "cut at {cut}");
        }
        assert_eq!(route(&recipe(), &[], &[]), Err(Refusal::Malformed));
    }
}
