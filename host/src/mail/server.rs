//! A mail server of an account: what a target of the manifest, the account's settings and its secrets say together.

use std::collections::BTreeMap;

use lettre::transport::smtp::extension::ClientId;
use patchbay_sandbox::services::Denial;
use ring::digest::{Context, SHA256};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failing::{denied, rejected};
use crate::domain::failure::Failure;
use crate::manifest::{MailAuth, MailProtocol, MailSecurity, MailTarget, Manifest};
use crate::secrets::Secret;

#[derive(Debug, Clone)]
pub(super) struct Server {
    /// The manifest's name for it.
    pub(super) target: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: MailSecurity,
    pub(super) auth: MailAuth,
    pub(super) username: String,
    /// The password or the token. Empty where nobody logs in.
    pub(super) credential: Secret,
    /// Further certificates to trust, in PEM.
    pub(super) ca: Option<String>,
    pub(super) hello: ClientId,
    /// Whether the account wants letters waited for.
    pub(super) watches: bool,
    /// The names of settings, for what is told.
    pub(super) security_setting: String,
    pub(super) ca_setting: Option<String>,
    /// The same for the same server, reached the same way as the same user with the same credential.
    pub(super) fingerprint: [u8; 32],
}

impl Server {
    /// # Errors
    /// There is no such target of that protocol, a setting is missing or wrong, or the credential isn't there.
    pub(super) fn find(
        manifest: &Manifest,
        settings: &Value,
        secrets: &BTreeMap<String, Secret>,
        name: &str,
        protocol: MailProtocol,
    ) -> Result<Server, Failure> {
        let target =
            manifest.mail.get(name).ok_or_else(|| denied(Denial::UnknownTarget, format!("the manifest has no mail target \"{name}\"")))?;
        if target.protocol != protocol {
            return Err(denied(Denial::NotGranted, format!("the mail target \"{name}\" is of another protocol")));
        }
        let security = word(settings, &target.security)?.unwrap_or(MailSecurity::Tls);
        let auth = word(settings, &target.auth)?.unwrap_or(MailAuth::Plain);
        let username = target.username.iter().find_map(|name| text(settings, name)).unwrap_or_default().to_owned();
        let server = Server {
            target: name.to_owned(),
            host: host(settings, &target.host)?,
            port: port(settings, &target.port)?.unwrap_or_else(|| usual_port(protocol, security)),
            security,
            auth,
            credential: credential(target, secrets, auth)?,
            ca: target.ca.as_ref().and_then(|name| text(settings, name)).map(str::to_owned),
            hello: hello(target, settings, &username)?,
            username,
            watches: target.idle.as_ref().is_some_and(|name| settings.get(name) != Some(&Value::Bool(false))),
            security_setting: target.security.clone(),
            ca_setting: target.ca.clone(),
            fingerprint: [0; 32],
        };
        Ok(Server { fingerprint: server.fingerprint(), ..server })
    }

    fn fingerprint(&self) -> [u8; 32] {
        let Server { host, port, security, auth, username, credential, ca, hello, .. } = self;
        let mut context = Context::new(&SHA256);
        for part in
            [&format!("{host}\n{port}\n{security:?}\n{auth:?}\n{hello}"), username, credential.expose(), ca.as_deref().unwrap_or("")]
        {
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        fingerprint
    }
}

/// A setting's text, where it is set.
fn text<'a>(settings: &'a Value, name: &str) -> Option<&'a str> {
    settings.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn wrong(name: &str, why: &str) -> Failure {
    denied(Denial::NotGranted, format!("the setting {name} {why}"))
}

fn word<Word: DeserializeOwned>(settings: &Value, name: &str) -> Result<Option<Word>, Failure> {
    let Some(text) = text(settings, name) else { return Ok(None) };
    let word = serde_json::from_value(Value::from(text)).map_err(|_| wrong(name, &format!("can't be \"{text}\"")))?;
    Ok(Some(word))
}

fn host(settings: &Value, name: &str) -> Result<String, Failure> {
    let host = text(settings, name).ok_or_else(|| wrong(name, "isn't set, and it is the server to connect to"))?;
    let host = host.trim_matches(['[', ']']);
    let plain = host.len() <= 253 && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'_'));
    if !plain || (host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(wrong(name, "must be the name or the address of a host and no more: mail.example.com"));
    }
    Ok(host.to_ascii_lowercase())
}

fn port(settings: &Value, name: &str) -> Result<Option<u16>, Failure> {
    match settings.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let port = value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
            port.map(Some).ok_or_else(|| wrong(name, "must be a port, 1 to 65535"))
        }
    }
}

fn usual_port(protocol: MailProtocol, security: MailSecurity) -> u16 {
    match (protocol, security) {
        (MailProtocol::Smtp, MailSecurity::Tls) => 465,
        (MailProtocol::Smtp, MailSecurity::Starttls | MailSecurity::None) => 587,
        (MailProtocol::Imap, MailSecurity::Tls) => 993,
        (MailProtocol::Imap, MailSecurity::Starttls | MailSecurity::None) => 143,
    }
}

fn credential(target: &MailTarget, secrets: &BTreeMap<String, Secret>, auth: MailAuth) -> Result<Secret, Failure> {
    let names: Vec<&str> = match auth {
        MailAuth::None => return Ok(Secret::from("")),
        MailAuth::Plain | MailAuth::Login => target.password.iter().map(String::as_str).collect(),
        MailAuth::Xoauth2 | MailAuth::Oauthbearer => target.token.iter().map(String::as_str).collect(),
    };
    let found = names.iter().find_map(|name| secrets.get(*name).filter(|secret| !secret.expose().is_empty()));
    found.cloned().ok_or_else(|| {
        let asked = if names.is_empty() { "a secret for it".to_owned() } else { format!("the secret {}", names.join(" or ")) };
        denied(Denial::CredentialMissing, format!("the setting {} says how to log in, and {asked} isn't set", target.auth))
    })
}

/// What the gateway calls itself: as the account has it, else the domain of the name that it logs in with.
fn hello(target: &MailTarget, settings: &Value, username: &str) -> Result<ClientId, Failure> {
    let is_plain =
        |name: &str| name.len() <= 253 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    if let Some((setting, name)) = target.hello.as_ref().and_then(|setting| Some((setting, text(settings, setting)?))) {
        let why = format!("the setting {setting} must be the name of a host: mail.example.com");
        return if is_plain(name) { Ok(ClientId::Domain(name.to_owned())) } else { Err(rejected("ehlo_name", why)) };
    }
    let domain = username.rsplit_once('@').map(|(_, domain)| domain).filter(|domain| !domain.is_empty() && is_plain(domain));
    Ok(domain.map_or(ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST), |domain| ClientId::Domain(domain.to_owned())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mail::tests::manifest;

    fn found(target: &str, settings: &Value) -> Result<Server, Failure> {
        let secrets = [("password", "pass-word"), ("access_token", "to-ken")].map(|(name, value)| (name.to_owned(), Secret::from(value)));
        let protocol = if target == "out" { MailProtocol::Smtp } else { MailProtocol::Imap };
        Server::find(&manifest(), settings, &secrets.into(), target, protocol)
    }

    #[test]
    fn settings_and_secrets_make_a_server() {
        let server = found("out", &json!({"smtp_host": " Mail.Example.com ", "email_address": "me@example.org"})).unwrap();
        assert_eq!(
            (server.host.as_str(), server.port, server.security, server.auth),
            ("mail.example.com", 465, MailSecurity::Tls, MailAuth::Plain)
        );
        assert_eq!((server.username.as_str(), server.credential.expose()), ("me@example.org", "pass-word"));
        assert_eq!(server.hello.to_string(), "example.org");
        let settings = json!({"smtp_host": "::1", "smtp_port": 2525, "smtp_security": "none", "smtp_auth": "xoauth2", "smtp_username": "other",
            "email_address": "me@example.org", "ehlo_name": "gw.example.org", "tls_ca_pem": "x"});
        let server = found("out", &settings).unwrap();
        assert_eq!((server.port, server.username.as_str(), server.credential.expose()), (2525, "other", "to-ken"));
        assert_eq!((server.hello.to_string().as_str(), server.ca.as_deref()), ("gw.example.org", Some("x")));
    }

    #[test]
    fn usual_ports_follow_the_encryption() {
        for (target, security, port) in [("out", "tls", 465), ("out", "starttls", 587), ("in", "tls", 993), ("in", "starttls", 143)] {
            let settings =
                json!({"smtp_host": "a.example", "imap_host": "a.example", "smtp_security": security, "imap_security": security});
            assert_eq!(found(target, &settings).unwrap().port, port, "{target} {security}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (target, settings, code, named) in [
            ("gone", json!({}), "unknown_target", "\"gone\""),
            ("out", json!({}), "not_granted", "smtp_host"),
            ("out", json!({"smtp_host": "https://a.example"}), "not_granted", "smtp_host"),
            ("out", json!({"smtp_host": "a.example:25"}), "not_granted", "smtp_host"),
            ("out", json!({"smtp_host": "a.example", "smtp_port": 70000}), "not_granted", "smtp_port"),
            ("out", json!({"smtp_host": "a.example", "smtp_security": "ssl"}), "not_granted", "smtp_security"),
            ("out", json!({"smtp_host": "a.example", "ehlo_name": "a\r\nRSET"}), "ehlo_name", "ehlo_name"),
        ] {
            let failure = found(target, &settings).unwrap_err();
            assert!(failure.code == code && failure.message.contains(named), "{settings}: {failure:?}");
        }
        let none = BTreeMap::new();
        let settings = json!({"smtp_host": "a.example", "imap_host": "a.example"});
        let failure = Server::find(&manifest(), &settings, &none, "out", MailProtocol::Smtp).unwrap_err();
        assert!(failure.code == "credential_missing" && failure.message.contains("password"), "{failure:?}");
        assert_eq!(Server::find(&manifest(), &settings, &none, "out", MailProtocol::Imap).unwrap_err().code, "not_granted");
        assert!(
            Server::find(&manifest(), &json!({"smtp_host": "a.example", "smtp_auth": "none"}), &none, "out", MailProtocol::Smtp).is_ok()
        );
    }

    #[test]
    fn the_fingerprint_changes_with_whatever_a_connection_depends_on() {
        let base = json!({"imap_host": "a.example", "email_address": "me@example.org"});
        let first = found("in", &base).unwrap().fingerprint;
        assert_eq!(found("in", &base).unwrap().fingerprint, first);
        for (name, value) in [
            ("imap_host", json!("b.example")),
            ("imap_port", json!(1)),
            ("imap_security", json!("starttls")),
            ("imap_auth", json!("login")),
            ("email_address", json!("you@example.org")),
            ("tls_ca_pem", json!("x")),
        ] {
            let mut other = base.clone();
            other[name] = value;
            assert_ne!(found("in", &other).unwrap().fingerprint, first, "{name}");
        }
    }

    #[test]
    fn waiting_is_on_where_the_manifest_has_it_and_the_account_did_not_turn_it_off() {
        assert!(found("in", &json!({"imap_host": "a.example"})).unwrap().watches);
        assert!(!found("in", &json!({"imap_host": "a.example", "use_idle": false})).unwrap().watches);
        assert!(!found("out", &json!({"smtp_host": "a.example"})).unwrap().watches);
    }
}
