//! Devices and browsers that take notifications.

use serde::Serialize;

use super::{
    About, ContactView, ConversationView, Page,
    book::{Device, Kept},
};
use crate::{
    clock::At,
    domain::{
        event::{EventType, Subscription},
        people::Party,
        subscription::{Endpoint, Subscriber, SubscriptionView},
    },
};

/// The extra with the id of the subscription that this one takes the place of: a browser gave it another endpoint.
pub(super) const REPLACES: &str = "replaces";

/// A subscription as it stands now, or as it was.
pub struct SubscriptionData {
    pub subscription: SubscriptionView,
    /// Whose it is, or was.
    pub contact_id: Option<String>,
}

impl Page<'_> {
    /// Keeps the device, and whose it is: a contact that is named now, else the one that it had. Somebody else at the same browser takes
    /// it over.
    pub fn subscribe(&mut self, subscription: &Subscription, contact_id: Option<String>, at: At) -> SubscriptionData {
        let replaced = subscription.extras.get(REPLACES).filter(|id| **id != subscription.id);
        let before = replaced.and_then(|id| self.drop_device(id));
        let known = self.book.devices.get(&subscription.id).and_then(|device| device.now.subscriber.as_ref()).or(before.as_ref());
        let endpoint = Endpoint { endpoint: subscription.endpoint.clone(), keys: subscription.keys.clone() };
        let subscriber = Subscriber {
            id: subscription.id.clone(),
            organization_id: self.owner.organization_id.to_owned(),
            channel_account_id: self.owner.account_id.to_owned(),
            contact_id: contact_id.or_else(|| known.and_then(|known| known.contact_id.clone())),
            host: endpoint.host(),
            extras: subscription.extras.clone(),
            created_at: known.map_or(self.now, |known| known.created_at),
            last_seen_at: known.map_or(at, |known| known.last_seen_at.max(at)),
        };
        let view = view(&subscriber, true);
        let contact_id = subscriber.contact_id.clone();
        let device = Device { subscriber: Some(subscriber), endpoint: Some(endpoint) };
        self.book.devices.insert(subscription.id.clone(), Kept::made(device));
        SubscriptionData { subscription: view, contact_id }
    }

    /// Forgets the device.
    pub fn unsubscribe(&mut self, id: &str) -> SubscriptionData {
        match self.drop_device(id) {
            Some(known) => SubscriptionData { subscription: view(&known, false), contact_id: known.contact_id },
            None => {
                let subscription = SubscriptionView { id: id.to_owned(), active: false, host: String::new(), extras: Default::default() };
                SubscriptionData { subscription, contact_id: None }
            }
        }
    }

    /// Tells of it; `party` is who the fact names.
    pub fn tell_subscription(&mut self, told: &SubscriptionData, party: Option<&Party>, about: &About<'_>) {
        #[derive(Serialize)]
        struct Data<'a> {
            subscription: &'a SubscriptionView,
            conversation: Option<ConversationView<'a>>,
            contact: Option<ContactView<'a>>,
        }
        let nobody = Party { identities: Vec::new(), name: None };
        let id = told.contact_id.as_deref();
        let contact = party.or(id.map(|_| &nobody)).map(|party| ContactView::of(id, party));
        let conversation = about.conversation_id.and_then(|id| self.conversation(id)).cloned();
        let conversation = conversation.as_ref().map(ConversationView::from);
        self.tell(EventType::ContactSubscription, about, &Data { subscription: &told.subscription, conversation, contact });
    }

    fn drop_device(&mut self, id: &str) -> Option<Subscriber> {
        let device = self.book.devices.get_mut(id)?.change();
        device.endpoint = None;
        device.subscriber.take()
    }
}

fn view(subscriber: &Subscriber, active: bool) -> SubscriptionView {
    SubscriptionView { id: subscriber.id.clone(), active, host: subscriber.host.clone(), extras: subscriber.extras.clone() }
}
