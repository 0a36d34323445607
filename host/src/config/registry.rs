//! An OCI registry that plugins may be pulled from.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// One of `[plugins.registries]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    pub plain_http: bool,
    pub username: String,
    pub password: String,
}

impl Registry {
    pub(super) fn problem(&self, name: &str) -> Option<String> {
        let place = format!("plugins.registries.\"{name}\"");
        if name.is_empty() || name.contains(['/', '@', ' ']) {
            return Some(format!("{place}: name it as references begin: registry.example or 127.0.0.1:5000, without scheme and path"));
        }
        if self.username.is_empty() != self.password.is_empty() {
            return Some(format!("{place}: give both username and password, or neither"));
        }
        let readable = self.plain_http && !self.username.is_empty() && !is_loopback(name);
        readable
            .then(|| format!("{place}: with plain_http everybody on the way reads the password: only a registry on this machine gets one"))
    }
}

/// Does `host[:port]` mean this machine?
pub fn is_loopback(place: &str) -> bool {
    match Url::parse(&format!("http://{place}")).as_ref().map(Url::host) {
        Ok(Some(Host::Domain(name))) => name == "localhost",
        Ok(Some(Host::Ipv4(address))) => address.is_loopback(),
        Ok(Some(Host::Ipv6(address))) => address.is_loopback(),
        Ok(None) | Err(_) => false,
    }
}
