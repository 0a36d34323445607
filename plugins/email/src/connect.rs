//! Bringing a mailbox into service: both servers are asked to take the login.

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::mail::{self, Probed};
use patchbay_plugin::{Call, Failure, Field, crypto};

use crate::address::Mailbox;
use crate::server::{IN, OUT, failed};
use crate::settings::Settings;

/// Characters of a greeting that is shown.
const GREETING_MAX: usize = 200;

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    // Servers were told nothing that they could forget.
    if matches!(input.step, Step::Disconnect) {
        return Ok(Outcome::connected(Connected {
            external_id: String::new(),
            display_name: String::new(),
            settings: None,
            facts: Vec::new(),
            routes: Vec::new(),
        }));
    }
    let settings: Settings = call.settings()?;
    secrets(&settings)?;
    let mailbox = Mailbox::parse(&settings.email_address).map_err(|why| Failure::invalid("/email_address", why))?;
    let mut facts = sending(&settings, &mail::probe(OUT).map_err(|failure| failed(&settings, OUT, failure))?);
    if settings.receives() {
        facts.extend(receiving(&settings, &mail::probe(IN).map_err(|failure| failed(&settings, IN, failure))?));
    }
    facts.push(Field::new("receives", settings.receives().to_string()));
    let display_name = match settings.display_name.trim() {
        "" => mailbox.address.clone(),
        name => format!("{name} <{}>", mailbox.address),
    };
    Ok(Outcome::connected(Connected { external_id: mailbox.address, display_name, settings: None, facts, routes: Vec::new() }))
}

/// Which secrets are needed is known only now.
fn secrets(settings: &Settings) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut need = |name: &str, message: &str| {
        problems.push(FieldProblem { pointer: format!("/{name}"), message: message.to_owned() });
    };
    let has = |name: &str| crypto::has(name);
    if settings.smtp_auth.takes_password() && !has("password") {
        need("password", "is needed: the mailbox's password, or an app password where the provider asks for one");
    }
    if settings.receives() && settings.imap_auth.takes_password() && !has("password") && !has("imap_password") {
        need("imap_password", "is needed to fetch letters: the password at the IMAP server");
    }
    let token = settings.smtp_auth.takes_token() || (settings.receives() && settings.imap_auth.takes_token());
    if token && !has("access_token") {
        need(
            "access_token",
            "is needed for xoauth2 and oauthbearer: choose the provider google or microsoft and authorise the account, or give a token",
        );
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Invalid(problems)) }
}

fn sending(settings: &Settings, probed: &Probed) -> Vec<Field> {
    let mut facts = vec![
        Field::new("smtp_server", format!("{}:{}", settings.smtp_host, settings.smtp_port)),
        Field::new("smtp_greeting", shortened(&probed.greeting)),
    ];
    facts.extend(letter_max(&probed.capabilities).map(|size| Field::new("smtp_max_bytes", size.to_string())));
    facts.push(Field::new("smtp_utf8", has(&probed.capabilities, "SMTPUTF8").to_string()));
    facts
}

fn receiving(settings: &Settings, probed: &Probed) -> Vec<Field> {
    vec![
        Field::new("imap_server", format!("{}:{}", settings.imap_host, settings.imap_port)),
        Field::new("imap_greeting", shortened(&probed.greeting)),
        Field::new("imap_idle", has(&probed.capabilities, "IDLE").to_string()),
    ]
}

/// Bytes of the largest letter that the server takes: `SIZE 35882577`.
fn letter_max(capabilities: &[String]) -> Option<u64> {
    let size = capabilities.iter().find_map(|capability| {
        let (name, size) = capability.split_once([' ', '='])?;
        name.eq_ignore_ascii_case("size").then_some(size)
    });
    size.and_then(|size| size.trim().parse().ok()).filter(|size| *size > 0)
}

fn has(capabilities: &[String], wanted: &str) -> bool {
    capabilities.iter().any(|capability| capability.eq_ignore_ascii_case(wanted))
}

fn shortened(greeting: &str) -> String {
    greeting.chars().filter(|character| !character.is_control()).take(GREETING_MAX).collect()
}
