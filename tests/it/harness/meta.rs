//! A gateway with an app at the stand-in of Meta, and a browser that logs in there.

use patchbay_providers::{Meta, meta::HOSTS};
use reqwest::{Client, StatusCode, header, redirect::Policy};
use serde_json::{Value, json};

use super::{Database, Gateway, Settings, eventually, install_tls};

/// The stand-in's app, as it is there from the start.
pub(crate) const APP: &str = "300000000000001";
pub(crate) const APP_SECRET: &str = "appsecret";
pub(crate) const VERIFY_TOKEN: &str = "verify-1";

/// The ids of the fixtures.
pub(crate) const NUMBER: &str = "900000000000001";
pub(crate) const WABA: &str = "800000000000001";
pub(crate) const PAGE: &str = "100000000000001";
pub(crate) const INSTAGRAM: &str = "17841400000000001";

pub(crate) struct MetaBench {
    pub(crate) gateway: Gateway,
    pub(crate) meta: Meta,
    /// Our id of the app.
    pub(crate) app: String,
}

impl MetaBench {
    /// With the plugin of each of these folders, and an app that serves all of their types.
    pub(crate) async fn start(database: Database, plugins: &[&str]) -> MetaBench {
        let meta = Meta::start().await;
        let mut settings = Settings::default().without_plugin();
        for host in HOSTS {
            settings = settings.redirecting(host, &meta.url());
        }
        let mut types = Vec::new();
        for plugin in plugins {
            let channel_type = plugin.to_uppercase().replace('-', "_");
            settings = settings.plugin(plugin).line(&format!(
                "outbox.rates.{channel_type} = {{ per_account_per_s = 0, per_conversation_per_s = 0, per_group_per_min = 0 }}"
            ));
            types.push(channel_type);
        }
        let gateway = Gateway::start(database, settings).await;
        let new =
            json!({"name": "Fake Gateway", "types": types, "client_id": APP, "client_secret": APP_SECRET, "verify_token": VERIFY_TOKEN});
        let app = gateway.post("/admin/v1/apps", new).await.expect_status(201)["id"].as_str().unwrap().to_owned();
        let bench = MetaBench { gateway, meta, app };
        bench.meta.set_webhook(APP, "", &bench.webhook_url(), VERIFY_TOKEN).await.unwrap();
        bench
    }

    pub(crate) fn webhook_url(&self) -> String {
        format!("{}/webhooks/apps/{}", self.gateway.url, self.app)
    }

    /// Makes an active account; answers its id.
    pub(crate) async fn create(&self, channel_type: &str, settings: Value) -> String {
        let new = json!({"organization_id": "org-1", "name": "Shop", "type": channel_type, "settings": settings, "is_active": true});
        self.gateway.post("/rest/v1/channel_accounts", new).await.expect_status(201)["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn account(&self, id: &str) -> Value {
        self.gateway.get(&format!("/rest/v1/channel_accounts/{id}")).await.expect_status(200)
    }

    /// Takes a step of connecting.
    pub(crate) async fn connect(&self, id: &str, step: Value) -> Value {
        self.gateway.post(&format!("/rest/v1/channel_accounts/{id}/connect"), step).await.expect_status(200)
    }

    /// Begins to authorise the account; answers the page to open.
    pub(crate) async fn authorize(&self, id: &str) -> String {
        let account = self.connect(id, json!({})).await;
        assert_eq!(account["connection"], "authorizing", "{account}");
        assert_eq!(account["prompt"]["kind"], "open", "{account}");
        account["prompt"]["url"].as_str().unwrap().to_owned()
    }

    /// Logs in as somebody with a browser would, to the page at the end.
    pub(crate) async fn log_in(&self, id: &str) -> Shown {
        let page = self.authorize(id).await;
        Browser::new(&self.gateway.url).follow(&page).await
    }

    /// Sends; answers the message once it is in that state.
    pub(crate) async fn send(&self, account: &str, to: &str, content: Value, state: &str) -> Value {
        self.command(json!({"channel_account_id": account, "to": to, "content": [content]}), state).await
    }

    /// The same with any request.
    pub(crate) async fn command(&self, request: Value, state: &str) -> Value {
        let message = self.gateway.post("/rest/v1/messages", request).await.expect_status(202);
        self.message(message["id"].as_str().unwrap(), state).await
    }

    /// The message once it is in that state.
    pub(crate) async fn message(&self, id: &str, state: &str) -> Value {
        let path = format!("/rest/v1/messages/{id}");
        eventually(&format!("message {id} is {state}"), || async {
            let message = self.gateway.get(&path).await.expect_status(200);
            assert!(message["state"] == state || message["state"] != "failed", "it failed: {message}");
            (message["state"] == state).then_some(message)
        })
        .await
    }

    /// Messages that came in, oldest first.
    pub(crate) async fn received(&self, account: &str) -> Vec<Value> {
        let path = format!("/rest/v1/messages?channel_account_id={account}&direction=inbound&limit=1000");
        let mut messages = self.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone();
        messages.reverse();
        messages
    }

    /// The account's events of a type, oldest first.
    pub(crate) async fn logged(&self, account: &str, kind: &str) -> Vec<Value> {
        let path = format!("/rest/v1/account_logs?channel_account_id={account}&kind={kind}");
        self.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone()
    }
}

/// What a browser shows at last.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A browser: it goes where it is sent and gives the gateway its cookies back.
pub(crate) struct Browser {
    client: Client,
    home: String,
    cookies: Vec<String>,
}

impl Browser {
    pub(crate) fn new(home: &str) -> Browser {
        install_tls();
        Browser { client: Client::builder().redirect(Policy::none()).build().unwrap(), home: home.to_owned(), cookies: Vec::new() }
    }

    /// Opens a page and goes where it leads.
    pub(crate) async fn follow(&mut self, url: &str) -> Shown {
        let mut url = url.to_owned();
        for _ in 0..8 {
            let (shown, next) = self.open(&url).await;
            match next {
                Some(next) => url = next,
                None => return shown,
            }
        }
        panic!("the browser is sent around for ever: {url}");
    }

    /// Opens one page; answers where it leads, if it does.
    pub(crate) async fn open(&mut self, url: &str) -> (Shown, Option<String>) {
        let mut request = self.client.get(url);
        if url.starts_with(&self.home) && !self.cookies.is_empty() {
            request = request.header(header::COOKIE, self.cookies.join("; "));
        }
        self.take(request.send().await.unwrap()).await
    }

    /// Posts a form to the gateway.
    pub(crate) async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Shown {
        let request = self.client.post(format!("{}{path}", self.home)).header(header::COOKIE, self.cookies.join("; ")).form(form);
        self.take(request.send().await.unwrap()).await.0
    }

    async fn take(&mut self, response: reqwest::Response) -> (Shown, Option<String>) {
        if response.url().as_str().starts_with(&self.home) {
            for cookie in response.headers().get_all(header::SET_COOKIE) {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
                let name = pair.split('=').next().unwrap().to_owned();
                self.cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
                self.cookies.push(pair);
            }
        }
        let next = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let next = next.filter(|_| response.status().is_redirection());
        let status = response.status();
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
        (Shown { status: status.as_u16(), text: response.text().await.unwrap() }, next)
    }
}
