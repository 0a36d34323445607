#![doc = include_str!("../README.md")]

use patchbay_meta::messaging;
use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure};

/// Instagram: the direct messages of a professional account.
#[derive(Debug)]
pub struct Instagram;

impl Channel for Instagram {
    fn connect(_: &Call, _: Connecting) -> Result<Outcome, Failure> {
        Err(Failure::fault("unfinished", "being written"))
    }

    fn send(_: &Call, _: Outbound) -> Sent {
        Sent::failed(Failure::fault("unfinished", "being written"))
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        messaging::webhook(messaging::INSTAGRAM, &webhook)
    }
}

patchbay_plugin::channel!(Instagram);

#[cfg(test)]
mod tests;
