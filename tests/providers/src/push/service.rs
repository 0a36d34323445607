//! The push services that are played, told apart by an endpoint's path.

use serde::{Deserialize, Serialize};

/// The hosts of real endpoints, which can be redirected here.
pub const HOSTS: &[&str] = &["fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com"];

/// Whose manners an endpoint has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// No one's: refusals in plain words.
    #[default]
    Plain,
    /// Chrome, Edge on Android, Samsung Internet.
    Fcm,
    /// Firefox.
    Mozilla,
    /// Safari.
    Apple,
}

impl Service {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Fcm => "fcm",
            Self::Mozilla => "mozilla",
            Self::Apple => "apple",
        }
    }

    /// The path before the id.
    fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "/wpush/",
            Self::Fcm => "/fcm/send/",
            Self::Mozilla => "/wpush/v2/",
            Self::Apple => "/apple/",
        }
    }

    fn host(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Fcm => HOSTS.first().copied(),
            Self::Mozilla => HOSTS.get(1).copied(),
            Self::Apple => HOSTS.get(2).copied(),
        }
    }

    /// An endpoint at the real host, or at ours. Apple's real ones have nothing before the id.
    pub(crate) fn endpoint(self, id: &str, own: &str, real_host: bool) -> String {
        match self.host() {
            Some(host) if real_host && self == Self::Apple => format!("https://{host}/{id}"),
            Some(host) if real_host => format!("https://{host}{}{id}", self.prefix()),
            _ => format!("{own}{}{id}", self.prefix()),
        }
    }

    /// Which service a path is of, and the subscription's id.
    pub(crate) fn of(path: &str, host: &str) -> Option<(Self, String)> {
        let services = [Self::Fcm, Self::Mozilla, Self::Apple, Self::Plain];
        let found = services.into_iter().find_map(|service| Some((service, path.strip_prefix(service.prefix())?)));
        let bare = || (Some(host) == Self::Apple.host()).then(|| Some((Self::Apple, path.strip_prefix('/')?))).flatten();
        let (service, id) = found.or_else(bare)?;
        (!id.is_empty() && !id.contains('/')).then(|| (service, id.to_owned()))
    }
}

/// What `aud` has to be for an endpoint that was reached under this name.
pub(crate) fn origin(host: &str) -> String {
    if HOSTS.contains(&host) { format!("https://{host}") } else { format!("http://{host}") }
}
