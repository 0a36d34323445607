//! Taking back what was said, with every part that it had.

use patchbay_plugin::messages::Sent;
use patchbay_plugin::{Failure, Fields as _};

use super::Context;
use super::command::{done, named};
use crate::address::{Target, id_value};
use crate::api::{self, Trouble, parameters};

const POINTER: &str = "/delete";
/// Most messages that one `deleteMessages` takes. <https://core.telegram.org/bots/api#deletemessages>
const MESSAGES_MAX: usize = 100;

/// Deletes a message and its other parts, which the gateway names in the extra `also`. It has succeeded when all are gone.
pub(super) fn delete(context: &Context<'_>, first: &str) -> Result<Sent, Failure> {
    let also = context.message.extras.value("also").unwrap_or_default();
    let mut targets = vec![first];
    for target in also.split(',').map(str::trim).filter(|target| !target.is_empty()) {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    let parsed = targets.iter().map(|target| Target::parse(target, POINTER)).collect::<Result<Vec<_>, _>>()?;
    match of_one_chat(&parsed) {
        Some((chat, ids)) if ids.len() > 1 => match together(chat, &ids) {
            // It doesn't tell which of them it can't delete, and older servers don't know it at all.
            Err(Trouble::Refused(refusal)) if matches!(refusal.code, 400 | 404) => one_by_one(&targets)?,
            other => other?,
        },
        _ => one_by_one(&targets)?,
    }
    Ok(done(Some(first)))
}

fn of_one_chat(targets: &[Target]) -> Option<(&str, Vec<i64>)> {
    let Some(Target::Message { chat: first, .. }) = targets.first() else { return None };
    let id = |target: &Target| match target {
        Target::Message { chat, id } if chat == first => Some(*id),
        Target::Message { .. } | Target::Inline(_) => None,
    };
    Some((first, targets.iter().map(id).collect::<Option<_>>()?))
}

/// Telegram skips those that it doesn't find.
fn together(chat: &str, ids: &[i64]) -> Result<(), Trouble> {
    ids.chunks(MESSAGES_MAX)
        .try_for_each(|ids| api::repeat("deleteMessages", &parameters! {"chat_id": id_value(chat), "message_ids": ids}).map(drop))
}

/// One that can't be deleted doesn't save the others; the first trouble is told.
fn one_by_one(targets: &[&str]) -> Result<(), Failure> {
    let mut first = Ok(());
    for target in targets {
        match api::repeat("deleteMessage", &named(target, POINTER)?) {
            Ok(_) => {}
            Err(Trouble::Refused(refusal)) if refusal.says("message to delete not found") => {}
            Err(Trouble::Refused(refusal)) if !refusal.is_limit() && matches!(refusal.code, 400 | 403) => {
                first = first.and(Err(refusal.into()));
            }
            Err(trouble) => return Err(trouble.into()),
        }
    }
    first
}
