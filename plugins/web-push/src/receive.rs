//! What pages and workers in browsers tell. Anybody can call: what counts is proven by a token, or harms nobody but the caller.

mod events;
mod subscriptions;

use patchbay_plugin::hooks::{Parsed, Reply, Webhook};
use patchbay_plugin::{Failure, Field};
use serde::Deserialize;
use serde_json::Value;

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    match (webhook.path.trim_matches('/'), webhook.method.as_str()) {
        ("subscriptions", "POST") => subscriptions::made(webhook),
        ("subscriptions", "PUT") => subscriptions::replaced(webhook),
        ("subscriptions", "DELETE") => subscriptions::ended(webhook),
        ("events", "POST") => events::told(webhook),
        (path, method) => Err(Failure::rejected("unknown_call", format!("there is no {method} of “{path}”"))),
    }
}

fn read<'a, T: Deserialize<'a>>(webhook: &'a Webhook) -> Result<T, Failure> {
    serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", format!("the body isn't what this call takes: {error}")))
}

fn reply(status: u16, body: Option<&Value>) -> Option<Reply> {
    Some(match body {
        Some(body) => Reply { status, headers: vec![Field::new("content-type", "application/json")], body: body.to_string().into_bytes() },
        None => Reply { status, headers: Vec::new(), body: Vec::new() },
    })
}
