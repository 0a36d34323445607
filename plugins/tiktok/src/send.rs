//! Messages and commands → calls of TikTok's.
//!
//! A message is planned first ([`plan`]): the calls that it takes, all checked before the first is made. Then it is carried out
//! ([`deliver`]), and what was accepted is kept, so that another attempt doesn't send it again.

mod card;
mod command;
mod deliver;
mod history;
mod image;
mod plan;
mod progress;
mod quote;
#[cfg(test)]
mod tests;

use patchbay_plugin::http::Request;
use patchbay_plugin::messages::{Command, Outbound, Sent};
use patchbay_plugin::{Call, Failure};
use serde_json::{Value, json};

use crate::api::{self, Trouble};
use crate::settings::business_id;
use crate::window::Context;

/// Everything that a send is made of.
struct Sending<'a> {
    call: &'a Call,
    business_id: &'a str,
    to: Recipient<'a>,
    message: &'a Outbound,
    /// What the person's last message handed over.
    context: Option<Context>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Recipient<'a> {
    Conversation(&'a str),
    /// A comment is answered by a direct message.
    Comment(&'a str),
}

impl<'a> Recipient<'a> {
    fn parse(to: &'a str) -> Result<Self, Failure> {
        match to.strip_prefix("comment:") {
            Some("") => Err(Failure::invalid("/to", "names no comment: comment:<id>")),
            Some(comment) => Ok(Self::Comment(comment)),
            None if to.is_empty() => Err(Failure::invalid("/to", "is TikTok's id of a conversation: the person has to write first")),
            None => Ok(Self::Conversation(to)),
        }
    }

    fn address(self) -> Value {
        match self {
            Self::Conversation(id) => json!({"recipient_type": "CONVERSATION", "recipient": id}),
            Self::Comment(id) => json!({"direct_reply": {"reply_type": "COMMENT_REPLY", "comment_reply": {"comment_id": id}}}),
        }
    }
}

pub(crate) fn send(call: &Call, message: &Outbound) -> Sent {
    let sending = business_id(call).and_then(|business_id| {
        let to = message.conversation.as_deref().filter(|conversation| !conversation.is_empty()).unwrap_or(&message.to);
        let context = Context::read(message.reply_context.as_deref());
        Ok(Sending { call, business_id, to: Recipient::parse(to)?, message, context })
    });
    sending.map_or_else(Sent::failed, |sending| sending.send())
}

impl Sending<'_> {
    fn send(&self) -> Sent {
        match &self.message.command {
            Command::Message(contents) => match plan::steps(contents) {
                Ok(steps) => deliver::all(self, &steps),
                Err(failure) => Sent::failed(failure),
            },
            Command::Typing(true) => command::act(self, "TYPING", None).into(),
            // It ends by itself after five seconds.
            Command::Typing(false) => command::done(None),
            Command::MarkRead(target) => command::act(self, "MARK_READ", Some(target.as_str()).filter(|id| !id.is_empty())).into(),
            Command::React(_) => Sent::failed(Failure::unsupported("react", "TikTok has no call that sets a reaction")),
            Command::Edit(_) => Sent::failed(Failure::unsupported("edit", "TikTok can't edit what was sent")),
            Command::Delete(_) => Sent::failed(Failure::unsupported("delete", "TikTok can't take back what was sent")),
            Command::Custom(custom) => {
                let words = format!("there is no command {}: share_post is a content of a message", custom.kind);
                Sent::failed(Failure::unsupported("command", words))
            }
        }
    }

    /// A call of the one address that everything goes out by.
    fn post(&self, fields: Value) -> Result<Request, patchbay_plugin::http::Error> {
        let mut body = json!({"business_id": self.business_id});
        if let Value::Object(body) = &mut body {
            for more in [self.to.address(), fields] {
                body.extend(more.as_object().cloned().unwrap_or_default());
            }
        }
        Request::post("api", "/business/message/send/").json(&body)
    }

    fn ask(&self, fields: Value) -> Result<Value, Trouble> {
        api::ask(self.post(fields)?)
    }
}
