//! What every channel's tests do: make an account, connect it, send, look at what came.

use serde_json::{Value, json};

use super::{Browser, Gateway, Settings, Shown, eventually};

/// The type of a plugin's folder.
pub(crate) fn channel_type(plugin: &str) -> String {
    plugin.rsplit('/').next().unwrap_or(plugin).to_uppercase().replace('-', "_")
}

impl Settings {
    /// With the plugin of that folder, as fast as the test is.
    pub(crate) fn channel(self, plugin: &str) -> Settings {
        let unlimited =
            ["account_per_s", "account_per_min", "account_per_day", "conversation_per_s", "conversation_per_min", "group_per_min"];
        let rates = unlimited.map(|rate| format!("per_{rate} = 0")).join(", ");
        self.plugin(plugin).line(&format!("outbox.rates.{} = {{ {rates} }}", channel_type(plugin)))
    }
}

impl Gateway {
    /// Makes an active account; answers its id.
    pub(crate) async fn create(&self, channel_type: &str, settings: Value) -> String {
        let new = json!({"organization_id": "org-1", "name": "Shop", "type": channel_type, "settings": settings, "is_active": true});
        self.post("/rest/v1/channel_accounts", new).await.expect_status(201)["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn account(&self, id: &str) -> Value {
        self.get(&format!("/rest/v1/channel_accounts/{id}")).await.expect_status(200)
    }

    /// Takes a step of connecting.
    pub(crate) async fn connect(&self, id: &str, step: Value) -> Value {
        self.post(&format!("/rest/v1/channel_accounts/{id}/connect"), step).await.expect_status(200)
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
        Browser::new(&self.url).follow(&page).await
    }

    /// Sends; answers the message once it is in that state.
    pub(crate) async fn send(&self, account: &str, to: &str, content: Value, state: &str) -> Value {
        self.command(json!({"channel_account_id": account, "to": to, "content": [content]}), state).await
    }

    /// The same with any request.
    pub(crate) async fn command(&self, request: Value, state: &str) -> Value {
        let message = self.post("/rest/v1/messages", request).await.expect_status(202);
        self.message(message["id"].as_str().unwrap(), state).await
    }

    /// The message once it is in that state.
    pub(crate) async fn message(&self, id: &str, state: &str) -> Value {
        let path = format!("/rest/v1/messages/{id}");
        eventually(&format!("message {id} is {state}"), || async {
            let message = self.get(&path).await.expect_status(200);
            assert!(message["state"] == state || message["state"] != "failed", "it failed: {message}");
            (message["state"] == state).then_some(message)
        })
        .await
    }

    /// Messages that came in, oldest first.
    pub(crate) async fn received(&self, account: &str) -> Vec<Value> {
        let path = format!("/rest/v1/messages?channel_account_id={account}&direction=inbound&limit=1000");
        let mut messages = self.get(&path).await.expect_status(200).as_array().unwrap().clone();
        messages.reverse();
        messages
    }

    /// The account's events of a type, oldest first.
    pub(crate) async fn logged(&self, account: &str, kind: &str) -> Vec<Value> {
        let path = format!("/rest/v1/account_logs?channel_account_id={account}&kind={kind}");
        self.get(&path).await.expect_status(200).as_array().unwrap().clone()
    }
}
