//! What Shopify tells of the shop itself.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::messages::{AccountStatus, Custom, Event, Happening};

use super::{Delivery, bounded, people};

/// Every token of the app is dead with it.
pub(super) fn uninstalled(delivery: &Delivery) -> Vec<Event> {
    let words =
        "the app was uninstalled from the shop: install it again, give its new token where it has one of its own, and connect the account";
    let status = AccountStatus { state: "needs_reauth".into(), detail: Detail::new("app_uninstalled", words), facts: Vec::new() };
    vec![delivery.event(&format!("app:uninstalled:{}", delivery.mark()), Happening::Account(status))]
}

/// Requests of the law on personal data. Shopify wants them answered with 200 and carried out within 30 days: the application
/// is told, because it is its data too.
pub(super) fn compliance(delivery: &Delivery) -> Vec<Event> {
    let kind = delivery.topic.replace('/', "_");
    let what = Happening::Custom(Custom::new(kind.as_str(), &bounded(&delivery.body)));
    let mut event = delivery.event(&format!("{kind}:{}", delivery.mark()), what);
    event.actor = delivery.body.get("customer").and_then(people::customer);
    vec![event]
}
