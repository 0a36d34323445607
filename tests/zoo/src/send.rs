//! Sends a text, does a trick, or goes where the text says.

use patchbay_plugin::Failure;
use patchbay_plugin::http;
use patchbay_plugin::messages::{Command, Content, Outbound, Sent};
use serde_json::json;

use crate::tricks;

pub(crate) fn text(message: &Outbound) -> &str {
    match &message.command {
        Command::Message(content) => {
            content.iter().find_map(|content| if let Content::Text(text) = content { Some(&*text.body) } else { None })
        }
        _ => None,
    }
    .unwrap_or_default()
}

pub(crate) fn send(message: &Outbound) -> Sent {
    try_send(message).into()
}

fn try_send(message: &Outbound) -> Result<Sent, Failure> {
    let text = text(message);
    if let Some(trick) = text.strip_prefix('!') {
        tricks::play(trick)?;
        return Ok(Sent::accepted(Some(message.id.clone())));
    }
    match text.split(' ').collect::<Vec<_>>().as_slice() {
        ["GET", target, path] => go(http::Request::get(*target, *path), &message.id),
        ["QUERY", target, value] => go(http::Request::get(*target, "/query").query("value", *value), &message.id),
        ["HEADER", target, value] => go(http::Request::get(*target, "/header").header("x-value", *value), &message.id),
        ["FILE", target, path] => go(http::Request::get(*target, *path).into_blob(), &message.id),
        _ => go(http::Request::post("api", "/messages").json(&json!({"to": message.to, "text": text}))?, &message.id),
    }
}

/// What the answer was is the message's id at the provider.
fn go(request: http::Request, id: &str) -> Result<Sent, Failure> {
    // Refused for good: nobody tries again, and the reason stands in the message.
    let answer = request.send().map_err(|error| Failure::rejected("stopped", error.to_string()))?;
    Ok(Sent::accepted(Some(format!("{} {id}", answer.status()))))
}
