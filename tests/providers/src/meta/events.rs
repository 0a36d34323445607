//! Webhooks, and what makes them, as tests say it.

use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::meta::answer::GraphError;
use crate::meta::pusher::{Delivery, Pushed};
use crate::meta::sign::signed_request;
use crate::meta::world::{Subscription, Webhook};
use crate::meta::{Meta, OBJECTS, calls, params, pusher, scene};

impl Meta {
    // ---- webhooks ----

    /// Sets the app's callback for an object as the dashboard does: with the challenge. Empty `object` is all three.
    ///
    /// # Errors
    /// Where the challenge fails.
    pub async fn set_webhook(&self, app: &str, object: &str, url: &str, verify_token: &str) -> Result<(), GraphError> {
        for object in OBJECTS.iter().filter(|one| object.is_empty() || **one == object) {
            pusher::challenge(&self.server, url, verify_token).await?;
            let webhook = Webhook { url: url.into(), verify_token: verify_token.into(), fields: Vec::new() };
            self.server.world.lock().webhooks.insert((app.into(), (*object).into()), webhook);
        }
        Ok(())
    }

    /// The GET challenge alone.
    ///
    /// # Errors
    /// Where it fails: Graph's error 2200.
    pub async fn challenge(&self, url: &str, verify_token: &str) -> Result<(), GraphError> {
        pusher::challenge(&self.server, url, verify_token).await
    }

    /// Subscribes the app to an account, without a call. `fields` matter to Pages and Instagram accounts.
    pub fn subscribe(&self, app: &str, account: &str, fields: &[&str]) {
        let subscription = Subscription { fields: fields.iter().map(|field| (*field).to_owned()).collect(), url: None };
        self.server.world.lock().subscriptions.insert((account.into(), app.into()), subscription);
    }

    /// The fields that the app gets of the account (none of a WABA); `None` where it isn't subscribed.
    #[must_use]
    pub fn subscription(&self, app: &str, account: &str) -> Option<Vec<String>> {
        self.server.world.lock().subscriptions.get(&(account.into(), app.into())).map(|subscription| subscription.fields.clone())
    }

    /// The callback of the WABA's own, where it has one.
    #[must_use]
    pub fn override_url(&self, app: &str, waba: &str) -> Option<String> {
        self.server.world.lock().subscriptions.get(&(waba.into(), app.into())).and_then(|subscription| subscription.url.clone())
    }

    /// Posts a webhook to whoever is subscribed to the accounts in it. Entries of several accounts are one POST.
    pub async fn push(&self, payload: &Value) -> Pushed {
        pusher::push(&self.server, payload).await
    }

    /// Several webhooks of one object as one POST.
    pub async fn push_batch(&self, payloads: &[Value]) -> Pushed {
        pusher::push(&self.server, &scene::batch(payloads)).await
    }

    /// A fixture by its name (`wa-01-text-reply`) or its beginning (`wa-01`), to whoever is subscribed.
    pub async fn deliver(&self, fixture: &str) -> Pushed {
        match Self::fixture(fixture) {
            Some(payload) => self.push(&payload).await,
            None => Pushed::default(),
        }
    }

    /// A fixture's payload.
    #[must_use]
    pub fn fixture(name: &str) -> Option<Value> {
        let mut samples = scene::samples().iter();
        samples.find(|(known, _)| *known == name || known.starts_with(&format!("{name}-"))).map(|(_, payload)| payload.clone())
    }

    /// The names of the fixtures.
    #[must_use]
    pub fn fixtures() -> Vec<String> {
        scene::samples().keys().cloned().collect()
    }

    /// Posts to the app's callback of the payload's object, whoever is subscribed; signed with `secret` where there is one.
    pub async fn push_to_app(&self, app: &str, payload: &Value, secret: Option<&str>) -> Delivery {
        let object = params::text_of(&payload["object"]);
        let (url, own) = {
            let world = self.server.world.lock();
            let url = world.webhooks.get(&(app.to_owned(), object)).map(|webhook| webhook.url.clone()).unwrap_or_default();
            (url, world.app(app).map(|app| app.secret.clone()).unwrap_or_default())
        };
        pusher::post(&self.server, app, &url, secret.unwrap_or(&own), payload).await
    }

    /// Posts to a URL, signed with the secret.
    pub async fn push_to(&self, url: &str, secret: &str, payload: &Value) -> Delivery {
        pusher::post(&self.server, "", url, secret, payload).await
    }

    // ---- what happens at the provider ----

    /// The webhook of a person's text, not yet pushed: for batches and second deliveries.
    #[must_use]
    pub fn text(&self, account: &str, person: &str, text: &str) -> Value {
        scene::text(&self.server, account, person, text)
    }

    /// The webhook of a person's message: WhatsApp's message object (`{"type","image":{…}}`) without who and when, or
    /// what Messenger and Instagram have under `message`.
    #[must_use]
    pub fn message(&self, account: &str, person: &str, message: Value) -> Value {
        scene::message(&self.server, account, person, message)
    }

    /// The webhook of any other item of a Page or an Instagram account: `{"read":{"watermark":…}}`, `{"postback":{…}}`.
    #[must_use]
    pub fn item(&self, account: &str, person: &str, item: &Value) -> Value {
        scene::item(&self.server, account, person, item)
    }

    /// Somebody writes text to a number, a Page or an Instagram account.
    pub async fn text_from(&self, account: &str, person: &str, text: &str) -> Pushed {
        self.push(&self.text(account, person, text)).await
    }

    /// Somebody sends another message: see `message`.
    pub async fn message_from(&self, account: &str, person: &str, message: Value) -> Pushed {
        self.push(&self.message(account, person, message)).await
    }

    /// Somebody sends a file: `kind` is `image`, `audio`, `video`, `document` (`file` for Messenger and Instagram), `sticker`.
    pub async fn file_from(
        &self,
        account: &str,
        person: &str,
        kind: &str,
        mime_type: &str,
        bytes: impl Into<Bytes>,
        caption: &str,
    ) -> Pushed {
        let bytes = bytes.into();
        let id = self.add_media(mime_type, bytes.clone(), "");
        let message = if self.server.world.lock().number(account).is_some() {
            let mut file = json!({"id": id, "mime_type": mime_type, "sha256": calls::media::sha256_base64(&bytes),
                "url": calls::media::signed_url(&self.server, &id)});
            if !caption.is_empty() {
                file["caption"] = caption.into();
            }
            json!({"type": kind, kind: file})
        } else {
            json!({"attachments": [{"type": kind, "payload": {"url": self.cdn_url(&id)}}]})
        };
        self.message_from(account, person, message).await
    }

    /// Somebody taps a button of ours on a Page or an Instagram account.
    pub async fn postback_from(&self, account: &str, person: &str, title: &str, payload: &str) -> Pushed {
        let mid = format!("m_StandInTap{}", self.server.next_number());
        self.push(&self.item(account, person, &json!({"postback": {"mid": mid, "title": title, "payload": payload}}))).await
    }

    /// A status of what a number sent: `sent`, `delivered`, `read`, `played`.
    pub async fn status(&self, number: &str, message_id: &str, status: &str) -> Pushed {
        self.push(&scene::status(&self.server, number, message_id, status, None)).await
    }

    /// What a number sent fails afterwards with this code.
    pub async fn status_failed(&self, number: &str, message_id: &str, code: u32) -> Pushed {
        self.push(&scene::status(&self.server, number, message_id, "failed", Some(code))).await
    }

    /// An event of a WABA: `message_template_status_update`, `account_update`…
    pub async fn waba_event(&self, waba: &str, field: &str, value: &Value) -> Pushed {
        self.push(&scene::waba_event(&self.server, waba, field, value)).await
    }

    /// Posts `signed_request` to a deauthorise or data deletion callback. Status and body of the answer.
    ///
    /// # Errors
    /// Where there is no answer: a sentence for people.
    pub async fn post_signed_request(&self, url: &str, secret: &str, user: &str) -> Result<(u16, String), String> {
        let value = signed_request(secret, user, self.server.now_s());
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("signed_request", &value).finish();
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))];
        let posted = self.server.poster.send(Method::POST, url, &kind, Bytes::from(form), Duration::from_secs(20)).await?;
        Ok((posted.status.as_u16(), String::from_utf8_lossy(&posted.body).into_owned()))
    }

    // ---- files ----

    /// Keeps a file and tells its id. `number` is the one it belongs to; empty is any.
    pub fn add_media(&self, mime_type: &str, bytes: impl Into<Bytes>, number: &str) -> String {
        calls::media::keep(&self.server, mime_type, bytes.into(), number)
    }

    /// Where the CDN has a kept file; no credential opens it, because none is needed.
    #[must_use]
    pub fn cdn_url(&self, media: &str) -> String {
        calls::media::cdn_url(&self.server, media)
    }

    /// Webhook media of this id is gone, as after seven days.
    pub fn drop_media(&self, media: &str) {
        self.server.world.lock().media.remove(media);
    }
}
