//! Webhooks on their way: to whom an account is subscribed, signed, again and again until they are taken.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::meta::accounts::App;
use crate::meta::answer::GraphError;
use crate::meta::params::text_of;
use crate::meta::server::Server;
use crate::meta::sign::{escaped, signature, signature_sha1};
use crate::meta::world::{Subscription, World};

const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
const SIGNATURE_SHA1: HeaderName = HeaderName::from_static("x-hub-signature");
const API_VERSION: HeaderName = HeaderName::from_static("facebook-api-version");
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The WhatsApp object.
pub(crate) const WHATSAPP: &str = "whatsapp_business_account";

/// How the first attempt of one POST went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// The app whose webhook it is.
    pub app: String,
    /// Where it was posted to; empty where nobody is subscribed.
    pub url: String,
    /// Whether it was taken (2xx).
    pub delivered: bool,
    /// What was answered.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub note: Option<String>,
}

/// What became of a webhook: one delivery for each app and URL.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pushed {
    /// The first attempts.
    pub deliveries: Vec<Delivery>,
    /// The ids of the messages in it.
    pub ids: Vec<String>,
}

impl Pushed {
    /// Whether there was a delivery and every one was taken.
    #[must_use]
    pub fn delivered(&self) -> bool {
        !self.deliveries.is_empty() && self.deliveries.iter().all(|delivery| delivery.delivered)
    }

    /// The first delivery's answer; 0 without one.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.deliveries.first().and_then(|delivery| delivery.status).unwrap_or_default()
    }

    /// The first message's id; empty without one.
    #[must_use]
    pub fn id(&self) -> String {
        self.ids.first().cloned().unwrap_or_default()
    }
}

/// The GET that Meta makes when a callback is set. An error is what the setting call answers.
pub(crate) async fn challenge(server: &Server, url: &str, verify_token: &str) -> Result<(), GraphError> {
    let challenge = server.next_number().to_string();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.challenge", &challenge)
        .append_pair("hub.verify_token", verify_token)
        .finish();
    let joint = if url.contains('?') { '&' } else { '?' };
    let agent = [(header::USER_AGENT, HeaderValue::from_static("facebookplatform/1.0 (+http://developers.facebook.com)"))];
    let answer = server.poster.send(Method::GET, &format!("{url}{joint}{query}"), &agent, Bytes::new(), ANSWER_WITHIN).await;
    let refused =
        |why: &str| Err(GraphError::of(2_200).saying(format!("(#2200) Callback verification failed with the following errors: {why}")));
    match answer {
        Ok(posted) if posted.status.as_u16() == 200 && posted.body == challenge.as_bytes() => Ok(()),
        Ok(posted) if posted.status.as_u16() == 200 => refused("curl_errno = 0; the response doesn't match the challenge"),
        Ok(posted) => refused(&format!("HTTP Status Code = {}; HTTP Message = {}", posted.status.as_u16(), posted.status)),
        Err(error) => refused(&error),
    }
}

/// One POST to be: entries of several accounts may share it.
struct Parcel {
    app: String,
    url: String,
    secret: String,
    entries: Vec<Value>,
}

/// Pushes to whoever is subscribed to the entries' accounts.
pub(crate) async fn push(server: &Arc<Server>, payload: &Value) -> Pushed {
    let parcels = {
        let mut world = server.world.lock();
        learn(&mut world, payload, server.now_ms());
        pack(&world, payload)
    };
    let mut pushed = Pushed { deliveries: Vec::new(), ids: ids(payload) };
    if parcels.is_empty() {
        let note = "nobody is subscribed to it: webhook of the app, subscribed_apps of the account, subscribed fields?";
        pushed.deliveries.push(Delivery {
            app: String::new(),
            url: String::new(),
            delivered: false,
            status: None,
            note: Some(note.into()),
        });
    }
    for parcel in parcels {
        let body = json!({"object": payload["object"], "entry": parcel.entries});
        pushed.deliveries.push(post(server, &parcel.app, &parcel.url, &parcel.secret, &body).await);
    }
    pushed
}

/// Posts to a URL, whoever is subscribed.
pub(crate) async fn post(server: &Arc<Server>, app: &str, url: &str, secret: &str, payload: &Value) -> Delivery {
    let body = if server.knobs().raw_utf8 { payload.to_string() } else { escaped(payload) };
    let delivery = attempt(server, app, url, secret, body.clone()).await;
    if !delivery.delivered && server.options.webhook_retries > 0 {
        let (again, app, url, secret) = (Arc::clone(server), app.to_owned(), url.to_owned(), secret.to_owned());
        tokio::spawn(async move {
            let stop = again.stop.clone();
            stop.run_until_cancelled(retry(&again, &app, &url, &secret, &body)).await
        });
    }
    delivery
}

async fn retry(server: &Server, app: &str, url: &str, secret: &str, body: &str) {
    for attempts in 0..server.options.webhook_retries {
        sleep(server.options.webhook_gap.saturating_mul(2_u32.saturating_pow(attempts))).await;
        if attempt(server, app, url, secret, body.to_owned()).await.delivered {
            return;
        }
    }
}

async fn attempt(server: &Server, app: &str, url: &str, secret: &str, body: String) -> Delivery {
    let mut headers = vec![
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::USER_AGENT, HeaderValue::from_static("facebookexternalua")),
        (API_VERSION, HeaderValue::from_static("v26.0")),
    ];
    for (name, value) in [(SIGNATURE, signature(secret, body.as_bytes())), (SIGNATURE_SHA1, signature_sha1(secret, body.as_bytes()))] {
        headers.extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
    }
    let answer = server.poster.send(Method::POST, url, &headers, Bytes::from(body), ANSWER_WITHIN).await;
    let (status, note) = match answer {
        Ok(posted) => (Some(posted.status.as_u16()), None),
        Err(error) => (None, Some(error)),
    };
    let delivered = status.is_some_and(|status| (200..300).contains(&status));
    Delivery { app: app.to_owned(), url: url.to_owned(), delivered, status, note }
}

fn pack(world: &World, payload: &Value) -> Vec<Parcel> {
    let object = text_of(&payload["object"]);
    let mut parcels: Vec<Parcel> = Vec::new();
    for app in &world.apps {
        for entry in payload["entry"].as_array().into_iter().flatten() {
            for (url, secret, entry) in shares(world, app, &object, entry) {
                match parcels.iter_mut().find(|parcel| parcel.app == app.id && parcel.url == url && parcel.secret == secret) {
                    Some(parcel) => parcel.entries.push(entry),
                    None => parcels.push(Parcel { app: app.id.clone(), url, secret, entries: vec![entry] }),
                }
            }
        }
    }
    parcels
}

/// What an app gets of an entry, and where.
fn shares(world: &World, app: &App, object: &str, entry: &Value) -> Vec<(String, String, Value)> {
    let id = text_of(&entry["id"]);
    let webhook = world.webhooks.get(&(app.id.clone(), object.to_owned()));
    let subscription = |account: &str| world.subscriptions.get(&(account.to_owned(), app.id.clone()));
    if id == "0" || id.contains('/') {
        // The dashboard's test button needs no subscription.
        return webhook.map(|webhook| (webhook.url.clone(), app.secret.clone(), entry.clone())).into_iter().collect();
    }
    let ticked = |field: &str| webhook.is_some_and(|webhook| webhook.fields.is_empty() || webhook.fields.iter().any(|one| one == field));
    match object {
        WHATSAPP => {
            let known = world.waba(&id).is_some();
            let Some(subscription) = subscription(&id).cloned().or_else(|| (!known).then(Subscription::default)) else { return Vec::new() };
            let mut shares: Vec<(String, String, Value)> = Vec::new();
            for change in entry["changes"].as_array().into_iter().flatten() {
                let number = text_of(&change["value"]["metadata"]["phone_number_id"]);
                let overridden = world.number_urls.get(&number).or(subscription.url.as_ref()).cloned();
                let by_app = || webhook.filter(|_| ticked(&text_of(&change["field"]))).map(|webhook| webhook.url.clone());
                let Some(url) = overridden.or_else(by_app) else { continue };
                match shares.iter_mut().find(|(other, _, _)| *other == url) {
                    Some((_, _, share)) => {
                        if let Some(changes) = share["changes"].as_array_mut() {
                            changes.push(change.clone());
                        }
                    }
                    None => {
                        let mut share = entry.clone();
                        share["changes"] = json!([change]);
                        shares.push((url, app.secret.clone(), share));
                    }
                }
            }
            shares
        }
        _ => {
            let Some(webhook) = webhook else { return Vec::new() };
            let own = subscription(&id);
            let through_page = world.page_of(&id).and_then(|page| subscription(&page.id)).filter(|_| object == "instagram");
            if own.is_none() && through_page.is_none() || world.instagram(&id).is_some_and(|account| !account.message_access) {
                return Vec::new();
            }
            let wanted = |field: &str| {
                // Through a Page any of its fields opens all of Instagram's.
                let by_account = through_page.is_some() || own.is_some_and(|own| own.fields.iter().any(|one| one == field));
                by_account && ticked(field)
            };
            let mut share = entry.clone();
            for (list, standby) in [("messaging", false), ("standby", true)] {
                if let Some(items) = share.get_mut(list).and_then(Value::as_array_mut) {
                    items.retain(|item| wanted(if standby { "standby" } else { field(object, item) }));
                    if items.is_empty()
                        && let Some(share) = share.as_object_mut()
                    {
                        share.remove(list);
                    }
                }
            }
            let empty = ["messaging", "standby", "changes"].iter().all(|list| share.get(*list).is_none());
            let by_instagram = through_page.is_none() && object == "instagram" && app.instagram_secret_signs;
            let secret = if by_instagram { &app.instagram_secret } else { &app.secret };
            if empty { Vec::new() } else { vec![(webhook.url.clone(), secret.clone(), share)] }
        }
    }
}

/// The field that has to be subscribed for an item to come.
fn field(object: &str, item: &Value) -> &'static str {
    let has = |key: &str| item.get(key).is_some();
    let instagram = object == "instagram";
    match () {
        () if has("message") && item["message"]["is_echo"] == true && !instagram => "message_echoes",
        () if has("message") => "messages",
        () if has("postback") => "messaging_postbacks",
        () if has("delivery") => "message_deliveries",
        () if has("read") => {
            if instagram {
                "messaging_seen"
            } else {
                "message_reads"
            }
        }
        () if has("reaction") => "message_reactions",
        () if has("message_edit") => {
            if instagram {
                "message_edit"
            } else {
                "message_edits"
            }
        }
        () if has("referral") => {
            if instagram {
                "messaging_referral"
            } else {
                "messaging_referrals"
            }
        }
        () if has("optin") => "messaging_optins",
        () => "messaging_handovers",
    }
}

/// What a webhook tells of windows is true for this server from then on.
fn learn(world: &mut World, payload: &Value, now_ms: u64) {
    for entry in payload["entry"].as_array().into_iter().flatten() {
        for change in entry["changes"].as_array().into_iter().flatten() {
            let number = text_of(&change["value"]["metadata"]["phone_number_id"]);
            for message in change["value"]["messages"].as_array().into_iter().flatten() {
                for person in [text_of(&message["from"]), text_of(&message["from_user_id"])] {
                    world.windows.insert((number.clone(), person), now_ms);
                }
            }
        }
        let account = text_of(&entry["id"]);
        for item in entry["messaging"].as_array().into_iter().flatten() {
            let sender = text_of(&item["sender"]["id"]);
            let acts = ["message", "postback", "reaction", "referral", "optin"].iter().any(|key| item.get(*key).is_some());
            if acts && sender != account {
                world.windows.insert((account.clone(), sender), now_ms);
            }
        }
    }
}

/// The ids of the messages in a webhook.
fn ids(payload: &Value) -> Vec<String> {
    let mut ids = Vec::new();
    for entry in payload["entry"].as_array().into_iter().flatten() {
        for change in entry["changes"].as_array().into_iter().flatten() {
            ids.extend(change["value"]["messages"].as_array().into_iter().flatten().map(|message| text_of(&message["id"])));
        }
        for item in entry["messaging"].as_array().into_iter().chain(entry["standby"].as_array()).flatten() {
            let mids = [&item["message"]["mid"], &item["postback"]["mid"]].map(text_of);
            ids.extend(mids.into_iter().filter(|mid| !mid.is_empty()));
        }
    }
    ids
}
