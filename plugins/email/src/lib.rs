#![doc = include_str!("../README.md")]

mod address;
mod compose;
mod connect;
mod draft;
mod health;
mod letter;
mod poll;
mod preview;
mod receive;
mod report;
mod send;
mod server;
mod settings;
mod thread;

use patchbay_plugin::hooks::{Account, Connecting, Outcome, Page, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure, Polling, Preview};

/// E-mail, by the mailbox's own SMTP and IMAP servers.
#[derive(Debug)]
pub struct Email;

impl Channel for Email {
    fn configure(settings: &str) -> Result<String, Failure> {
        settings::configure(settings)
    }

    fn connect(call: &Call, input: Connecting) -> Result<Outcome, Failure> {
        connect::step(call, &input)
    }

    fn send(call: &Call, message: Outbound) -> Sent {
        send::send(call, &message).into()
    }

    fn parse_inbound(_: Webhook) -> Result<Parsed, Failure> {
        Err(Failure::rejected("mail_is_polled", "letters are fetched by IMAP: nothing is read from webhooks"))
    }

    fn health(call: &Call) -> Result<Report, Failure> {
        health::report(call)
    }
}

impl Polling for Email {
    fn poll(call: &Call, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        poll::page(call, cursor.as_deref())
    }
}

impl Preview for Email {
    fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
        preview::preview(account, message)
    }
}

patchbay_plugin::channel!(Email: Polling, Preview);

#[cfg(test)]
mod tests;
