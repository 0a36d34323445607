//! `getUpdates`, for gateways that Telegram can't reach. The cursor is the next offset; asking with it confirms what came before.

use patchbay_plugin::hooks::Page;
use patchbay_plugin::{Call, Failure};
use serde_json::Value;

use crate::api::{self, parameters};
use crate::json::Json as _;
use crate::receive::{self, Bot};
use crate::settings::Settings;

const LIMIT: usize = 100;
/// Seconds: the most that Telegram holds a request.
const WAIT_MAX: f64 = 50.0;
/// Milliseconds of a call that are kept for the answer on its way and its conversion.
const RESERVE_MS: f64 = 3_000.0;

pub(crate) fn page(call: &Call, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let settings: Settings = call.settings()?;
    let offset = cursor.and_then(|cursor| std::str::from_utf8(cursor).ok()?.parse::<i64>().ok());
    let wait = ((call.deadline_ms - RESERVE_MS) / 1000.0).floor().clamp(0.0, WAIT_MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 50")]
    let wait = wait as u32;
    let mut parameters = parameters! {"limit": LIMIT, "timeout": wait, "allowed_updates": settings.allowed_updates};
    if let Some(offset) = offset {
        parameters.insert("offset".into(), offset.into());
    }
    let updates = api::wait("getUpdates", &parameters, wait * 1000 + 2_000)?;
    let updates = updates.as_array().map_or(&[][..], Vec::as_slice);
    let next = updates.iter().filter_map(|update| update.whole("update_id")).max().and_then(|last| last.checked_add(1)).or(offset);
    let bot = Bot::of(Some(&call.account));
    let events = updates.iter().filter(|update| Value::is_object(update)).flat_map(|update| receive::events(&bot, update)).collect();
    Ok(Page { events, cursor: next.map(|next| next.to_string().into_bytes()), more: updates.len() >= LIMIT })
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::{self, Provider};
    use serde_json::json;

    fn call() -> Call {
        testing::call(Some("42"), &json!({"mode": "polling"}))
    }

    #[test]
    fn the_next_page_confirms_the_last() {
        let provider = Provider::new();
        let text =
            |id: i64| json!({"update_id": id, "message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}, "text": "x"}});
        provider.on("POST api /getUpdates").answer(200, &json!({"ok": true, "result": [text(900), text(901)]}));
        provider.on("POST api /getUpdates").answer(200, &json!({"ok": true, "result": []}));
        let page = super::page(&call(), None).unwrap();
        assert_eq!((page.events.len(), page.more, page.cursor.as_deref()), (2, false, Some(&b"902"[..])));
        let next = super::page(&call(), page.cursor.as_deref()).unwrap();
        assert_eq!(next.cursor.as_deref(), Some(&b"902"[..]), "an empty page keeps the place");
        let requests = provider.requests();
        assert_eq!(requests[0].json()["timeout"], 7);
        assert_eq!((requests[0].json().get("offset"), &requests[1].json()["offset"]), (None, &json!(902)));
    }

    #[test]
    fn a_second_poller_is_told_to_the_operator() {
        let provider = Provider::new();
        let words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
        provider.on("POST api /getUpdates").answer(409, &json!({"ok": false, "error_code": 409, "description": words}));
        assert!(matches!(super::page(&call(), None), Err(Failure::Forbidden(detail)) if detail.code == "other_poller"));
    }

    #[test]
    fn a_broken_wait_loses_nothing() {
        let provider = Provider::new();
        provider.on("POST api /getUpdates").broken("timeout");
        assert!(matches!(super::page(&call(), None), Err(Failure::Unavailable(_))));
    }
}
