//! The incoming half of E-mail.

mod letter;
mod poll;
mod receive;
mod report;
mod thread;

use patchbay_plugin::hooks::{Connecting, Outcome, Page, Parsed, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure, Polling};

/// E-mail, by the mailbox's own SMTP and IMAP servers.
#[derive(Debug)]
pub struct Email;

impl Channel for Email {
    fn connect(_: &Call, _: Connecting) -> Result<Outcome, Failure> {
        Err(Failure::fault("half", "the outgoing half is merged with this one"))
    }

    fn send(_: &Call, _: Outbound) -> Sent {
        Sent::failed(Failure::fault("half", "the outgoing half is merged with this one"))
    }

    fn parse_inbound(_: Webhook) -> Result<Parsed, Failure> {
        Err(Failure::rejected("mail_is_polled", "mail comes by IMAP: nothing is read from webhooks"))
    }
}

impl Polling for Email {
    fn poll(call: &Call, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        poll::page(call, cursor.as_deref())
    }
}

patchbay_plugin::channel!(Email: Polling);
