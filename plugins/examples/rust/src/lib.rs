#![doc = include_str!("../README.md")]

mod connect;
mod health;
mod provider;
mod receive;
mod send;
mod settings;

use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure};

/// Acme Chat.
#[derive(Debug)]
pub struct AcmeChat;

impl Channel for AcmeChat {
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

patchbay_plugin::channel!(AcmeChat);

#[cfg(test)]
mod tests;
