//! What every target of a plugin does: the bytes are a webhook's body, and whatever they are, the plugin answers. [`rest`] is the
//! gateway's own.

pub mod rest;

use patchbay_plugin::Channel;
use patchbay_plugin::hooks::Webhook;

/// Reads the body as the plugin would, for an app and so for any account.
pub fn read<C: Channel>(body: &[u8]) {
    let webhook = Webhook {
        account: None,
        method: "POST".to_owned(),
        path: "/webhooks/apps/1".to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: body.to_vec(),
        verified_by: Some("hmac".to_owned()),
        extras: Vec::new(),
    };
    // A refusal is an answer; a panic is the finding.
    let _ = C::parse_inbound(webhook);
}
