#![doc = include_str!("../README.md")]

mod access;
mod admin;
mod connect;
mod health;
mod json;
pub mod receive;
mod refusal;
mod send;
mod settings;
mod webhooks;

use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure};

/// The chat of a Shopify shop, through the merchant's own app.
#[derive(Debug)]
pub struct ShopifyInbox;

impl Channel for ShopifyInbox {
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

patchbay_plugin::channel!(ShopifyInbox);

#[cfg(test)]
mod tests;
