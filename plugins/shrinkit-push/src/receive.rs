//! What became of a push on the phone → events. Users don't write back by push.

use patchbay_appgain::{Envelope, Json as _};
use patchbay_plugin::Failure;
use patchbay_plugin::hooks::{Parsed, Webhook, parse_settings};
use patchbay_plugin::messages::{
    Conversation, ConversationKind, Custom, Event, Happening, Identity, Interaction, InteractionKind, Party, Receipt, ReceiptState,
    ReceiptTarget,
};
use serde_json::{Map, Value};

use crate::send::audience::is_of_many;
use crate::settings::Settings;

/// Reasons that mean: the app is gone from the phone, or its address was never good.
const UNINSTALLED: [&str; 8] = [
    "BadDeviceToken",
    "DeviceTokenNotForTopic",
    "InvalidParameters",
    "InvalidRegistration",
    "MismatchSenderId",
    "MissingDeviceToken",
    "NotRegistered",
    "Unregistered",
];

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let envelope = Envelope::read(webhook)?;
    let settings = webhook.account.as_ref().and_then(|account| parse_settings::<Settings>(&account.settings).ok());
    let is_ours = settings.is_none_or(|settings| envelope.is_of(&settings.suit_id));
    let events = match envelope.event.as_str() {
        "push.status" if is_ours => Push::read(&envelope).map(|push| push.events()).unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(Parsed::events(events))
}

/// One event of one push on one phone.
struct Push<'a> {
    envelope: &'a Envelope,
    /// In lower case: `received`, `open`, `dismiss`, `conversion`, `failed`.
    action: String,
    /// A reason, a button; none where it says `NA`.
    value: Option<&'a str>,
    user: Option<String>,
    client_ref: Option<String>,
    /// Appgain's own name for the push, where it tells one.
    id: Option<String>,
}

impl<'a> Push<'a> {
    fn read(envelope: &'a Envelope) -> Option<Self> {
        let payload = &envelope.payload;
        // An object, or its name and value beside it.
        let action = payload.object("action");
        let name = action.map_or_else(|| payload.text("action"), |action| action.text("name"))?;
        Some(Self {
            envelope,
            action: name.trim().to_lowercase(),
            value: action.unwrap_or(payload).text("value").filter(|value| !value.eq_ignore_ascii_case("NA")),
            user: ["userId", "userID", "user_id"].iter().find_map(|name| payload.id(name)),
            client_ref: payload.id("client_ref"),
            id: ["messageId", "message_id", "id"].iter().find_map(|name| payload.id(name)),
        })
    }

    fn events(&self) -> Vec<Event> {
        match self.action.as_str() {
            "received" => self.receipt(ReceiptState::Delivered, None).into_iter().collect(),
            // Who opens it has read it.
            "open" => match (self.receipt(ReceiptState::Read, None), self.opened()) {
                (Some(read), Some(opened)) => vec![read, opened],
                _ => vec![self.engagement("push_opened")],
            },
            "dismiss" => vec![self.engagement("push_dismissed")],
            "conversion" => vec![self.engagement("push_converted")],
            // One phone of many isn't the message, and without our reference it may be one.
            "failed" if self.client_ref.as_deref().is_none_or(is_of_many) => vec![self.engagement("push_failed")],
            "failed" => self.receipt(ReceiptState::Failed, Some(self.failure())).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The message: by our reference, else by Appgain's name for it.
    fn message(&self) -> Option<String> {
        self.client_ref.clone().or_else(|| self.id.clone())
    }

    /// None where the event names no message.
    fn receipt(&self, state: ReceiptState, failure: Option<Failure>) -> Option<Event> {
        let receipt = Receipt {
            conversation: self.user.clone(),
            target: ReceiptTarget::Messages(vec![self.message()?]),
            state,
            at_ms: self.envelope.at_ms,
            failure,
        };
        Some(self.event("", Happening::Receipt(receipt)))
    }

    /// None where the event names no message.
    fn opened(&self) -> Option<Event> {
        let interaction =
            Interaction { target: self.message()?, kind: InteractionKind::Opened, action: self.value.map(str::to_owned), url: None };
        Some(self.event(":opened", Happening::Interacted(interaction)))
    }

    /// What is no receipt, with all that names it.
    fn engagement(&self, kind: &str) -> Event {
        let payload = &self.envelope.payload;
        let mut told = Map::new();
        let mut add = |name: &str, value: Option<String>| told.extend(value.map(|value| (name.to_owned(), Value::from(value))));
        add("message", self.message());
        add("user", self.user.clone());
        add("value", self.value.map(str::to_owned));
        add("campaign_id", payload.id("campaign_id"));
        add("campaign_name", payload.id("campaign_name"));
        self.event("", Happening::Custom(Custom::new(kind, &told.into())))
    }

    fn failure(&self) -> Failure {
        let known = self.value.and_then(|reason| UNINSTALLED.into_iter().find(|known| known.eq_ignore_ascii_case(reason)));
        if let Some(reason) = known {
            return Failure::recipient(
                reason,
                "the app isn't on that phone any more: the user gets pushes again once the app is opened there",
            );
        }
        match self.value {
            Some(reason) => Failure::rejected("push_failed", format!("the push could not be delivered: {reason}")),
            None => Failure::rejected("push_failed", "the push could not be delivered, and Appgain doesn't say why"),
        }
    }

    fn event(&self, part: &str, what: Happening) -> Event {
        // Without an id of its own an event is told apart by what it tells, and of whom.
        let detail = format!("{}:{}", self.action, self.user.as_deref().unwrap_or_default());
        let mut event = Event::new(format!("{}{part}", self.envelope.key(&detail)), what);
        event.conversation =
            self.user.as_ref().map(|user| Conversation { external_id: user.clone(), kind: ConversationKind::Direct, title: None });
        event.actor = self.user.as_ref().map(|user| Party { identities: vec![Identity::new("app_user", user)], name: None });
        event.at_ms = self.envelope.at_ms;
        event
    }
}
