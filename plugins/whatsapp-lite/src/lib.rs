#![doc = include_str!("../README.md")]

mod connect;
mod health;
mod media;
mod preview;
mod receive;
mod send;
mod session;
mod settings;
mod templates;

use patchbay_plugin::hooks::{Account, Connecting, Outcome, Parsed, Report, TemplatePage, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Blob, Call, Channel, Failure, MediaDownload, Preview, Templates};

/// Numbers of WhatsApp that are linked by QR code at Appgain.
#[derive(Debug)]
pub struct WhatsAppLite;

impl Channel for WhatsAppLite {
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

impl MediaDownload for WhatsAppLite {
    fn download(call: &Call, provider_ref: &str) -> Result<Blob, Failure> {
        media::download(call, provider_ref)
    }
}

impl Templates for WhatsAppLite {
    fn list_templates(call: &Call, _: Option<String>) -> Result<TemplatePage, Failure> {
        templates::page(call)
    }
}

impl Preview for WhatsAppLite {
    fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
        preview::facts(account, message)
    }
}

patchbay_plugin::channel!(WhatsAppLite: MediaDownload, Templates, Preview);

#[cfg(test)]
mod tests;
