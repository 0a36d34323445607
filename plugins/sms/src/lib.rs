#![doc = include_str!("../README.md")]

mod connect;
mod health;
mod notify;
mod plan;
mod preview;
mod receive;
mod recipient;
pub mod segments;
mod send;
mod settings;
mod smart;
mod victorylink;

use patchbay_plugin::hooks::{Account, Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure, Preview};

/// SMS, by Appgain Notify or VictoryLink.
#[derive(Debug)]
pub struct Sms;

impl Channel for Sms {
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

impl Preview for Sms {
    fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
        preview::preview(account, message)
    }
}

patchbay_plugin::channel!(Sms: Preview);

#[cfg(test)]
mod tests;
