//! Who writes. A customer has an id and an e-mail address, a visitor who hasn't signed in an id of the widget's: all that are named
//! together are one person's, so a visitor who tells their address is the customer from then on.

use patchbay_plugin::messages::{Identity, Party};
use serde_json::Value;

use crate::json::Json as _;

/// The scheme of a customer's id.
const CUSTOMER: &str = "shopify";
/// Of an id that the chat widget gave to a browser.
const ANONYMOUS: &str = "shopify_anonymous";
/// Where nobody is told at all: the conversation stands for its person.
const CONVERSATION: &str = "shopify_conversation";

/// None where the customer has no id of any kind.
pub(super) fn customer(customer: &Value) -> Option<Party> {
    let email = customer.text("email").map(|email| email.trim().to_lowercase()).filter(|email| email.contains('@'));
    let phone = customer.text("phone").map(|phone| phone.trim().to_owned()).filter(|phone| phone.starts_with('+'));
    let told = [(CUSTOMER, customer.id("id")), ("email", email), ("phone", phone), (ANONYMOUS, customer.id("anonymous_id"))];
    let identities: Vec<Identity> = told.into_iter().filter_map(|(scheme, value)| Some(Identity::new(scheme, value?))).collect();
    let names: Vec<&str> = ["first_name", "last_name"].into_iter().filter_map(|name| customer.text(name)).map(str::trim).collect();
    let name = names.join(" ").trim().to_owned();
    let name = if name.is_empty() { customer.text("name").map(str::to_owned) } else { Some(name) };
    (!identities.is_empty()).then_some(Party { identities, name })
}

/// The customer of a webhook.
pub(super) fn of(body: &Value, conversation: &str) -> Party {
    let told = body.get("customer");
    told.and_then(customer).unwrap_or_else(|| Party {
        identities: vec![Identity::new(CONVERSATION, conversation)],
        name: told.and_then(|told| told.text("first_name")).map(str::to_owned),
    })
}
