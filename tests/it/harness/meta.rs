//! A gateway with an app at the stand-in of Meta.

use std::ops::Deref;

use patchbay_providers::{Meta, meta::HOSTS};
use serde_json::json;

use super::{Database, Gateway, Settings, channel_type};

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
        let types: Vec<String> = plugins.iter().map(|plugin| channel_type(plugin)).collect();
        for plugin in plugins {
            settings = settings.channel(plugin);
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
}

impl Deref for MetaBench {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}
