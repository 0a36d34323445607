#![doc = include_str!("../README.md")]

mod connect;
mod facts;
mod health;
mod media;
mod receive;
mod send;
mod settings;
mod templates;

use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Report, TemplatePage, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Blob, Call, Channel, Failure, MediaDownload, Templates};

/// Business numbers of WhatsApp on Meta's Cloud API.
#[derive(Debug)]
pub struct WhatsAppCloud;

impl Channel for WhatsAppCloud {
    fn configure(settings: &str) -> Result<String, Failure> {
        settings::configure(settings)
    }

    fn connect(call: &Call, input: Connecting) -> Result<Outcome, Failure> {
        connect::step(call, &input)
    }

    fn send(call: &Call, message: Outbound) -> Sent {
        send::send(call, &message)
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        receive::webhook(&webhook)
    }

    fn health(call: &Call) -> Result<Report, Failure> {
        health::report(call)
    }
}

impl MediaDownload for WhatsAppCloud {
    fn download(call: &Call, provider_ref: &str) -> Result<Blob, Failure> {
        media::download(call, provider_ref)
    }
}

impl Templates for WhatsAppCloud {
    fn list_templates(call: &Call, cursor: Option<String>) -> Result<TemplatePage, Failure> {
        templates::page(call, cursor.as_deref())
    }
}

patchbay_plugin::channel!(WhatsAppCloud: MediaDownload, Templates);
