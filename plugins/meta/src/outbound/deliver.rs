//! Carries the steps of a message out.

use patchbay_plugin::http::Part;
use patchbay_plugin::messages::Sent;
use patchbay_plugin::{Failure, Field, Fields as _, log};
use serde_json::{Map, Value};

use super::Sending;
use super::plan::Step;
use super::progress::Progress;
use crate::graph::Trouble;
use crate::json::Json as _;
use crate::refusal::Class;

/// Answers of a person within 7 days. The other tags ended on 27 April 2026.
const HUMAN_AGENT: &str = "HUMAN_AGENT";

pub(super) fn all(sending: &Sending<'_>, to: &Value, steps: Vec<Step>) -> Sent {
    let several = steps.len() > 1;
    let mut progress = if several { Progress::load(&sending.message.id) } else { Progress::default() };
    let done = progress.count();
    let mut failed = None;
    for step in steps.into_iter().skip(done) {
        match step.send(sending, to, progress.count() == 0) {
            Ok(answer) => {
                accept(sending, &answer, &mut progress);
                if several {
                    progress.save(&sending.message.id);
                }
            }
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    Sent { accepted: progress.accepted(), failed, events: Vec::new() }
}

fn accept(sending: &Sending<'_>, answer: &Value, progress: &mut Progress) {
    let mut extras = Vec::new();
    // Named by a comment or a reference: the conversation is the person's.
    let person = answer.id("recipient_id").filter(|person| *person != sending.message.to);
    extras.extend(person.map(|person| Field::new("conversation", person)));
    extras.extend(answer.id("attachment_id").map(|id| Field::new("attachment_id", id)));
    progress.accept(answer.id("message_id"), &extras);
}

impl Step {
    /// Once more with the tag where only the window was closed and a person has written it.
    fn send(&self, sending: &Sending<'_>, to: &Value, first: bool) -> Result<Value, Failure> {
        let mut fields = self.fields(sending, to, first)?;
        let refused = match self.post(sending, &fields) {
            Ok(answer) => return Ok(answer),
            Err(trouble) => trouble,
        };
        let closed = refused.refusal().is_some_and(|refusal| refusal.class() == Class::WindowClosed);
        if !closed || !by_person(sending) || fields.contains_key("tag") {
            return Err(refused.on(sending.occasion()));
        }
        log::debug("the window is closed: the answer goes out as a human agent's", &[]);
        tag(&mut fields, HUMAN_AGENT);
        self.post(sending, &fields).map_err(|trouble| trouble.on(sending.occasion()))
    }

    fn fields(&self, sending: &Sending<'_>, to: &Value, first: bool) -> Result<Map<String, Value>, Failure> {
        let mut fields = Map::new();
        fields.insert("recipient".into(), to.clone());
        let kind = sending.option("messaging_type").unwrap_or("RESPONSE");
        if !matches!(kind, "RESPONSE" | "UPDATE" | "MESSAGE_TAG" | "UTILITY") {
            return Err(Failure::invalid("/extras/messaging_type", "RESPONSE, UPDATE, MESSAGE_TAG or UTILITY is expected"));
        }
        fields.insert("messaging_type".into(), kind.into());
        match sending.option("tag") {
            Some(HUMAN_AGENT) => tag(&mut fields, HUMAN_AGENT),
            Some(_) => return Err(Failure::invalid("/extras/tag", "Meta has ended every tag but HUMAN_AGENT")),
            None if kind == "MESSAGE_TAG" => return Err(Failure::invalid("/extras/tag", "a tagged message names its tag: HUMAN_AGENT")),
            None => {}
        }
        for name in ["notification_type", "persona_id"] {
            if let Some(value) = sending.option(name) {
                fields.insert(name.into(), value.into());
            }
        }
        // Only the first part answers.
        if let Some(target) = sending.message.reply_to.as_deref().filter(|_| first) {
            fields.insert("reply_to".into(), serde_json::json!({"mid": target}));
        }
        let mut message = self.message.clone();
        if let Some(message) = message.as_object_mut().filter(|_| sending.rules.metadata) {
            message.entry("metadata").or_insert_with(|| sending.message.id.as_str().into());
        }
        fields.insert("message".into(), message);
        Ok(fields)
    }

    fn post(&self, sending: &Sending<'_>, fields: &Map<String, Value>) -> Result<Value, Trouble> {
        let ask = sending.graph.post(&format!("{}/messages", sending.node));
        let Some(file) = &self.file else { return ask.json(&Value::Object(fields.clone()))?.send() };
        let mut parts: Vec<Part> = fields.iter().map(|(name, value)| Part::text(name, form_text(value))).collect();
        let part = Part::blob_ref("filedata", &file.blob_ref).file_name(file.name.as_deref().unwrap_or("file"));
        parts.push(match &file.mime_type {
            Some(mime_type) => part.mime_type(mime_type),
            None => part,
        });
        ask.multipart(parts).send()
    }
}

/// The account's setting says that people write its messages, or the message says it; `human_agent=false` says that a bot did.
fn by_person(sending: &Sending<'_>) -> bool {
    match sending.option("human_agent") {
        Some(_) => sending.message.extras.flag("human_agent"),
        None => sending.human_agent,
    }
}

fn tag(fields: &mut Map<String, Value>, tag: &str) {
    fields.insert("messaging_type".into(), "MESSAGE_TAG".into());
    fields.insert("tag".into(), tag.into());
}

/// A form's field: text as it is, anything else as JSON.
fn form_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
