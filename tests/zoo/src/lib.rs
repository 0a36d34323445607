#![doc = include_str!("../README.md")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a plugin that traps is what it is for")]

mod receive;
mod send;
mod tricks;

use std::collections::BTreeMap;

use patchbay_plugin::hooks::{Account, Check, Connected, Connecting, Outcome, Page, Parsed, Report, TemplatePage, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Blob, Call, Channel, Failure, MediaDownload, Polling, Preview, Templates, hooks};
use serde::Deserialize;

/// What a cage holds.
#[derive(Debug)]
pub struct Zoo;

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    external_id: String,
    #[serde(default)]
    tricks: BTreeMap<String, String>,
}

/// Does what the account's settings ask of the hook, if anything.
fn obey(settings: &str, hook: &str) -> Result<Settings, Failure> {
    let settings: Settings = hooks::parse_settings(settings)?;
    if let Some(trick) = settings.tricks.get(hook) {
        tricks::play(trick)?;
    }
    Ok(settings)
}

impl Channel for Zoo {
    fn configure(settings: &str) -> Result<String, Failure> {
        obey(settings, "configure")?;
        Ok(settings.to_owned())
    }

    fn connect(call: &Call, _: Connecting) -> Result<Outcome, Failure> {
        let external_id = obey(&call.account.settings, "connect")?.external_id;
        let display_name = external_id.clone();
        Ok(Outcome::connected(Connected { external_id, display_name, settings: None, facts: Vec::new(), routes: Vec::new() }))
    }

    fn send(_: &Call, message: Outbound) -> Sent {
        send::send(&message)
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        receive::receive(&webhook)
    }

    fn health(call: &Call) -> Result<Report, Failure> {
        obey(&call.account.settings, "health")?;
        Ok(Report::checks(vec![Check::ok("alive")]))
    }
}

impl Polling for Zoo {
    fn poll(call: &Call, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        obey(&call.account.settings, "poll")?;
        Ok(Page { events: Vec::new(), cursor, more: false })
    }
}

impl MediaDownload for Zoo {
    fn download(_: &Call, provider_ref: &str) -> Result<Blob, Failure> {
        tricks::play(provider_ref)?;
        Ok(Blob::new("text/plain"))
    }
}

impl Templates for Zoo {
    fn list_templates(call: &Call, _: Option<String>) -> Result<TemplatePage, Failure> {
        obey(&call.account.settings, "list_templates")?;
        Ok(TemplatePage { templates: Vec::new(), cursor: None })
    }
}

impl Preview for Zoo {
    fn preview(_: &Account, message: &Outbound) -> Result<String, Failure> {
        if let Some(trick) = send::text(message).strip_prefix('?') {
            tricks::play(trick)?;
        }
        Ok(String::new())
    }
}

patchbay_plugin::channel!(Zoo: Polling, MediaDownload, Templates, Preview);
