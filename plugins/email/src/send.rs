//! One letter: written, handed to the server, and noted where its answers will look for it.

use patchbay_plugin::failure::Words;
use patchbay_plugin::mail::{self, Envelope, Submitted};
use patchbay_plugin::messages::{Accepted, Outbound, Sent};
use patchbay_plugin::{Call, Failure, Field, Fields as _, log};

use crate::address::Mailbox;
use crate::compose::{self, Letter, Origin};
use crate::draft::Draft;
use crate::server::{OUT, failed};
use crate::settings::Settings;
use crate::thread::{self, ReplyContext};

/// Characters of the server's words that are kept.
const RESPONSE_MAX: usize = 500;

pub(crate) fn send(call: &Call, message: &Outbound) -> Result<Sent, Failure> {
    let settings: Settings = call.settings()?;
    let draft = Draft::of(&settings, message)?;
    let from = Mailbox::named(&settings.display_name, &settings.email_address).map_err(|why| Failure::invalid("/email_address", why))?;
    let message_id = thread::own_id(&message.id, &from.address);
    let reply_to = answered_at(&settings, &from, &message.id)?;
    let origin = Origin { id: &message.id, message_id: &message_id, from: &from, reply_to: &reply_to, now_ms: now_ms(call)? };
    let Letter { stretches, size } = compose::compose(&draft, &origin)?;
    let envelope = Envelope { sender: Some(from.address.clone()), recipients: draft.recipients() };
    let submitted = mail::submit(OUT, &envelope, &stretches).map_err(|failure| failed(&settings, OUT, failure))?;
    note(&draft, &message_id);
    let extras = facts(&draft, &message_id, size, &submitted);
    let accepted = Accepted { part: 0, external_id: Some(message_id), extras };
    Ok(Sent { accepted: vec![accepted], failed: None, events: Vec::new() })
}

/// Where answers go, if not to the sender.
fn answered_at(settings: &Settings, from: &Mailbox, message: &str) -> Result<Vec<Mailbox>, Failure> {
    if !settings.reply_to.is_empty() {
        let mailbox = Mailbox::parse(&settings.reply_to).map_err(|why| Failure::invalid("/reply_to", why))?;
        return Ok(vec![mailbox]);
    }
    let token = if settings.plus_addressing { thread::reply_address(&from.address, message)? } else { None };
    Ok(token.into_iter().map(|address| Mailbox { name: from.name.clone(), address }).collect())
}

fn now_ms(call: &Call) -> Result<f64, Failure> {
    let now = call.extras.value("now_ms").and_then(|now| now.parse().ok());
    now.ok_or_else(|| Failure::fault("clock", "the gateway told no now_ms: a letter needs its date"))
}

/// An answer without headers that name this letter finds it by its subject. The letter has left: a store that refuses costs that alone.
fn note(draft: &Draft, message_id: &str) {
    // A campaign would fill the store, and is seldom answered by hand.
    if draft.unsubscribe.is_some() {
        return;
    }
    for mailbox in &draft.to {
        if let Err(failure) = thread::note_subject(&mailbox.address, &draft.subject, message_id) {
            log::warn("the subject of a letter could not be kept", &[("failure", &Words(&failure).to_string())]);
        }
    }
}

fn facts(draft: &Draft, message_id: &str, size: u64, submitted: &Submitted) -> Vec<Field> {
    let mut facts = vec![
        Field::new("response", submitted.response.chars().take(RESPONSE_MAX).collect::<String>()),
        Field::new("size_bytes", size.to_string()),
    ];
    if draft.begins {
        facts.push(Field::new("conversation", thread::conversation(message_id, draft.in_reply_to.as_deref(), &draft.references)));
    }
    let context = ReplyContext {
        to: draft.to.iter().map(|mailbox| mailbox.address.clone()).collect(),
        message_id: message_id.to_owned(),
        references: draft.references.clone(),
        subject: draft.subject.clone(),
    };
    facts.extend(context.write().ok().and_then(|bytes| String::from_utf8(bytes).ok()).map(|context| Field::new("reply_context", context)));
    if !submitted.refused.is_empty() {
        let refused: Vec<String> =
            submitted.refused.iter().map(|refusal| format!("{} ({})", refusal.recipient, Words(&refusal.failure))).collect();
        facts.push(Field::new("refused", refused.join("; ")));
    }
    facts
}
