//! What the operator sets. The gateway has checked it against `settings.schema.json`; its secrets never come here.

mod check;

use patchbay_plugin::{Failure, hooks};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Whose servers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Custom,
    Google,
    Microsoft,
}

impl Provider {
    /// The SMTP and the IMAP server.
    fn hosts(self) -> Option<[(&'static str, &'static str); 2]> {
        match self {
            Self::Custom => None,
            Self::Google => Some([("smtp_host", "smtp.gmail.com"), ("imap_host", "imap.gmail.com")]),
            Self::Microsoft => Some([("smtp_host", "smtp.office365.com"), ("imap_host", "outlook.office365.com")]),
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "custom" => Some(Self::Custom),
            "google" => Some(Self::Google),
            "microsoft" => Some(Self::Microsoft),
            _ => None,
        }
    }
}

/// How the account proves to a server who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Auth {
    #[default]
    Plain,
    Login,
    Xoauth2,
    Oauthbearer,
    None,
}

impl Auth {
    /// With a password, and not with a token.
    pub(crate) fn takes_password(self) -> bool {
        matches!(self, Self::Plain | Self::Login)
    }

    pub(crate) fn takes_token(self) -> bool {
        matches!(self, Self::Xoauth2 | Self::Oauthbearer)
    }
}

/// What sending and connecting need. Those of receiving are `poll.rs`'s, and the gateway reads its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) email_address: String,
    pub(crate) display_name: String,
    pub(crate) reply_to: String,
    pub(crate) smtp_host: String,
    pub(crate) smtp_port: u16,
    pub(crate) smtp_auth: Auth,
    pub(crate) imap_host: String,
    pub(crate) imap_port: u16,
    pub(crate) imap_auth: Auth,
    pub(crate) max_attachment_bytes: u32,
    pub(crate) plus_addressing: bool,
    pub(crate) default_subject: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            email_address: String::new(),
            display_name: String::new(),
            reply_to: String::new(),
            smtp_host: String::new(),
            smtp_port: 587,
            smtp_auth: Auth::default(),
            imap_host: String::new(),
            imap_port: 993,
            imap_auth: Auth::default(),
            max_attachment_bytes: 18 * 1024 * 1024,
            plus_addressing: false,
            default_subject: String::new(),
        }
    }
}

impl Settings {
    /// Whether letters are fetched.
    pub(crate) fn receives(&self) -> bool {
        !self.imap_host.is_empty()
    }
}

/// Normalises: text without spaces around it, domains in lower case and in ASCII, the servers of a known provider, the port that
/// belongs to the encryption, what is empty left out. Then names everything that is wrong.
pub(crate) fn configure(settings: &str) -> Result<String, Failure> {
    let mut object: Map<String, Value> = hooks::parse_settings(settings)?;
    for value in object.values_mut() {
        if let Value::String(text) = value {
            *text = text.trim().to_owned();
        }
    }
    object.retain(|_, value| !value.is_null() && value != "" && value.as_array().is_none_or(|items| !items.is_empty()));
    fill(&mut object);
    let problems = check::problems(&mut object);
    problems.settled()?;
    let normalised = Value::Object(object).to_string();
    hooks::parse_settings::<Settings>(&normalised)?;
    Ok(normalised)
}

/// What follows from other settings.
fn fill(object: &mut Map<String, Value>) {
    let text = |object: &Map<String, Value>, name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let provider = Provider::named(&text(object, "provider")).unwrap_or(Provider::Custom);
    for (name, host) in provider.hosts().into_iter().flatten() {
        let standing = text(object, name);
        // Another provider's was filled in before the account changed hands.
        let others =
            [Provider::Google, Provider::Microsoft].into_iter().filter_map(Provider::hosts).flatten().any(|(_, known)| known == standing);
        if standing.is_empty() || others {
            object.insert(name.to_owned(), host.into());
        }
    }
    if provider != Provider::Custom {
        for name in ["smtp_auth", "imap_auth"] {
            if text(object, name) != "oauthbearer" {
                object.insert(name.to_owned(), "xoauth2".into());
            }
        }
    }
    // Who fetches letters is who sends them.
    if !text(object, "imap_host").is_empty() && text(object, "imap_auth").is_empty() {
        let auth = Some(text(object, "smtp_auth")).filter(|auth| matches!(auth.as_str(), "login" | "xoauth2" | "oauthbearer"));
        object.insert("imap_auth".to_owned(), auth.unwrap_or_else(|| "plain".to_owned()).into());
    }
    // A port that is known for the other kind of encryption is the one that was there by default.
    for (security, port, ports) in [
        ("smtp_security", "smtp_port", [("tls", 465), ("starttls", 587)]),
        ("imap_security", "imap_port", [("tls", 993), ("starttls", 143)]),
    ] {
        let wanted = ports.into_iter().find(|(kind, _)| *kind == text(object, security)).map(|(_, port)| port);
        let standing = object.get(port).and_then(Value::as_u64);
        if let Some(wanted) = wanted
            && (standing.is_none() || ports.into_iter().any(|(_, other)| standing == Some(other)))
        {
            object.insert(port.to_owned(), wanted.into());
        }
    }
}
