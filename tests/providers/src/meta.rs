//! Meta's servers, as far as a messaging gateway meets them: Graph for WhatsApp, Messenger and Instagram, the login
//! dialogs, media, and the webhooks.
//!
//! One server plays every host; it tells them apart by path, so that `[egress.redirect]` sends all of them here. What it
//! can do from Rust it can mostly do over HTTP under `/_standin`: see the README.

mod answer;
mod ask;
mod calls;
mod control;
mod errors;
mod fields;
mod params;
mod pusher;
mod scene;
mod server;
mod sign;
mod tokens;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, header};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::failures::Failure;
use crate::meta::tokens::{Token, TokenKind};
use crate::meta::world::{Subscription, Webhook};
use crate::recorded::{RecordedRequest, Recording};

pub use answer::GraphError;
pub use pusher::{Delivery, Pushed};
pub use server::{Echoes, Knobs};
pub use sign::{appsecret_proof, escaped, signature, signed_request};
pub use world::{App, Business, Config, Consent, Instagram, Number, Page, Person, Sent, User, Waba};

/// The hosts that it plays.
pub const HOSTS: &[&str] = &[
    "graph.facebook.com",
    "www.facebook.com",
    "graph.instagram.com",
    "api.instagram.com",
    "www.instagram.com",
    "lookaside.fbsbx.com",
    "scontent.xx.fbcdn.net",
    "scontent.cdninstagram.com",
];

/// The objects of webhooks.
const OBJECTS: &[&str] = &["page", "instagram", "whatsapp_business_account"];

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Nothing and nobody is there at first; else one app, a user, a business, a WABA with two numbers, a Page and its
    /// Instagram account, under the ids of the fixtures.
    pub empty: bool,
    /// How much of each request is kept.
    pub recording: Recording,
    /// Every answer waits so long.
    pub latency: Duration,
    /// Webhooks and challenges go to this authority (`127.0.0.1:8080`) over HTTP, whatever host and scheme their URL has.
    pub deliver_to: Option<Authority>,
    /// A webhook that isn't taken is posted so many times more.
    pub webhook_retries: u32,
    /// How long the first of these waits; each next one waits twice as long.
    pub webhook_gap: Duration,
    /// What can be changed later.
    pub knobs: Knobs,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            empty: false,
            recording: Recording::Full,
            latency: Duration::ZERO,
            deliver_to: None,
            webhook_retries: 5,
            webhook_gap: Duration::from_secs(1),
            knobs: Knobs::default(),
        }
    }
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Meta {
    server: Arc<server::Server>,
    address: SocketAddr,
}

impl Meta {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// Where loopback can't be listened on: a test can't go on without it. `start_with` returns the error instead.
    pub async fn start() -> Self {
        match Self::start_with(Options::default()).await {
            Ok(meta) => meta,
            Err(error) => panic!("can't listen on loopback: {error}"),
        }
    }

    /// Starts with options.
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub async fn start_with(options: Options) -> io::Result<Self> {
        let address = options.address;
        let seeded = !options.empty;
        let server = Arc::new(server::Server::new(options));
        if seeded {
            scene::people().into_iter().for_each(|person| server.world.lock().learn(person));
        }
        let address = crate::server::listen(address, server::router(&server), server.stop.clone()).await?;
        *server.own_url.lock() = format!("http://{address}");
        Ok(Self { server, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:9102`: what each of `HOSTS` is redirected to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // ---- what was asked ----

    /// Every request kept, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.server.recorder.list(None, None)
    }

    /// Requests of one call: `POST messages`, `GET number`, `POST oauth/access_token`, `GET dialog/oauth`…
    #[must_use]
    pub fn requests_of(&self, call: &str) -> Vec<RecordedRequest> {
        self.server.recorder.list(Some(call), None)
    }

    /// Waits until there are `count` requests of the call, `within` at most, and returns those that are there.
    pub async fn wait_for(&self, call: &str, count: usize, within: Duration) -> Vec<RecordedRequest> {
        self.server.recorder.wait_for(call, count, within).await
    }

    /// Forgets the requests.
    pub fn clear_requests(&self) {
        self.server.recorder.clear();
    }

    /// Requests since the start, kept or not.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.server.recorder.count()
    }

    /// What the account sent, oldest first: only what was accepted.
    #[must_use]
    pub fn sent(&self, account: &str) -> Vec<Sent> {
        self.server.world.lock().sent.iter().filter(|sent| sent.account == account).cloned().collect()
    }

    // ---- what goes wrong ----

    /// Plans a failure of any sort; `method` is the call's name.
    pub fn fail(&self, failure: Failure) {
        self.server.failures.plan(failure);
    }

    /// The next `times` requests of the call meet this error.
    pub fn fail_next(&self, call: &str, error: &GraphError, times: u32) {
        let mut failure = Failure::error(call, error.code, &error.message).times(times);
        failure.parameters = serde_json::to_value(error).ok();
        self.server.failures.plan(failure);
    }

    /// Forgets the planned failures.
    pub fn clear_failures(&self) {
        self.server.failures.clear();
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.server.knobs.lock());
    }

    /// Every answer waits so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.server.set_latency(latency);
    }

    /// Moves the clock: tokens, codes, URLs and windows run out by it.
    pub fn advance(&self, by: Duration) {
        self.server.move_clock(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// The stand-in's time in milliseconds since 1970 UTC.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.server.now_ms()
    }

    // ---- who and what there is: in the place of what has the same id ----

    /// Adds an app.
    pub fn add_app(&self, app: App) {
        self.server.world.lock().put_app(app);
    }

    /// Adds a person who can log in.
    pub fn add_user(&self, user: User) {
        self.server.world.lock().put_user(user);
    }

    /// Adds a business portfolio.
    pub fn add_business(&self, business: Business) {
        self.server.world.lock().put_business(business);
    }

    /// Adds a Page.
    pub fn add_page(&self, page: Page) {
        self.server.world.lock().put_page(page);
    }

    /// Adds an Instagram account.
    pub fn add_instagram(&self, instagram: Instagram) {
        self.server.world.lock().put_instagram(instagram);
    }

    /// Adds a WABA with its numbers.
    pub fn add_waba(&self, waba: Waba) {
        self.server.world.lock().put_waba(waba);
    }

    /// Adds a business login configuration.
    pub fn add_config(&self, config: Config) {
        self.server.world.lock().put_config(config);
    }

    /// Adds a template: the object that `message_templates` lists.
    pub fn add_template(&self, waba: &str, template: Value) {
        self.server.world.lock().templates.entry(waba.to_owned()).or_default().push(template);
    }

    /// Somebody whose profile can be read, and whose name webhooks tell.
    pub fn add_person(&self, person: Person) {
        self.server.world.lock().learn(person);
    }

    /// Changes a number that is there: `meta.change_number("9…", |number| number.registered = false)`.
    pub fn change_number(&self, id: &str, change: impl FnOnce(&mut Number)) {
        if let Some(number) = self.server.world.lock().number_mut(id) {
            change(number);
        }
    }

    /// Changes a Page that is there.
    pub fn change_page(&self, id: &str, change: impl FnOnce(&mut Page)) {
        if let Some(page) = self.server.world.lock().pages.iter_mut().find(|page| page.id == id) {
            change(page);
        }
    }

    /// Changes a WABA that is there.
    pub fn change_waba(&self, id: &str, change: impl FnOnce(&mut Waba)) {
        if let Some(waba) = self.server.world.lock().wabas.iter_mut().find(|waba| waba.id == id) {
            change(waba);
        }
    }

    /// Changes a template's status.
    pub fn set_template_status(&self, waba: &str, name: &str, status: &str) {
        let mut world = self.server.world.lock();
        for template in world.templates.get_mut(waba).into_iter().flatten().filter(|template| template["name"] == name) {
            template["status"] = status.into();
        }
    }

    /// The answer to a send tells this `wa_id` for that number.
    pub fn set_wa_id(&self, number: &str, wa_id: &str) {
        self.server.world.lock().wa_ids.insert(number.into(), wa_id.into());
    }

    /// The person's window with the account is closed until they write again.
    pub fn close_window(&self, account: &str, person: &str) {
        self.server.world.lock().windows.insert((account.into(), person.into()), 0);
    }

    /// The person's window with the account opens now.
    pub fn open_window(&self, account: &str, person: &str) {
        self.server.world.lock().windows.insert((account.into(), person.into()), self.server.now_ms());
    }

    // ---- logging in ----

    /// What the person at the dialogs does from now on.
    pub fn set_consent(&self, consent: Consent) {
        self.server.world.lock().consent = consent;
    }

    /// A code as the JavaScript SDK of Embedded Signup gives it: a business token, no redirect URI.
    #[must_use]
    pub fn signup_code(&self, app: &str, scopes: &[&str]) -> String {
        let token = self.token(TokenKind::SystemUser, app, "", scopes, 0);
        self.server.tokens.lock().code(None, token)
    }

    /// A person's long-lived token, for manual entry.
    #[must_use]
    pub fn user_token(&self, app: &str, scopes: &[&str]) -> String {
        let token = self.token(TokenKind::User, app, "", scopes, tokens::LONG_S);
        self.server.tokens.lock().mint(token).token
    }

    /// A system user's token that never expires; 0 in `lives_s` is for good.
    #[must_use]
    pub fn system_token(&self, app: &str, scopes: &[&str], lives_s: u64) -> String {
        let token = self.token(TokenKind::SystemUser, app, "", scopes, lives_s);
        self.server.tokens.lock().mint(token).token
    }

    /// A Page's token that never expires.
    #[must_use]
    pub fn page_token(&self, app: &str, page: &str, scopes: &[&str]) -> String {
        let token = self.token(TokenKind::Page, app, page, scopes, 0);
        self.server.tokens.lock().mint(token).token
    }

    /// An Instagram account's token of sixty days.
    #[must_use]
    pub fn instagram_token(&self, app: &str, instagram: &str, scopes: &[&str]) -> String {
        let token = self.token(TokenKind::Instagram, app, instagram, scopes, tokens::LONG_S);
        self.server.tokens.lock().mint(token).token
    }

    fn token(&self, kind: TokenKind, app: &str, profile: &str, scopes: &[&str], lives_s: u64) -> Token {
        let world = self.server.world.lock();
        let user = world.consent.user.clone().or_else(|| world.users.first().map(|user| user.id.clone())).unwrap_or_default();
        let scoped = world.instagram(profile).filter(|_| kind == TokenKind::Instagram).map(|instagram| instagram.scoped_id.clone());
        let now = self.server.now_s();
        Token {
            kind,
            app: app.to_owned(),
            user: scoped.unwrap_or(user),
            profile: profile.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            assets: calls::oauth::ticked(&world),
            issued_at: now,
            expires_at: if lives_s == 0 { 0 } else { now + lives_s },
            long: true,
            ..Token::default()
        }
    }

    /// The token answers 190 with this subcode from now on: 458 app removed, 460 password changed, 463 expired, 492
    /// role lost.
    pub fn kill_token(&self, token: &str, subcode: u32) {
        self.server.tokens.lock().change(|one| one.token == token, |one| one.dead = Some(subcode));
    }

    /// Every token that the person gave, their Pages' too, answers 190 with this subcode.
    pub fn kill_tokens_of(&self, user: &str, subcode: u32) {
        self.server.tokens.lock().change(|one| one.user == user, |one| one.dead = Some(subcode));
    }

    /// The token loses a scope.
    pub fn take_scope(&self, token: &str, scope: &str) {
        self.server.tokens.lock().change(|one| one.token == token, |one| one.scopes.retain(|granted| granted != scope));
    }

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

impl Drop for Meta {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}
