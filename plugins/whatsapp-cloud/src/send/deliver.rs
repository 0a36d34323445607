//! Carries the steps of a message out.

use patchbay_meta::refusal::{Class, Occasion};
use patchbay_meta::{Json as _, Trouble};
use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::{Conversation, ConversationKind, Event, Happening, Identity, Party, Sent};
use patchbay_plugin::progress::Progress;
use patchbay_plugin::{Failure, Field, Fields as _};
use serde_json::{Map, Value, json};

use super::Context;
use super::address::Recipient;
use super::plan::Step;
use super::upload;

/// What Meta answers where it can't get at a file: one that was uploaded long ago may be gone.
const FILES: [i64; 3] = [100, 131_052, 131_053];

struct Delivery<'a> {
    context: &'a Context<'a>,
    to: &'a Recipient,
    progress: Progress,
    events: Vec<Event>,
    several: bool,
}

pub(super) fn all(context: &Context<'_>, to: &Recipient, steps: Vec<Step>) -> Sent {
    let several = steps.len() > 1;
    let progress = if several { Progress::load(&context.message.id) } else { Progress::default() };
    let done = progress.steps;
    let mut delivery = Delivery { context, to, progress, events: Vec::new(), several };
    let failed = steps.into_iter().skip(done).try_for_each(|step| delivery.step(step)).err();
    Sent { accepted: delivery.progress.accepted(), failed, events: delivery.events }
}

impl Delivery<'_> {
    fn step(&mut self, mut step: Step) -> Result<(), Failure> {
        let uploaded = upload::all(self.context, &step.uploads, &mut step.payload, false)?;
        let mut answer = self.call(&step);
        if uploaded.remembered && matches!(&answer, Err(trouble) if trouble.refusal().is_some_and(|refusal| FILES.contains(&refusal.code)))
        {
            upload::all(self.context, &step.uploads, &mut step.payload, true)?;
            answer = self.call(&step);
        }
        let answer = answer.map_err(|trouble| self.fail(trouble))?;
        self.accept(&answer);
        self.progress.steps += 1;
        if self.several {
            self.progress.save(&self.context.message.id);
        }
        Ok(())
    }

    fn call(&self, step: &Step) -> Result<Value, Trouble> {
        let graph = self.context.settings.graph();
        graph.post(&format!("{}/messages", self.context.number)).json(&self.body(step))?.send()
    }

    fn body(&self, step: &Step) -> Value {
        let message = self.context.message;
        let mut body = Map::new();
        body.insert("messaging_product".into(), "whatsapp".into());
        self.to.address(&mut body);
        body.insert("type".into(), step.kind.into());
        body.insert(step.kind.into(), step.payload.clone());
        // Statuses give it back: of one part by the message's id alone, which is then known whatever became of the answer.
        let tracker = if self.several { format!("{}#{}", message.id, self.progress.steps) } else { message.id.clone() };
        body.insert("biz_opaque_callback_data".into(), tracker.into());
        // Only the first part answers; a reaction names its message itself.
        if let Some(target) = message.reply_to.as_deref().filter(|_| self.progress.steps == 0 && step.kind != "reaction") {
            body.insert("context".into(), json!({"message_id": target}));
        }
        if let Some(hash) = message.extras.value("recipient_identity_key_hash") {
            body.insert("recipient_identity_key_hash".into(), hash.into());
        }
        Value::Object(body)
    }

    fn accept(&mut self, answer: &Value) {
        let message = answer.list("messages").first().unwrap_or(&Value::Null);
        let contact = answer.list("contacts").first().unwrap_or(&Value::Null);
        let mut extras = Vec::new();
        // Some countries' numbers are known by other digits than they are dialled by.
        let conversation = match self.to {
            Recipient::Phone(digits) => contact.id("wa_id").unwrap_or_else(|| digits.clone()),
            Recipient::User(_) | Recipient::Group(_) => self.to.conversation(),
        };
        if conversation != self.context.message.to {
            extras.push(Field::new("conversation", conversation));
        }
        if matches!(self.to, Recipient::Group(_)) {
            extras.push(Field::new("conversation_kind", "group"));
        }
        extras.extend(contact.id("user_id").map(|id| Field::new("bsuid", id)));
        let status = message.text("message_status").filter(|status| *status != "accepted");
        extras.extend(status.map(|status| Field::new("message_status", status)));
        self.progress.accept(message.id("id"), &extras);
    }

    fn fail(&mut self, trouble: Trouble) -> Failure {
        if trouble.refusal().is_some_and(|refusal| refusal.class() == Class::OptedOut) {
            self.events.push(self.opted_out());
        }
        trouble.on(self.context.occasion())
    }

    /// The person wants no more marketing messages.
    fn opted_out(&self) -> Event {
        let line = Detail::new("131050", "the person has stopped marketing messages");
        let mut event = Event::new(format!("wa:{}:opted-out", self.context.message.id), Happening::OptedOut(line));
        let external_id = self.to.conversation();
        let scheme = match self.to {
            Recipient::Phone(_) => "wa_id",
            Recipient::User(_) => "bsuid",
            Recipient::Group(_) => return event,
        };
        event.actor = Some(Party { identities: vec![Identity::new(scheme, &external_id)], name: None });
        event.conversation = Some(Conversation { external_id, kind: ConversationKind::Direct, title: None });
        event
    }
}

impl Context<'_> {
    /// When it is, for what may be tried again and how long limits last.
    pub(super) fn occasion(&self) -> Occasion<'_> {
        Occasion { attempt: self.call.attempt, recipient: &self.message.to }
    }
}
