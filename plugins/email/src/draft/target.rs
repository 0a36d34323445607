//! Whom a letter goes to, and which letters it follows.

use patchbay_plugin::messages::Outbound;

use super::{Draft, Problems};
use crate::thread::{self, ReplyContext};

/// `to` is an address, or a conversation whose context knows the address.
pub(super) fn address(draft: &mut Draft, message: &Outbound, context: Option<&ReplyContext>, problems: &mut Problems) {
    draft.begins = !thread::is_conversation(&message.to);
    if draft.begins {
        draft.to.extend(problems.mailbox("/to", &message.to));
    } else {
        match context.filter(|context| !context.to.is_empty()) {
            Some(context) => draft.to.extend(context.to.iter().filter_map(|address| problems.mailbox("/to", address))),
            None => problems.add("/to", "is a conversation without an address yet: name the address itself"),
        }
    }
    follow(draft, message.reply_to.as_deref(), context);
}

/// The letter answered, and those before it.
fn follow(draft: &mut Draft, reply_to: Option<&str>, context: Option<&ReplyContext>) {
    let reply_to = reply_to.and_then(thread::id);
    let context = context.filter(|context| !context.message_id.is_empty());
    // A new letter to an address follows nothing, whatever was said to it before.
    let context = context.filter(|context| !draft.begins || reply_to.as_deref().is_some_and(|id| knows(context, id)));
    let mut references = context.map(ReplyContext::references_of_answer).unwrap_or_default();
    draft.in_reply_to = match reply_to {
        Some(id) => {
            // What came after the letter that is answered is no part of its thread.
            match references.iter().position(|known| *known == id) {
                Some(at) => references.truncate(at + 1),
                None => references.push(id.clone()),
            }
            Some(id)
        }
        None => context.map(|context| context.message_id.clone()),
    };
    draft.references = references;
}

fn knows(context: &ReplyContext, id: &str) -> bool {
    context.message_id == id || context.references.iter().any(|known| known == id)
}
