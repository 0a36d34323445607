#![doc = include_str!("../README.md")]

mod address;
mod api;
mod connect;
mod health;
mod json;
mod media;
mod poll;
pub mod receive;
mod refusal;
mod send;
mod settings;

use patchbay_plugin::hooks::{Connecting, Outcome, Page, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Blob, Call, Channel, Failure, MediaDownload, Polling};

/// Telegram bots: private chats, groups, topics and channels.
#[derive(Debug)]
pub struct Telegram;

impl Channel for Telegram {
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
        health::checks(call).map(Report::checks)
    }
}

impl Polling for Telegram {
    fn poll(call: &Call, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        poll::page(call, cursor.as_deref())
    }
}

impl MediaDownload for Telegram {
    fn download(_: &Call, provider_ref: &str) -> Result<Blob, Failure> {
        media::download(provider_ref)
    }
}

patchbay_plugin::channel!(Telegram: Polling, MediaDownload);
