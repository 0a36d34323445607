//! What can be told of a notification before it is queued: whether it fits into a push.

use patchbay_plugin::Failure;
use patchbay_plugin::hooks::Account;
use patchbay_plugin::messages::Outbound;
use serde_json::json;

use crate::encryption::PLAINTEXT_MAX;
use crate::notice::Notice;
use crate::settings::Settings;

pub(crate) fn preview(account: &Account, message: &Outbound) -> Result<String, Failure> {
    let settings: Settings = account.settings()?;
    let notice = Notice::of(&settings, message)?;
    let told = json!({"bytes": notice.bytes(), "bytes_max": PLAINTEXT_MAX, "ttl_s": notice.ttl_s, "urgency": notice.urgency});
    Ok(told.to_string())
}
