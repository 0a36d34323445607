//! Notifications: the devices that take them, and what people did with them.

use serde_json::json;

use super::Applying;
use crate::{
    domain::{
        event::{EventType, Interaction, InteractionKind, Subscription},
        message::InteractionMark,
        people::Party,
    },
    ledger::About,
};

/// Interactions that a message lists: who may tell of them isn't known to tell the truth. What is more is told all the same.
const MARKS_MAX: usize = 100;

impl Applying<'_, '_> {
    pub(super) fn subscribed(&mut self, subscription: &Subscription) {
        let (conversation_id, contact_id) = self.place();
        let at = self.fact.at.unwrap_or(self.page.now());
        let told = match subscription.active {
            true => self.page.subscribe(subscription, contact_id, at),
            false => self.page.unsubscribe(&subscription.id),
        };
        let about = About { conversation_id: conversation_id.as_deref(), ..self.about() };
        let party = self.fact.actor.as_ref();
        self.page.tell_subscription(&told, party, &about);
    }

    pub(super) fn interacted(&mut self, interaction: &Interaction) {
        let event_type = match interaction.kind {
            InteractionKind::Opened => EventType::NotificationOpened,
            InteractionKind::Dismissed => EventType::NotificationDismissed,
        };
        let Some(known) = self.page.message_by_ref(&interaction.target).cloned() else {
            if !self.waits(&interaction.target) {
                let told = json!({"action": interaction.action, "url": interaction.url, "external_id": interaction.target});
                self.plain(event_type, told);
            }
            return;
        };
        // Who has a device isn't named by what comes from it: the message knows whom it went to.
        let contact_id = self.actor().or_else(|| known.contact_id.clone());
        let mark = InteractionMark {
            kind: interaction.kind,
            action: interaction.action.clone(),
            url: interaction.url.clone(),
            at: self.fact.at.unwrap_or(self.page.now()),
            contact_id,
        };
        let mut message = known;
        if message.interactions.len() < MARKS_MAX {
            message.interactions.push(mark);
            message.interactions.sort_by_key(|mark| mark.at);
            self.page.save(message.clone());
        }
        let nobody = Party { identities: Vec::new(), name: None };
        let party = self.fact.actor.as_ref().or(message.contact_id.as_ref().map(|_| &nobody));
        let about = self.about();
        let told = json!({"action": interaction.action, "url": interaction.url});
        self.page.tell_message(event_type, &message, party, &about, Some(told));
    }
}
