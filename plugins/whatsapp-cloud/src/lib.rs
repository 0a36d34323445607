//! Being written.

mod receive;

use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure};

/// WhatsApp's Cloud API.
#[derive(Debug)]
pub struct WhatsAppCloud;

impl Channel for WhatsAppCloud {
    fn connect(_: &Call, _: Connecting) -> Result<Outcome, Failure> {
        Err(Failure::fault("unfinished", "not yet"))
    }

    fn send(_: &Call, _: Outbound) -> Sent {
        Sent::failed(Failure::fault("unfinished", "not yet"))
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        receive::webhook(&webhook)
    }
}

patchbay_plugin::channel!(WhatsAppCloud);
