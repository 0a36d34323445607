#![doc = include_str!("../README.md")]

mod address;
mod compose;
mod connect;
mod draft;
mod health;
mod preview;
mod send;
mod settings;
mod thread;

use patchbay_plugin::hooks::{Account, Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Call, Channel, Failure, Preview};

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

    /// Mail servers call nobody: letters are fetched.
    fn parse_inbound(_: Webhook) -> Result<Parsed, Failure> {
        Ok(Parsed::events(Vec::new()))
    }

    fn health(call: &Call) -> Result<Report, Failure> {
        health::report(call)
    }
}

impl Preview for Email {
    fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
        preview::preview(account, message)
    }
}

patchbay_plugin::channel!(Email: Preview);

#[cfg(test)]
mod tests;
