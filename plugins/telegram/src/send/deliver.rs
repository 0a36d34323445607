//! Carries the steps of a message out, and mends what can be mended at once.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::{Event, Happening, Sent};
use patchbay_plugin::progress::Progress;
use patchbay_plugin::{Failure, Field, Fields as _};
use serde_json::{Value, json};

use super::Context;
use super::plan::Step;
use crate::address::{self, Chat, Target};
use crate::api::{self, Parameters, Trouble};
use crate::json::Json as _;
use crate::receive;

/// Options of a message that Telegram takes as they are. `allow_paid_broadcast` costs money, so it is only ever asked for.
const FLAGS: [&str; 3] = ["disable_notification", "protect_content", "allow_paid_broadcast"];

struct Delivery<'a> {
    context: &'a Context<'a>,
    chat: Chat,
    progress: Progress,
    events: Vec<Event>,
    migrated: bool,
}

pub(super) fn all(context: &Context<'_>, chat: Chat, steps: Vec<Step>) -> Sent {
    let several = steps.len() > 1 || steps.iter().any(|step| !step.singles.is_empty());
    let progress = if several { Progress::load(&context.message.id) } else { Progress::default() };
    let mut delivery = Delivery { context, chat, progress, events: Vec::new(), migrated: false };
    let done = delivery.progress.steps;
    let failed = steps.into_iter().skip(done).try_for_each(|step| delivery.step(step, several)).err();
    Sent { accepted: delivery.progress.accepted(), failed, events: delivery.events }
}

impl Delivery<'_> {
    fn step(&mut self, mut step: Step, several: bool) -> Result<(), Failure> {
        let mut singles = std::mem::take(&mut step.singles);
        if self.progress.items == 0 {
            match self.call(step) {
                Ok(result) => {
                    self.accept(&result);
                    self.finish_step(several);
                    return Ok(());
                }
                Err(Trouble::Refused(refusal)) if refusal.failed_item().is_some_and(|item| item > 1 && item <= singles.len()) => {
                    // Items before it were delivered, under ids that we aren't told. The album can't be sent again.
                    self.progress.items = refusal.failed_item().unwrap_or(1) - 1;
                    (0..self.progress.items).for_each(|_| self.progress.accept(None, &[]));
                    self.progress.save(&self.context.message.id);
                    if refusal.is_limit() {
                        return Err(refusal.into());
                    }
                }
                Err(trouble) => return Err(self.fail(trouble)),
            }
        }
        for single in singles.split_off(self.progress.items.min(singles.len())) {
            let result = self.call(single).map_err(|trouble| self.fail(trouble))?;
            self.accept(&result);
            self.progress.items += 1;
            self.progress.save(&self.context.message.id);
        }
        self.finish_step(several);
        Ok(())
    }

    fn finish_step(&mut self, several: bool) {
        self.progress.steps += 1;
        self.progress.items = 0;
        if several {
            self.progress.save(&self.context.message.id);
        }
    }

    /// One call, once more with another chat id or without formatting where that is what was wrong.
    fn call(&mut self, mut step: Step) -> Result<Value, Trouble> {
        let mut unformatted = false;
        loop {
            let mut parameters = step.parameters.clone();
            self.address(&mut parameters)?;
            let refusal = match api::act(step.method, &parameters, &step.files) {
                Err(Trouble::Refused(refusal)) => refusal,
                other => return other,
            };
            match &refusal.migrate_to {
                Some(new) if !self.migrated => {
                    self.migrated = true;
                    self.events.push(receive::moved(&self.context.bot, &self.chat.id, new));
                    self.chat.id.clone_from(new);
                }
                _ if refusal.is_markup() && !unformatted => {
                    unformatted = true;
                    unformat(&mut step.parameters);
                }
                _ => return Err(Trouble::Refused(refusal)),
            }
        }
    }

    /// Adds where it goes, what it answers, and the message's options.
    fn address(&self, parameters: &mut Parameters) -> Result<(), Trouble> {
        let message = self.context.message;
        parameters.insert("chat_id".into(), self.chat.id_value());
        let topic = self.chat.topic.or_else(|| message.extras.value("message_thread_id")?.parse().ok().filter(|topic| *topic != 1));
        if let Some(topic) = topic {
            parameters.insert("message_thread_id".into(), topic.into());
        }
        for flag in FLAGS.into_iter().filter(|flag| message.extras.flag(flag)) {
            parameters.insert(flag.into(), true.into());
        }
        if let Some(effect) = message.extras.value("message_effect_id") {
            parameters.insert("message_effect_id".into(), effect.into());
        }
        // Only the first part answers.
        if let Some(target) = message.reply_to.as_deref().filter(|_| self.progress.steps == 0 && self.progress.items == 0)
            && let Ok(Target::Message { chat, id }) = Target::parse(target, "/reply_to")
        {
            let mut reply = json!({"message_id": id, "allow_sending_without_reply": true});
            // In another chat: the id alone would name a stranger. A migrated group and a @name stay as they are.
            if chat != self.chat.id
                && !self.migrated
                && !self.chat.id.starts_with('@')
                && let Some(reply) = reply.as_object_mut()
            {
                reply.insert("chat_id".into(), address::id_value(&chat));
            }
            parameters.insert("reply_parameters".into(), reply);
        }
        Ok(())
    }

    fn accept(&mut self, result: &Value) {
        let messages = result.as_array().map_or(std::slice::from_ref(result), Vec::as_slice);
        for message in messages {
            // A double may leave the chat out.
            let chat = message.get("chat").and_then(|chat| chat.id("id")).unwrap_or_else(|| self.chat.id.clone());
            let id = message.id("message_id").map(|id| address::message(&chat, &id));
            let poll = message.get("poll").and_then(|poll| poll.id("id"));
            let mut extras: Vec<Field> = poll.into_iter().map(|poll| Field::new("ref", poll)).collect();
            // Named by its @name, empty, or by an id that has moved: the gateway knows the conversation by another.
            let topic = self.chat.topic.map(|topic| topic.to_string());
            let conversation = address::conversation(&chat, topic.as_deref());
            if conversation != self.context.message.to {
                extras.push(Field::new("conversation", &conversation));
            }
            extras.extend(message.get("chat").and_then(kind).map(|kind| Field::new("conversation_kind", kind)));
            self.progress.accept(id, &extras);
        }
    }

    fn fail(&mut self, trouble: Trouble) -> Failure {
        if let Trouble::Refused(refusal) = &trouble
            && refusal.is_block()
        {
            let key = format!("tg:{}:blocked:{}:{}", self.context.bot, self.chat.id, self.context.message.id);
            let mut event = Event::new(key, Happening::OptedOut(Detail::new("blocked", "the user has blocked the bot")));
            event.conversation = Some(receive::direct(&self.chat.id));
            event.actor = Some(receive::user(&self.chat.id));
            self.events.push(event);
        }
        trouble.into()
    }
}

/// What kind of conversation the gateway has to open, where it doesn't know it yet.
fn kind(chat: &Value) -> Option<&'static str> {
    match chat.text("type")? {
        "private" => Some("direct"),
        "group" | "supergroup" => Some("group"),
        "channel" => Some("broadcast"),
        _ => None,
    }
}

/// The text as it stands, tags and all, is better than none.
fn unformat(parameters: &mut Parameters) {
    parameters.remove("parse_mode");
    if let Some(Value::Array(items)) = parameters.get_mut("media") {
        items.iter_mut().filter_map(Value::as_object_mut).for_each(|item| {
            item.remove("parse_mode");
        });
    }
}
