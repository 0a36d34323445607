//! Messages and commands → calls of LinkedIn's API. To whom a message goes says what it is: a post, a comment, a message to a member.

mod attachment;
mod change;
mod comment;
mod direct;
mod place;
mod post;
mod publish;
mod upload;

use std::cell::Cell;

use patchbay_plugin::messages::{Accepted, Command, Content, Outbound, Sent};
use patchbay_plugin::{Call, Failure, Field};

use crate::settings::Settings;
use crate::urn;

/// A call may make sixteen requests; two are kept for the post and for reading it back.
const REQUESTS: u32 = 14;

/// Everything that a send is made of.
struct Context<'a> {
    call: &'a Call,
    settings: Settings,
    /// In whose name: an organisation's or a member's URN.
    author: &'a str,
    message: &'a Outbound,
    /// Requests that uploads may still make.
    left: Cell<u32>,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Destination<'a> {
    Feed,
    /// A post, or a comment.
    Comments(&'a str),
    Person(&'a str),
    Thread(&'a str),
}

pub(crate) fn send(call: &Call, message: &Outbound) -> Sent {
    act(call, message).into()
}

fn act(call: &Call, message: &Outbound) -> Result<Sent, Failure> {
    let author = call.account.external_id.as_deref().filter(|urn| !urn.is_empty());
    let author = author.ok_or_else(|| Failure::unauthorized("not_connected", "the account has no page yet: connect it"))?;
    let context = Context { call, settings: Settings::of(call)?, author, message, left: Cell::new(REQUESTS) };
    match &message.command {
        Command::Message(contents) => context.message(contents),
        Command::Edit(edit) => change::edit(&context, edit),
        Command::Delete(target) => change::delete(&context, target),
        Command::React(_) => Err(Failure::unsupported("react", "reactions aren't sent at LinkedIn")),
        Command::Typing(_) | Command::MarkRead(_) => Err(Failure::unsupported("command", "LinkedIn knows neither typing nor read marks")),
        Command::Custom(custom) => Err(Failure::unsupported("command", format!("there is no command {}", custom.kind))),
    }
}

impl Context<'_> {
    fn message(&self, contents: &[Content]) -> Result<Sent, Failure> {
        match self.destination()? {
            Destination::Feed => publish::publish(self, &post::draft(self, contents)?),
            Destination::Comments(target) => comment::comment(self, target, contents),
            Destination::Person(person) => direct::send(self, Destination::Person(person), contents),
            Destination::Thread(thread) => direct::send(self, Destination::Thread(thread), contents),
        }
    }

    fn destination(&self) -> Result<Destination<'_>, Failure> {
        let to = self.message.to.trim();
        match urn::kind(to) {
            _ if to == "feed" || to == self.author => Ok(Destination::Feed),
            "person" => Ok(Destination::Person(to)),
            _ if urn::is_thread(to) => Ok(Destination::Thread(to)),
            _ if urn::is_post(to) || urn::comment(to).is_some() => Ok(Destination::Comments(to)),
            _ if urn::is_author(to) => {
                Err(Failure::invalid("/to", format!("the account speaks for {}: posts go to that, or to feed", self.author)))
            }
            _ => Err(Failure::invalid(
                "/to",
                "is feed, or the URN of a post (urn:li:share:…), a comment, a conversation (urn:li:messageThread:…) or a member (urn:li:person:…)",
            )),
        }
    }
}

/// One part, with what the account's people may want to know of it.
fn accepted(external_id: Option<String>, extras: Vec<Field>) -> Sent {
    Sent { accepted: vec![Accepted { part: 0, external_id, extras }], failed: None, events: Vec::new() }
}

#[cfg(test)]
mod tests;
