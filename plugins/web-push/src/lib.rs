#![doc = include_str!("../README.md")]

mod address;
mod connect;
mod encryption;
mod endpoint;
mod health;
mod notice;
mod place;
mod preview;
mod receive;
mod send;
mod settings;
mod token;
mod vapid;
mod verdict;

use patchbay_plugin::hooks::{Account, Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure, Preview};

/// Notifications to browsers.
#[derive(Debug)]
pub struct WebPush;

impl Channel for WebPush {
    fn configure(settings: &str) -> Result<String, Failure> {
        settings::configure(settings)
    }

    fn connect(call: &Call, input: Connecting) -> Result<Outcome, Failure> {
        connect::step(call, &input)
    }

    fn send(call: &Call, message: Outbound) -> Sent {
        send::send(call, &message).into()
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        receive::webhook(&webhook)
    }

    fn health(call: &Call) -> Result<Report, Failure> {
        health::report(call)
    }
}

impl Preview for WebPush {
    fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
        preview::preview(account, message)
    }
}

patchbay_plugin::channel!(WebPush: Preview);

#[cfg(test)]
mod tests;
