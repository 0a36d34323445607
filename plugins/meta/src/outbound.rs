//! Messages and commands → the Send API, which Messenger and Instagram share but for limits and a few kinds.
//!
//! A message is planned first: the calls that it takes, all checked before the first is made. Then it is carried out step by step,
//! and what was accepted is kept, so that another attempt sends only what is missing.

mod action;
mod deliver;
mod media;
mod plan;
mod progress;
mod split;
mod template;

pub use progress::Progress;
pub use split::{Measure, split};

use patchbay_plugin::messages::{Command, Outbound, Sent};
use patchbay_plugin::{Call, Failure, Fields as _};
use serde_json::{Value, json};

use crate::graph::Graph;
use crate::refusal::Occasion;

/// What a channel takes.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Its name, for people.
    pub name: &'static str,
    /// The longest text of one message; longer ones become several.
    pub text_max: usize,
    /// How it counts a text.
    pub measure: Measure,
    /// Whether a file may be any, or PDF only.
    pub any_file: bool,
    /// Whether buttons may call a phone number.
    pub call_buttons: bool,
    /// Whether quick replies may ask for the phone number or e-mail address.
    pub contact_replies: bool,
    /// Whether an echo gives our id back.
    pub metadata: bool,
    /// Whether stickers have ids; else there is the heart.
    pub sticker_ids: bool,
}

/// One message on its way.
#[derive(Debug)]
pub struct Sending<'a> {
    /// The channel's rules.
    pub rules: &'a Rules,
    /// Where it is sent.
    pub graph: Graph<'a>,
    /// The sender: a Page or an Instagram account.
    pub node: &'a str,
    /// Whether people write the account's messages, who may answer for 7 days.
    pub human_agent: bool,
    /// The message.
    pub message: &'a Outbound,
    /// The call that it is sent in.
    pub call: &'a Call,
}

impl Sending<'_> {
    /// Sends it.
    #[must_use]
    pub fn send(&self) -> Sent {
        match &self.message.command {
            Command::Message(contents) => match self.recipient().and_then(|to| Ok((plan::steps(self, contents)?, to))) {
                Ok((steps, to)) => deliver::all(self, &to, steps),
                Err(failure) => Sent::failed(failure),
            },
            Command::React(reaction) => self.recipient().and_then(|to| action::react(self, &to, reaction)).into(),
            Command::Typing(on) => {
                self.recipient().and_then(|to| action::act(self, &to, if *on { "typing_on" } else { "typing_off" })).into()
            }
            Command::MarkRead(_) => self.recipient().and_then(|to| action::act(self, &to, "mark_seen")).into(),
            Command::Edit(_) => Sent::failed(self.unsupported("edit", "messages can't be edited once they are sent")),
            Command::Delete(_) => Sent::failed(self.unsupported("delete", "messages can't be taken back by the API")),
            Command::Custom(custom) => Sent::failed(self.unsupported("command", &format!("there is no command {}", custom.kind))),
        }
    }

    fn unsupported(&self, code: &str, words: &str) -> Failure {
        Failure::unsupported(code, format!("{}: {words}", self.rules.name))
    }

    fn occasion(&self) -> Occasion<'_> {
        Occasion { attempt: self.call.attempt, recipient: &self.message.to }
    }

    /// A person's id; `comment:<id>` and `post:<id>` answer those in private, `user_ref:<ref>` is a checkbox on a website.
    fn recipient(&self) -> Result<Value, Failure> {
        let to = self.message.to.trim();
        for (prefix, field) in [("comment:", "comment_id"), ("post:", "post_id"), ("user_ref:", "user_ref")] {
            if let Some(id) = to.strip_prefix(prefix).filter(|id| !id.is_empty()) {
                return Ok(json!({field: id}));
            }
        }
        if !to.is_empty() && to.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(json!({"id": to}));
        }
        Err(Failure::invalid(
            "/to",
            format!(
                "{} knows people by the id that their first message brought, which is digits only: no phone numbers, no names",
                self.rules.name
            ),
        ))
    }

    /// A message's option: an extra.
    fn option(&self, name: &str) -> Option<&str> {
        self.message.extras.value(name).filter(|value| !value.is_empty())
    }
}
