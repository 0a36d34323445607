#![doc = include_str!("../README.md")]

mod api;
mod clock;
mod connect;
mod health;
mod json;
mod media;
mod receive;
mod refusal;
mod send;
mod settings;
mod token;
mod webhook;
mod window;

use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Blob, Call, Channel, Failure, MediaDownload};

/// The direct messages of TikTok's Business Accounts.
#[derive(Debug)]
pub struct TikTok;

impl Channel for TikTok {
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

impl MediaDownload for TikTok {
    fn download(call: &Call, provider_ref: &str) -> Result<Blob, Failure> {
        media::download(call, provider_ref)
    }
}

patchbay_plugin::channel!(TikTok: MediaDownload);

#[cfg(test)]
mod tests;
