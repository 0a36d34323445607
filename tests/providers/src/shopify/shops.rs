//! Shops, their apps and tokens, and what the apps are subscribed to.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::shopify::inbox::Sent;

/// A shop with the merchant's custom app.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shop {
    /// `a.myshopify.com`.
    pub domain: String,
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: u64,
    /// The app's.
    pub client_id: String,
    /// The app's: it mints tokens and signs webhooks.
    pub client_secret: String,
    /// Signed webhooks before the secret was changed.
    pub previous_secret: Option<String>,
    /// A token that was made in the admin, and doesn't end.
    pub admin_token: Option<String>,
    /// What the app may.
    pub scopes: Vec<String>,
    /// Whether it can be reached.
    pub standing: Standing,
}

/// Whether a shop can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As it should be.
    #[default]
    Open,
    /// 402: its bill isn't paid.
    Frozen,
    /// 423: Shopify has locked it.
    Locked,
    /// 404: there is no such shop any more.
    Gone,
}

/// A webhook subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// `gid://shopify/WebhookSubscription/…`.
    pub id: String,
    /// Whose.
    pub shop: String,
    /// As GraphQL writes it: `APP_UNINSTALLED`.
    pub topic: String,
    /// Where it is posted to.
    pub uri: String,
    /// RFC 3339.
    pub created_at: String,
}

/// A token from client credentials.
#[derive(Debug, Clone)]
pub(crate) struct Minted {
    pub(crate) shop: String,
    pub(crate) expires_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    shops: Vec<Shop>,
    pub(crate) minted: HashMap<String, Minted>,
    pub(crate) subscriptions: Vec<Subscription>,
    /// Where the chat's events go, by shop.
    pub(crate) webhooks: HashMap<String, String>,
    pub(crate) sent: Vec<Sent>,
    /// Conversations in which nothing can be written any more.
    pub(crate) closed: HashSet<(String, String)>,
    /// Conversations that are known, where only those are.
    pub(crate) known: HashSet<(String, String)>,
}

impl World {
    pub(crate) fn seed(&mut self) {
        for (number, letter) in [(1_u64, "a"), (2, "b")] {
            self.set_shop(Shop {
                domain: format!("{letter}.myshopify.com"),
                name: format!("Shop {}", letter.to_uppercase()),
                id: 548_380_000 + number,
                client_id: format!("shp_client_{letter}"),
                // The secret of the golden vectors is shop A's.
                client_secret: if number == 1 { "shp_client_secret".into() } else { "shp_client_secret_b".into() },
                previous_secret: None,
                admin_token: Some(format!("shpat_standin_{letter}")),
                scopes: ["read_customers", "write_customers", "read_orders"].map(str::to_owned).to_vec(),
                standing: Standing::Open,
            });
        }
    }

    pub(crate) fn set_shop(&mut self, shop: Shop) {
        self.shops.retain(|known| known.domain != shop.domain);
        self.shops.push(shop);
    }

    pub(crate) fn shops(&self) -> &[Shop] {
        &self.shops
    }

    pub(crate) fn shop(&self, domain: &str) -> Option<&Shop> {
        self.shops.iter().find(|shop| shop.domain == domain)
    }

    pub(crate) fn shop_mut(&mut self, domain: &str) -> Option<&mut Shop> {
        self.shops.iter_mut().find(|shop| shop.domain == domain)
    }

    /// Whose token it is, where it is good.
    pub(crate) fn shop_of_token(&self, token: &str, now_ms: u64) -> Option<&Shop> {
        if token.is_empty() {
            return None;
        }
        match self.minted.get(token) {
            Some(minted) if minted.expires_ms > now_ms => self.shop(&minted.shop),
            Some(_) => None,
            None => self.shops.iter().find(|shop| shop.admin_token.as_deref() == Some(token)),
        }
    }

    pub(crate) fn drop_subscriptions(&mut self, shop: &str) -> usize {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|subscription| subscription.shop != shop);
        before - self.subscriptions.len()
    }
}
