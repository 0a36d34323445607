//! Channel accounts: created, changed, connected, checked, deleted. Settings are the plugin's to judge; secrets are split off
//! before anything is stored. Start at [`create`] and [`connect`].

mod change;
mod connect;
mod health;
mod known;
mod pairing;
mod settings;
mod standing;
mod templates;
mod vault;

pub use change::{AccountChange, NewAccount, create, create_all, delete, running, update};
pub use connect::{ConnectStep, StepError, connect, disconnect, go_on, try_step};
pub use health::check;
pub use known::Known;
pub use pairing::{Code, go_on as go_on_waiting, shown_code};
pub use settings::effective_settings;
pub use standing::{commit, is_renewed, stand, stand_after, standing_after, worsen};
pub use templates::{ProviderTemplate, TemplateList, list_templates};
pub use vault::{Opened, derive, keep_captured, open, open_aside, open_secrets, seal, seal_aside};

/// The job that polls the provider.
pub const POLL: &str = "poll";
/// The job that checks the account's health.
pub const HEALTH: &str = "health";
/// The job that processes the webhooks that wait: held by an inactive account, or failed by a plugin that was mended since.
pub const RELEASE: &str = "release";
/// The job that processes webhooks again that somebody asked for.
pub const REPLAY: &str = "replay";
/// The job that connects an account again whose settings were changed.
pub const RECONNECT: &str = "reconnect";
/// The job that goes on with a connect dialogue that waits.
pub const CONNECT: &str = "connect";
/// The job that has the provider give a new access token before the old one expires.
pub const OAUTH_REFRESH: &str = "oauth_refresh";
/// The job that ends an authorisation that nobody went on with.
pub const OAUTH_EXPIRE: &str = "oauth_expire";
