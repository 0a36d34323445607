#![doc = include_str!("../README.md")]

mod connect;
mod health;
mod preview;
mod probe;
mod receive;
mod send;
mod settings;

use patchbay_plugin::hooks::{Account, Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure, Preview};

/// Pushes to a mobile app that has Appgain's SDK.
#[derive(Debug)]
pub struct ShrinkItPush;

impl Channel for ShrinkItPush {
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

impl Preview for ShrinkItPush {
    fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
        preview::facts(account, message)
    }
}

patchbay_plugin::channel!(ShrinkItPush: Preview);

#[cfg(test)]
mod tests;
