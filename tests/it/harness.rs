//! What every test stands on: a real gateway process with a real database and the real plugin, and an account connected to the
//! provider's stand-in.

mod browser;
mod certificates;
mod channel;
mod chromium;
pub(crate) mod database;
mod desktop;
mod dovecot;
pub(crate) mod ece;
mod events;
mod gateway;
pub(crate) mod meta;
mod nats;
mod nodes;
mod oci_registry;
mod receiver;
mod site;
mod smtp_server;

pub(crate) use browser::{Browser, Shown};
pub(crate) use certificates::Certificates;
pub(crate) use channel::channel_type;
pub(crate) use chromium::{Chromium, Target};
pub(crate) use database::Database;
pub(crate) use desktop::{Desktop, OnDesktop};
pub(crate) use dovecot::{Dovecot, MAIL_PASSWORD};
pub(crate) use gateway::{Answer, Gateway, Settings, install_tls, plugin_file, program, root};
pub(crate) use nats::NatsServer;
pub(crate) use nodes::Nodes;
pub(crate) use oci_registry::{OciRegistry, REGISTRY_PASSWORD, REGISTRY_USER};
pub(crate) use receiver::{Received, Receiver, Reply};
pub(crate) use site::Site;
pub(crate) use smtp_server::SmtpServer;

use std::{future::Future, time::Duration};

use patchbay_providers::Telegram;
use serde_json::{Value, json};

/// Runs each test on both databases: `both! { a_test, another }` below the tests themselves.
macro_rules! both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name($crate::harness::Database::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name($crate::harness::Database::Postgres).await; })+
        }
    };
}
pub(crate) use both;

/// How long a test waits for something that is bound to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A bot's token as Telegram shapes them; the number before the colon is the bot's id.
pub(crate) const TOKEN: &str = "4200001:AAE-standin_token_0123456789abcdefghij";
pub(crate) const BOT: i64 = 4_200_001;
/// A person who writes to the bot.
pub(crate) const MONA: i64 = 70_010_001;

/// Waits until `look` answers something.
pub(crate) async fn eventually<T, F, Fut>(what: &str, look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    eventually_within(PATIENCE, what, look).await
}

/// The same for what takes longer by design, like a lease that runs out.
pub(crate) async fn eventually_within<T, F, Fut>(patience: Duration, what: &str, mut look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// A gateway and a bot connected to it.
pub(crate) struct Bench {
    pub(crate) telegram: Telegram,
    pub(crate) gateway: Gateway,
    pub(crate) account: String,
}

impl Bench {
    pub(crate) async fn connected(database: Database) -> Bench {
        Bench::with(database, json!({}), Settings::default()).await
    }

    /// With more settings for the account and the gateway.
    pub(crate) async fn with(database: Database, account: Value, settings: Settings) -> Bench {
        let telegram = Telegram::start().await;
        let gateway = Gateway::start(database, settings.redirecting("api.telegram.org", &telegram.url())).await;
        let account = gateway.create_account("Help desk", account).await;
        gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(200);
        Bench { telegram, gateway, account }
    }

    /// Sends and waits until the message is settled; answers it.
    pub(crate) async fn send(&self, request: Value) -> Value {
        let id = self.enqueue(request).await;
        self.settled(&id).await
    }

    /// Queues a message for the account; answers its id.
    pub(crate) async fn enqueue(&self, mut request: Value) -> String {
        request["channel_account_id"] = json!(self.account);
        let answer = self.gateway.post("/rest/v1/messages", request).await.expect_status(202);
        answer["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn settled(&self, id: &str) -> Value {
        eventually("the message is settled", || async {
            let message = self.gateway.get(&format!("/rest/v1/messages/{id}")).await.expect_status(200);
            (!matches!(message["state"].as_str(), Some("queued"))).then_some(message)
        })
        .await
    }

    /// The account's messages of a direction, oldest first.
    pub(crate) async fn messages(&self, direction: &str) -> Vec<Value> {
        let path = format!("/rest/v1/messages?channel_account_id={}&direction={direction}&limit=1000", self.account);
        let mut messages = self.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone();
        messages.reverse();
        messages
    }

    /// Pushes an update as Telegram does; it has to be taken at once.
    pub(crate) async fn push(&self, update: Value) {
        let delivery = self.telegram.push(BOT, update).await;
        assert!(delivery.delivered, "not taken: {delivery:?}");
    }
}
