//! What is wrong with a message, and how large its letter will be, told before it is queued.

use patchbay_plugin::Failure;
use patchbay_plugin::hooks::Account;
use patchbay_plugin::messages::Outbound;
use serde_json::json;

use crate::address::Mailbox;
use crate::compose::{self, Origin};
use crate::draft::Draft;
use crate::settings::Settings;
use crate::thread;

pub(crate) fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
    let settings: Settings = account.settings()?;
    let draft = Draft::of(&settings, message)?;
    let from = Mailbox::named(&settings.display_name, &settings.email_address).map_err(|why| Failure::invalid("/email_address", why))?;
    let recipients = draft.recipients().len();
    let attachments = draft.inline.len() + draft.attachments.len();
    let mut told = json!({"subject": draft.subject, "recipients": recipients, "attachments": attachments});
    // A file that is given by URL is fetched later: its letter can't be written yet.
    let message_id = thread::own_id(&message.id, &from.address);
    let origin = Origin { id: &message.id, message_id: &message_id, from: &from, reply_to: &[], now_ms: 0.0 };
    if let (Ok(letter), Some(facts)) = (compose::compose(&draft, &origin), told.as_object_mut()) {
        facts.insert("size_bytes".to_owned(), letter.size.into());
    }
    Ok(told.to_string())
}
