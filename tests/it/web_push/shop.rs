//! A shop whose site takes notifications: a gateway with a connected account, a push service, and the site.

use patchbay_providers::{
    Push,
    push::{New, Service, Subscription},
};
use reqwest::{Client, Method, RequestBuilder, Response, header};
use serde_json::{Value, json};

use crate::harness::{Chromium, Database, Gateway, OnDesktop, Settings, Site, Target, ece, eventually};

pub(super) struct Shop {
    pub(super) gateway: Gateway,
    pub(super) push: Push,
    pub(super) site: Site,
    pub(super) account: String,
    pub(super) client: Client,
}

impl Shop {
    pub(super) async fn open(database: Database) -> Shop {
        Shop::open_with(database, json!({}), &[]).await
    }

    /// With more settings of the account and lines of the configuration.
    pub(super) async fn open_with(database: Database, changes: Value, lines: &[&str]) -> Shop {
        let (push, site) = (Push::start().await, Site::start().await);
        let settings = Settings::default().without_plugin().channel("web-push").line("egress.allow = [\"127.0.0.0/8\"]");
        let settings = lines.iter().fold(settings, |settings, line| settings.line(line));
        let gateway = Gateway::start(database, settings).await;
        let mut account =
            json!({"vapid_subject": "mailto:push@shop.example", "site_origins": [site.origin()], "endpoint_allowlist": [push.url()]});
        account.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let account = gateway.create("WEB_PUSH", account).await;
        let after = gateway.connect(&account, json!({})).await;
        assert_eq!(after["connection"], "connected", "{after}");
        Shop { gateway, push, site, account, client: Client::new() }
    }

    /// Where the account's files and calls are.
    pub(super) fn base(&self) -> String {
        format!("{}/push/{}", self.gateway.url, self.account)
    }

    pub(super) async fn file(&self, name: &str) -> Response {
        self.client.get(format!("{}/{name}", self.base())).send().await.unwrap()
    }

    /// A call as a page of the site makes it.
    pub(super) fn call(&self, method: Method, name: &str, body: &Value) -> RequestBuilder {
        self.client.request(method, format!("{}/{name}", self.base())).header(header::ORIGIN, self.site.origin()).json(body)
    }

    /// A device that this account may push to, whose endpoint ends so.
    pub(super) async fn device(&self, id: &str) -> Subscription {
        let key = Some(self.public_key().await);
        self.push.subscribe_with(New { id: Some(id.into()), application_server_key: key, ..New::default() }).unwrap()
    }

    /// Subscribes without a browser; answers the subscription's id.
    pub(super) async fn subscribe(&self, device: &Subscription, contact: Value) -> String {
        let body = json!({"subscription": device.to_json(), "contact": contact, "meta": {"platform": "test"}});
        let answer = self.call(Method::POST, "subscriptions", &body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        eventually("the subscription is kept", || async { self.subscriptions().await.iter().any(|kept| kept["id"] == *id).then_some(()) })
            .await;
        id
    }

    /// Those that can be reached.
    pub(super) async fn subscriptions(&self) -> Vec<Value> {
        let path = format!("/rest/v1/subscriptions?channel_account_id={}", self.account);
        self.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone()
    }

    /// The key that pages subscribe with, as client.js has it.
    pub(super) async fn public_key(&self) -> String {
        let script = self.file("client.js").await.text().await.unwrap();
        let strings = script.split('"').skip(1).step_by(2);
        // 65 bytes that begin with a four.
        let mut keys = strings.filter(|text| text.len() == 87 && text.starts_with('B'));
        keys.next().expect("client.js holds no public key").to_owned()
    }

    /// Sends to a device, a contact or one of a contact's own ids; answers the message.
    pub(super) async fn send(&self, to: &str, content: Value, state: &str) -> Value {
        self.gateway.send(&self.account, to, content, state).await
    }

    /// What the browser of this device reads of the only push for it, by two programs that share no code.
    pub(super) fn payload(&self, device: &Subscription) -> Value {
        let received = self.push.received_for(&device.id);
        let last = received.last().expect("nothing was pushed");
        let text = ece::open(device, last);
        assert_eq!(last.plaintext.as_deref(), Some(text.as_str()));
        serde_json::from_str(&text).unwrap()
    }

    /// Tells what was done with a notification, as the worker does; answers the status.
    pub(super) async fn tell(&self, payload: &Value, what: Value) -> u16 {
        let mut body = json!({"message_id": payload["id"], "subscription_id": payload["sub"], "tok": payload["tok"]});
        body.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        self.call(Method::POST, "events", &body).send().await.unwrap().status().as_u16()
    }

    pub(super) async fn message(&self, id: &Value) -> Value {
        self.gateway.get(&format!("/rest/v1/messages/{}", id.as_str().unwrap())).await.expect_status(200)
    }

    /// The message once so much was done with it.
    pub(super) async fn with_interactions(&self, id: &Value, count: usize) -> Value {
        eventually(&format!("{count} interactions are on the message"), || async {
            let message = self.message(id).await;
            (message["interactions"].as_array().unwrap().len() == count).then_some(message)
        })
        .await
    }

    /// A figure of the account's statistics.
    pub(super) async fn figure(&self, name: &str) -> i64 {
        let path = format!("/rest/v1/channel_account_stats/summary?channel_account_id={}", self.account);
        let rows = self.gateway.get(&path).await.expect_status(200);
        rows.as_array().unwrap().iter().map(|row| row[name].as_i64().unwrap()).sum()
    }

    /// Its pages, with what plugins/web-push/README.md says that a policy has to let in, and nothing else.
    fn build_site(&self) {
        let (base, gateway) = (self.base(), &self.gateway.url);
        let page = |title: &str| format!("<!doctype html><title>{title}</title><script src=\"{base}/client.js\" defer></script>");
        for path in ["/", "/sale", "/buy"] {
            self.site.put(path, "text/html", &page(path));
        }
        // Browsers ask for it by themselves.
        self.site.put("/favicon.ico", "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>");
        self.site.put("/patchbay-sw.js", "text/javascript", &format!("importScripts(\"{base}/worker.js\");"));
        let let_in = format!("script-src 'self' {gateway}; connect-src 'self' {gateway}; worker-src 'self'");
        let policy = format!("default-src 'none'; img-src 'self'; {let_in}");
        self.site.set_policy(&policy);
    }

    /// Somebody visits the site with Chromium, whose push service gives these subscriptions, one after the other.
    pub(super) async fn visit(&self, devices: &[&Subscription]) -> Visitor {
        self.build_site();
        let chromium = Chromium::start().await;
        chromium.allow_notifications(&self.site.origin()).await;
        let page = chromium.open(&self.site.url("/"), &push_service(devices)).await;
        let scope = self.site.url(&format!("/patchbay/{}/", self.account));
        Visitor { chromium, page, scope, worker: self.site.url("/patchbay-sw.js") }
    }
}

/// Chromium's own push service is out of reach: this one gives subscriptions of the stand-in, and remembers as a browser does.
fn push_service(devices: &[&Subscription]) -> String {
    let given: Vec<Value> = devices.iter().map(|device| device.to_json()).collect();
    include_str!("push_service.js").replace("GIVEN", &Value::from(given).to_string())
}

/// Somebody at the site.
pub(super) struct Visitor {
    pub(super) chromium: Chromium,
    pub(super) page: Target,
    scope: String,
    worker: String,
}

impl Visitor {
    /// Presses the site's own button; answers the subscription's id.
    pub(super) async fn subscribe(&self, contact: &Value) -> String {
        let subscribed = self.page.evaluate(&format!("Patchbay.subscribe({{contact: {contact}}})")).await;
        subscribed["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn state(&self) -> Value {
        self.page.evaluate("Patchbay.ready.then(() => Patchbay.state())").await
    }

    /// The browser has the push: it wakes the worker.
    pub(super) async fn receive(&self, payload: &Value) {
        self.chromium.deliver(&self.page, &self.scope, &payload.to_string()).await;
    }

    /// The same, until the desktop shows it.
    pub(super) async fn see(&self, payload: &Value) -> OnDesktop {
        self.receive(payload).await;
        self.chromium.desktop.shown(payload["title"].as_str().unwrap()).await
    }

    pub(super) async fn worker(&self) -> Target {
        self.chromium.worker(&self.worker).await
    }

    /// The notifications that the site sees, with everything about them.
    pub(super) async fn notifications(&self) -> Value {
        let all = "registration.getNotifications().then((all) => all.map(({title, body, tag, actions, data}) => \
                   ({title, body, tag, actions: actions.map(({action, title}) => [action, title]), id: data.id})))";
        self.worker().await.evaluate(all).await
    }
}

/// A device of Google's or of another's.
pub(super) fn of(service: Service) -> New {
    New { service, ..New::default() }
}

pub(super) fn notification(title: &str) -> Value {
    json!({"type": "notification", "title": title, "body": "Everything −20 %", "url": "/sale",
        "actions": [{"id": "buy", "title": "Buy", "description": "/buy"}, {"id": "later", "title": "Later"}]})
}
