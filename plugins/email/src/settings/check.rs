//! What is wrong with settings, field by field.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::address::{Mailbox, ascii_domain};
use crate::compose::header::holds_control;
use crate::draft::Problems;

const TEXTS: &[&str] = &[
    "email_address",
    "display_name",
    "reply_to",
    "smtp_host",
    "smtp_username",
    "ehlo_name",
    "imap_host",
    "imap_username",
    "mailbox",
    "sent_mailbox",
    "initial_sync",
    "tls_ca_pem",
    "default_subject",
    "provider",
    "microsoft_tenant",
];
/// Characters of names and subjects.
const NAME_MAX: usize = 200;
/// Folders that are asked at each poll.
const FOLDERS_MAX: usize = 20;

/// Addresses and hosts are written as the network knows them.
pub(super) fn problems(object: &mut Map<String, Value>) -> Problems {
    let mut problems = Problems::default();
    for name in TEXTS {
        match object.get(*name) {
            Some(Value::String(text)) if *name != "tls_ca_pem" && holds_control(text) => {
                problems.add(format!("/{name}"), "holds a line break or another control character");
            }
            None | Some(Value::String(_)) => {}
            Some(_) => problems.add(format!("/{name}"), "is text"),
        }
    }
    addresses(object, &mut problems);
    hosts(object, &mut problems);
    choices(object, &mut problems);
    for name in ["display_name", "default_subject"] {
        if text(object, name).is_some_and(|text| text.chars().count() > NAME_MAX) {
            problems.add(format!("/{name}"), format!("has at most {NAME_MAX} characters"));
        }
    }
    if text(object, "tls_ca_pem").is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
        problems.add("/tls_ca_pem", "is one or more certificates as PEM: -----BEGIN CERTIFICATE----- …");
    }
    if text(object, "initial_sync").is_some_and(|date| date != "none" && date.parse::<jiff::civil::Date>().is_err()) {
        problems.add("/initial_sync", "is none, or the day from which letters are fetched: 2026-01-31");
    }
    folders(object, &mut problems);
    problems
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn addresses(object: &mut Map<String, Value>, problems: &mut Problems) {
    match text(object, "email_address").map(Mailbox::parse) {
        None => problems.add("/email_address", "is needed: the mailbox's own address"),
        Some(Err(why)) => problems.add("/email_address", why),
        Some(Ok(Mailbox { name: Some(_), .. })) => {
            problems.add("/email_address", "is the address alone: the name belongs into display_name");
        }
        Some(Ok(Mailbox { address, .. })) => {
            object.insert("email_address".to_owned(), address.into());
        }
    }
    if let Some(Err(why)) = text(object, "reply_to").map(Mailbox::parse) {
        problems.add("/reply_to", why);
    }
}

fn hosts(object: &mut Map<String, Value>, problems: &mut Problems) {
    if text(object, "smtp_host").is_none() {
        problems.add("/smtp_host", "is needed: the server that takes the mailbox's letters, such as smtp.example.com");
    }
    for name in ["smtp_host", "imap_host", "ehlo_name"] {
        let Some(given) = text(object, name) else { continue };
        let host = given.parse::<IpAddr>().map(|address| address.to_string()).ok().or_else(|| ascii_domain(given));
        match host {
            Some(host) => {
                object.insert(name.to_owned(), host.into());
            }
            None => {
                problems.add(format!("/{name}"), "is the name of a server alone, such as mail.example.com: no scheme, no port, no path");
            }
        }
    }
    for name in ["smtp_port", "imap_port"] {
        if object.get(name).is_some_and(|port| !port.as_u64().is_some_and(|port| (1..=65_535).contains(&port))) {
            problems.add(format!("/{name}"), "is a port, 1 to 65535");
        }
    }
    if text(object, "microsoft_tenant").is_some_and(|tenant| ascii_domain(tenant).is_none()) {
        problems.add("/microsoft_tenant", "is common, organizations, or the directory's id or domain");
    }
}

fn choices(object: &Map<String, Value>, problems: &mut Problems) {
    let one_of = |name: &str, known: &[&str], problems: &mut Problems| {
        let right = object.get(name).is_none_or(|value| value.as_str().is_some_and(|value| known.contains(&value)));
        if !right {
            problems.add(format!("/{name}"), format!("is one of {}", known.join(", ")));
        }
    };
    one_of("provider", &["custom", "google", "microsoft"], problems);
    for name in ["smtp_security", "imap_security"] {
        one_of(name, &["starttls", "tls", "none"], problems);
    }
    one_of("smtp_auth", &["plain", "login", "xoauth2", "oauthbearer", "none"], problems);
    one_of("imap_auth", &["plain", "login", "xoauth2", "oauthbearer"], problems);
    for name in ["use_idle", "mark_seen", "plus_addressing"] {
        if object.get(name).is_some_and(|value| !value.is_boolean()) {
            problems.add(format!("/{name}"), "is true or false");
        }
    }
    for (name, least, most) in [("poll_interval_s", 5, 3600), ("max_attachment_bytes", 0, 52_428_800)] {
        if object.get(name).is_some_and(|value| !value.as_u64().is_some_and(|value| (least..=most).contains(&value))) {
            problems.add(format!("/{name}"), format!("is a whole number from {least} to {most}"));
        }
    }
    if text(object, "imap_host").is_none() && text(object, "sent_mailbox").is_some() {
        problems.add("/imap_host", "is needed for sent_mailbox: folders are read from the IMAP server");
    }
}

fn folders(object: &Map<String, Value>, problems: &mut Problems) {
    match object.get("folders") {
        None => {}
        Some(Value::Array(folders)) if folders.len() <= FOLDERS_MAX => {
            for (n, folder) in folders.iter().enumerate() {
                if !folder.as_str().is_some_and(|folder| !folder.trim().is_empty() && !holds_control(folder)) {
                    problems.add(format!("/folders/{n}"), "is the name of a folder, as the server has it");
                }
            }
        }
        Some(_) => problems.add("/folders", format!("is a list of at most {FOLDERS_MAX} names of folders")),
    }
}
