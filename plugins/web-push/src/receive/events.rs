//! A notification was shown, clicked, or put away.

use patchbay_plugin::Failure;
use patchbay_plugin::hooks::{Parsed, Webhook};
use patchbay_plugin::messages::{Event, Happening, Interaction, InteractionKind, Receipt, ReceiptState, ReceiptTarget};
use serde::Deserialize;

use super::{read, reply};
use crate::address::is_link;
use crate::token;

/// Milliseconds since 1970 that a clock may tell: until 2100.
const TIMES: std::ops::Range<f64> = 0.0..4_102_444_800_000.0;
/// Characters of an id, an action, an address.
const ID_MAX: usize = 100;
const ACTION_MAX: usize = 64;
const URL_MAX: usize = 2048;

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    what: What,
    message_id: String,
    subscription_id: String,
    action: Option<String>,
    url: Option<String>,
    tok: String,
    /// Milliseconds since 1970, by the browser's clock: a device that was offline tells later.
    ts: Option<f64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Delivered,
    Click,
    Dismiss,
}

pub(super) fn told(webhook: &Webhook) -> Result<Parsed, Failure> {
    let told: Told = read(webhook)?;
    for (name, id) in [("message_id", &told.message_id), ("subscription_id", &told.subscription_id)] {
        if id.is_empty() || id.len() > ID_MAX {
            return Err(Failure::invalid(format!("/{name}"), format!("has 1 to {ID_MAX} characters")));
        }
    }
    token::check(&told.tok, &told.message_id, &told.subscription_id)?;
    Ok(Parsed { events: told.events()?, reply: reply(204, None) })
}

impl Told {
    fn events(&self) -> Result<Vec<Event>, Failure> {
        Ok(match self.what {
            What::Delivered => vec![self.receipt(ReceiptState::Delivered)],
            // Who opens it has read it.
            What::Click => vec![self.receipt(ReceiptState::Read), self.interaction(InteractionKind::Opened)?],
            What::Dismiss => vec![self.interaction(InteractionKind::Dismissed)?],
        })
    }

    fn at_ms(&self) -> Option<f64> {
        self.ts.filter(|ts| TIMES.contains(ts))
    }

    /// The part of the message that went to that subscription.
    fn part(&self) -> String {
        format!("{}:{}", self.message_id, self.subscription_id)
    }

    fn receipt(&self, state: ReceiptState) -> Event {
        // The message's own id: who has it on one device has it.
        let target = ReceiptTarget::Messages(vec![self.message_id.clone()]);
        let receipt = Receipt { conversation: None, target, state, at_ms: self.at_ms(), failure: None };
        let word = if state == ReceiptState::Delivered { "delivered" } else { "read" };
        self.event(word, Happening::Receipt(receipt))
    }

    fn interaction(&self, kind: InteractionKind) -> Result<Event, Failure> {
        let action = self.action.clone().filter(|action| !action.is_empty());
        if action.as_ref().is_some_and(|action| action.chars().count() > ACTION_MAX) {
            return Err(Failure::invalid("/action", format!("has at most {ACTION_MAX} characters")));
        }
        let url = self.url.clone().filter(|url| url.len() <= URL_MAX && is_link(url));
        let word = match kind {
            InteractionKind::Opened => format!("click:{}", action.as_deref().unwrap_or_default()),
            InteractionKind::Dismissed => "dismiss".to_owned(),
        };
        Ok(self.event(&word, Happening::Interacted(Interaction { target: self.part(), kind, action, url })))
    }

    fn event(&self, word: &str, what: Happening) -> Event {
        let mut event = Event::new(format!("{}:{word}", self.part()), what);
        event.at_ms = self.at_ms();
        event
    }
}
