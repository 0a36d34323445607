//! Messages and commands → calls of the Cloud API.
//!
//! A message is planned first ([`plan`]): the calls that it takes, all checked before the first is made. Then it is carried out
//! ([`deliver`]), and what was accepted is kept, so that another attempt doesn't send it again.

mod address;
mod command;
mod custom;
mod deliver;
mod format;
mod interactive;
mod media;
mod plan;
mod put;
mod template;
mod upload;

use patchbay_plugin::messages::{Command, Outbound, Sent};
use patchbay_plugin::{Call, Failure};

use crate::settings::Settings;
use address::Recipient;

/// Everything that a send is made of.
struct Context<'a> {
    call: &'a Call,
    settings: Settings,
    number: String,
    message: &'a Outbound,
}

pub(crate) fn send(call: &Call, message: &Outbound) -> Sent {
    let context = Settings::of(call).and_then(|settings| {
        let number = settings.number(call)?.to_owned();
        Ok(Context { call, settings, number, message })
    });
    match context {
        Ok(context) => context.send(),
        Err(failure) => Sent::failed(failure),
    }
}

impl Context<'_> {
    fn send(&self) -> Sent {
        match &self.message.command {
            Command::Message(contents) => match self.recipient().and_then(|to| Ok((to, plan::steps(self, contents)?))) {
                Ok((to, steps)) => deliver::all(self, &to, steps),
                Err(failure) => Sent::failed(failure),
            },
            Command::React(reaction) => match self.recipient() {
                Ok(to) => deliver::all(self, &to, vec![command::reaction(reaction)]),
                Err(failure) => Sent::failed(failure),
            },
            Command::MarkRead(target) => command::mark_read(self, target).into(),
            Command::Typing(on) => command::typing(self, *on).into(),
            Command::Edit(_) => Sent::failed(Failure::unsupported("edit", "the Cloud API can't edit what was sent")),
            Command::Delete(_) => Sent::failed(Failure::unsupported("delete", "the Cloud API can't take back what was sent")),
            Command::Custom(custom) => Sent::failed(Failure::unsupported(
                "command",
                format!("there is no command {}: send it as a content of a message", custom.kind),
            )),
        }
    }

    fn recipient(&self) -> Result<Recipient, Failure> {
        Recipient::parse(&self.message.to)
    }
}

#[cfg(test)]
mod tests;
