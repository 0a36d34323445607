//! What became of a message of ours, and of a conversation.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Custom, Event, Happening, Receipt, ReceiptState, ReceiptTarget};
use serde_json::{Value, json};

use super::{Delivery, time};
use crate::json::Json as _;

/// A state is reached once: told again it is the same fact.
pub(super) fn message(delivery: &Delivery) -> Result<Vec<Event>, Failure> {
    let (message, id) = delivery.message()?;
    let told = message.text("status").unwrap_or_default();
    let state = match told {
        "sent" => ReceiptState::Sent,
        "delivered" => ReceiptState::Delivered,
        "read" | "seen" => ReceiptState::Read,
        "failed" => ReceiptState::Failed,
        // One that came later than this plugin.
        _ => return Ok(Vec::new()),
    };
    let at_ms = message.text("updated_at").and_then(time::parse);
    let key = format!("message:{id}:status:{told}");
    let receipt = Receipt {
        conversation: delivery.body.get("conversation").and_then(|conversation| conversation.id("id")),
        target: ReceiptTarget::Messages(vec![id]),
        state,
        at_ms,
        failure: matches!(state, ReceiptState::Failed).then(|| failure(message)),
    };
    let mut event = delivery.event(&key, Happening::Receipt(receipt));
    event.at_ms = at_ms.or(event.at_ms);
    Ok(vec![event])
}

fn failure(message: &Value) -> Failure {
    let error = message.get("error").unwrap_or(&Value::Null);
    let words = error.text("message").or_else(|| error.as_str()).unwrap_or("the chat app could not deliver the message");
    Failure::rejected(error.text("code").unwrap_or("failed"), words)
}

/// It can't be answered until the customer writes again.
pub(super) fn closed(delivery: &Delivery) -> Result<Vec<Event>, Failure> {
    let conversation = delivery.conversation()?;
    let closed_at = delivery.body.text("closed_at");
    let mark = closed_at.map_or_else(|| delivery.mark(), str::to_owned);
    let what =
        Happening::Custom(Custom::new("conversation_closed", &json!({"conversation": conversation.external_id, "closed_at": closed_at})));
    let mut event = delivery.event(&format!("conversation:{}:closed:{mark}", conversation.external_id), what);
    event.at_ms = closed_at.and_then(time::parse).or(event.at_ms);
    event.conversation = Some(conversation);
    Ok(vec![event])
}
