#![doc = include_str!("../README.md")]

mod api;
mod connect;
mod health;
mod json;
mod little;
mod lookup;
mod receive;
mod refusal;
mod send;
mod settings;
mod subscription;
mod urn;

use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure};

/// LinkedIn: an organisation's page, or a member's own profile.
#[derive(Debug)]
pub struct LinkedIn;

impl Channel for LinkedIn {
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

patchbay_plugin::channel!(LinkedIn);

#[cfg(test)]
mod tests;
