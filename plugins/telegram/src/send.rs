//! Messages and commands → calls of the Bot API.
//!
//! A message is planned first ([`plan`]): the calls that it takes, all checked before the first is made. Then it is carried
//! out ([`deliver`]), step by step, and what was accepted is kept so that another attempt doesn't send it again.

mod command;
mod delete;
mod deliver;
mod edit;
mod keyboard;
mod markdown;
mod media;
mod plan;
mod split;
mod text;

use patchbay_plugin::hooks::parse_settings;
use patchbay_plugin::messages::{Command, Outbound, Sent};
use patchbay_plugin::{Call, Failure};

use crate::address::Chat;
use crate::settings::Settings;

/// The word for the channel that the settings name.
const BROADCAST: &str = "broadcast";

/// Everything that a send is made of.
struct Context<'a> {
    bot: String,
    settings: Settings,
    message: &'a Outbound,
}

pub(crate) fn send(call: &Call, message: &Outbound) -> Sent {
    match parse_settings::<Settings>(&call.account.settings) {
        Ok(settings) => {
            let bot = call.account.external_id.clone().unwrap_or_else(|| call.account.id.clone());
            Context { bot, settings, message }.send()
        }
        Err(failure) => Sent::failed(failure),
    }
}

impl Context<'_> {
    fn send(&self) -> Sent {
        match &self.message.command {
            Command::Message(contents) => match self.chat().and_then(|chat| Ok((plan::steps(self, contents)?, chat))) {
                Ok((steps, chat)) => deliver::all(self, chat, steps),
                Err(failure) => Sent::failed(failure),
            },
            Command::React(reaction) => command::react(reaction).into(),
            Command::Edit(edit) => edit::edit(self, edit).into(),
            Command::Delete(target) => delete::delete(self, target).into(),
            Command::Typing(on) => self.chat().and_then(|chat| command::typing(&chat, *on)).into(),
            Command::MarkRead(_) => Sent::failed(Failure::unsupported("mark_read", "Telegram bots can't mark messages as read")),
            Command::Custom(custom) => command::custom(self, custom).into(),
        }
    }

    fn chat(&self) -> Result<Chat, Failure> {
        let to = match self.message.to.as_str() {
            "" | BROADCAST => self
                .settings
                .broadcast_channel
                .as_deref()
                .ok_or_else(|| Failure::invalid("/to", "name a recipient, or set the account's broadcast_channel"))?,
            to => to,
        };
        Chat::parse(to)
    }
}

#[cfg(test)]
mod tests;
