//! A mail server that a plugin may talk to, and the settings and secrets that say which one and as whom.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Polling;

/// One of the manifest's `[mail.NAME]`. Its fields name settings and secrets of the account: the servers are the account's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailTarget {
    pub protocol: MailProtocol,
    /// The setting with the server's name or address.
    pub host: String,
    /// The setting with its port. Where it isn't set: 465 or 587 of SMTP, 993 or 143 of IMAP, as `security` has it.
    pub port: String,
    /// The setting that says `tls`, `starttls` or `none`. Where it isn't set: `tls`.
    pub security: String,
    /// The setting that says `plain`, `login`, `xoauth2`, `oauthbearer` or `none`. Where it isn't set: `plain`.
    pub auth: String,
    /// Settings with the name to log in as: the first that is set.
    pub username: Vec<String>,
    /// Secrets for `plain` and `login`: the first that is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub password: Vec<String>,
    /// The secret for `xoauth2` and `oauthbearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The setting with further certificates to trust, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The setting with the name that the gateway greets with, of SMTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello: Option<String>,
    /// The setting that, while it is true, has the gateway wait for letters between two polls, of IMAP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailProtocol {
    Smtp,
    Imap,
}

/// How a connection is encrypted. The words are those of the account's setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// From the first byte on.
    Tls,
    /// After a command; without it nothing is said.
    Starttls,
    None,
}

/// How the gateway logs in. The words are those of the account's setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailAuth {
    Plain,
    Login,
    Xoauth2,
    Oauthbearer,
    None,
}

impl MailTarget {
    /// The settings that it names, each with the field that names it.
    pub fn settings(&self) -> Vec<(String, &str)> {
        let mut named: Vec<(String, &str)> =
            [("host", &self.host), ("port", &self.port), ("security", &self.security), ("auth", &self.auth)]
                .map(|(field, setting)| (field.to_owned(), setting.as_str()))
                .into();
        named.extend(self.username.iter().map(|setting| ("username".to_owned(), setting.as_str())));
        for (field, setting) in [("ca", &self.ca), ("hello", &self.hello), ("idle", &self.idle)] {
            named.extend(setting.iter().map(|setting| (field.to_owned(), setting.as_str())));
        }
        named
    }

    /// The secrets that it names, each with the field that names it.
    pub fn secrets(&self) -> Vec<(String, &str)> {
        let passwords = self.password.iter().map(|secret| ("password".to_owned(), secret.as_str()));
        passwords.chain(self.token.iter().map(|secret| ("token".to_owned(), secret.as_str()))).collect()
    }
}

impl Polling {
    /// From the end of one poll of an account with these settings (defaults filled in) to the next.
    pub fn interval(&self, settings: &serde_json::Value) -> Duration {
        let own = self.interval_setting.as_ref().and_then(|name| settings.get(name)?.as_u64()).filter(|seconds| *seconds > 0);
        own.map_or(Duration::from_millis(u64::from(self.interval_ms)), Duration::from_secs)
    }
}
