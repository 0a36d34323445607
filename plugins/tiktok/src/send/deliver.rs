//! Carries the steps of a message out.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::Sent;
use serde_json::{Value, json};

use super::plan::Step;
use super::progress::Progress;
use super::{Recipient, Sending, history, image, quote};
use crate::api::Trouble;
use crate::clock;
use crate::json::Json as _;
use crate::refusal::Class;
use crate::window::{Hold, Window};

pub(super) fn all(sending: &Sending<'_>, steps: &[Step]) -> Sent {
    let several = steps.len() > 1;
    let mut progress = if several { Progress::load(&sending.message.id) } else { Progress::default() };
    let done = progress.steps();
    let left = u32::try_from(steps.len().saturating_sub(done)).unwrap_or(u32::MAX);
    let begun = quote::place(sending, steps, done).and_then(|quoting| Ok((quoting, hold(sending, left)?)));
    let (quoting, hold) = match begun {
        Ok(begun) => begun,
        Err(failure) => return Sent { accepted: progress.accepted(), failed: Some(failure), events: Vec::new() },
    };
    let mut failed = None;
    for (number, step) in (0..).zip(steps.iter().skip(done)) {
        let quotes = quoting == Some(progress.steps());
        match deliver(sending, step, quotes) {
            Ok(id) => {
                let extras = hold.map(|hold| hold.facts(number).to_vec()).unwrap_or_default();
                progress.accept(id, &extras);
                if several {
                    progress.save(&sending.message.id);
                }
            }
            Err(trouble) => {
                let failure = failure(sending, step, trouble, hold.is_some());
                // What is in doubt may be counted at TikTok.
                let doubtful = u32::from(matches!(failure, Failure::Uncertain(_)));
                give_back(sending, hold, left.saturating_sub(number).saturating_sub(doubtful));
                failed = Some(failure);
                break;
            }
        }
    }
    Sent { accepted: progress.accepted(), failed, events: Vec::new() }
}

/// Answers TikTok's id of the message.
fn deliver(sending: &Sending<'_>, step: &Step, quotes: bool) -> Result<Option<String>, Trouble> {
    let media_id = match step {
        Step::Image(image) => Some(image::upload(sending, image)?),
        Step::Text(_) | Step::SharePost(_) | Step::Template(_) => None,
    };
    let mut fields = step.fields(media_id.as_deref());
    if let (true, Some(target), Value::Object(fields)) = (quotes, &sending.message.reply_to, &mut fields) {
        fields.insert("referenced_message_info".into(), json!({"referenced_message_id": target}));
    }
    let told = sending.ask(fields)?;
    Ok(told.get("message").and_then(|message| message.id("message_id")))
}

/// Takes the messages out of the window. Before it is called closed, TikTok is asked when the person wrote last.
fn hold(sending: &Sending<'_>, messages: u32) -> Result<Option<Hold>, Failure> {
    let Some(window) = window(sending) else { return Ok(None) };
    window.take(messages).or_else(|closed| match history::last_word(sending, window.conversation).filter(|last| *last > closed.opened_at) {
        Some(last) => Window { opened_at: Some(last), ..window }.take(messages).map_err(|closed| closed.failure),
        None => Err(closed.failure),
    })
}

fn give_back(sending: &Sending<'_>, hold: Option<Hold>, messages: u32) {
    if let (Some(window), Some(hold)) = (window(sending), hold) {
        window.give_back(hold, messages);
    }
}

/// Comments have none.
fn window<'a>(sending: &'a Sending<'_>) -> Option<Window<'a>> {
    let Recipient::Conversation(conversation) = sending.to else { return None };
    let opened_at = sending.context.as_ref().map(|context| context.opened_at);
    Some(Window { conversation, now_ms: clock::now_ms(sending.call), opened_at })
}

/// TikTok has one code for all that its rules forbid: where no open window is known here, it is the window.
fn failure(sending: &Sending<'_>, step: &Step, trouble: Trouble, open: bool) -> Failure {
    let Trouble::Refused(refusal) = trouble else { return trouble.into() };
    let class = refusal.class();
    if matches!(step, Step::Image(_))
        && matches!(class, Class::Blocked | Class::Rejected | Class::Forbidden)
        && image::is_impossible(sending)
    {
        return Failure::unsupported("image_send", "TikTok lets nobody send pictures in this conversation: send a link as text");
    }
    if class == Class::Blocked && !open && matches!(sending.to, Recipient::Conversation(_)) {
        return Failure::WindowClosed(refusal.detail());
    }
    refusal.failure()
}
