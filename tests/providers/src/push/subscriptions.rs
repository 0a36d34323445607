//! Browsers that can be reached: their endpoint, their keys, and the application that they let in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::envelope;
use super::service::Service;
use crate::desk::random;

/// A subscription to be made; what is left out is made up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct New {
    /// Whose manners its endpoint has.
    pub service: Service,
    /// The end of its endpoint. One that ends in `_` and a status is always refused with it.
    pub id: Option<String>,
    /// The endpoint has the service's real host, which the gateway has to be redirected from.
    pub real_host: bool,
    /// The raw public key of the application, base64url; without one, the first that pushes is the one.
    pub application_server_key: Option<String>,
    /// 32 bytes, base64url.
    pub private_key: Option<String>,
    /// 16 bytes, base64url.
    pub auth: Option<String>,
}

/// A browser that can be reached.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Subscription {
    /// The end of its endpoint.
    pub id: String,
    /// Whose manners its endpoint has.
    pub service: Service,
    /// Where pushes go.
    pub endpoint: String,
    /// The browser's public key, base64url.
    pub p256dh: String,
    /// The secret that it shares with the application, base64url.
    pub auth: String,
    /// The browser's private key, which no real one tells.
    pub private_key: String,
    /// The one application that may push.
    pub application_server_key: Option<String>,
    /// The user has taken it back.
    pub gone: bool,
}

impl Subscription {
    /// As `PushSubscription.toJSON()` tells it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"endpoint": self.endpoint, "expirationTime": null, "keys": {"p256dh": self.p256dh, "auth": self.auth}})
    }
}

impl New {
    pub(crate) fn make(self, own: &str) -> Result<Subscription, String> {
        let id = match self.id {
            Some(id) if id.is_empty() || id.contains('/') => {
                return Err("the id is a part of a path: without a slash, and not empty".into());
            }
            Some(id) => id,
            None => hex::encode(random::<12>()),
        };
        let private_key = self.private_key.unwrap_or_else(envelope::make_private_key);
        let auth = self.auth.unwrap_or_else(|| URL_SAFE_NO_PAD.encode(random::<16>()));
        if URL_SAFE_NO_PAD.decode(&auth).map_or(0, |auth| auth.len()) != 16 {
            return Err("auth isn't base64url of 16 bytes".into());
        }
        Ok(Subscription {
            p256dh: envelope::public_key(&private_key)?,
            endpoint: self.service.endpoint(&id, own, self.real_host),
            service: self.service,
            application_server_key: self.application_server_key,
            id,
            auth,
            private_key,
            gone: false,
        })
    }
}
