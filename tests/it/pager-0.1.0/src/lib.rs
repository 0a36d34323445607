//! A channel that speaks version 0.1.0 of the contract: its events have no `extras`, its webhooks none either, and a status has a
//! line of its own kind. What is beside it, `pager.wasm`, was built when that was the contract; it isn't built again.

use patchbay_plugin::hooks::{Check, Connected, Connecting, Outcome, Page, Parsed, Report, Webhook};
use patchbay_plugin::messages::{
    AccountStatus, Command, Content, Conversation, ConversationKind, DetailLine, Event, Happening, Identity, Inbound, Outbound, Party, Sent,
    Text,
};
use patchbay_plugin::{Call, Channel, Failure, Polling, http};
use serde_json::{Value, json};

struct Pager;

impl Channel for Pager {
    fn connect(_: &Call, _: Connecting) -> Result<Outcome, Failure> {
        let me = asked("/me")?;
        let external_id = me["id"].as_str().unwrap_or_default().to_owned();
        let display_name = format!("Pager {external_id}");
        Ok(Outcome::connected(Connected { external_id, display_name, settings: None, facts: Vec::new(), routes: Vec::new() }))
    }

    fn send(_: &Call, message: Outbound) -> Sent {
        page(&message).into()
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        let pages: Value = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", error.to_string()))?;
        Ok(Parsed::events(events(&pages)))
    }

    fn health(_: &Call) -> Result<Report, Failure> {
        asked("/me").map(|_| Report::checks(vec![Check::ok("api")]))
    }
}

impl Polling for Pager {
    fn poll(_: &Call, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        let after = cursor.map_or_else(|| "0".to_owned(), |cursor| String::from_utf8_lossy(&cursor).into_owned());
        let pages = asked(&format!("/pages/{after}"))?;
        let cursor = pages["next"].as_str().unwrap_or(&after).as_bytes().to_vec();
        Ok(Page { events: events(&pages), cursor: Some(cursor), more: false })
    }
}

fn asked(path: &str) -> Result<Value, Failure> {
    Ok(http::Request::get("api", path).send()?.json()?)
}

fn page(message: &Outbound) -> Result<Sent, Failure> {
    let Command::Message(content) = &message.command else {
        return Err(Failure::unsupported("command", "a pager can only be sent messages"));
    };
    let [Content::Text(text)] = content.as_slice() else {
        return Err(Failure::unsupported("content", "a pager carries one text"));
    };
    let answer: Value = http::Request::post("api", "/pages").json(&json!({"to": message.to, "text": text.body}))?.send()?.json()?;
    let mut sent = Sent::accepted(answer["id"].as_str().map(str::to_owned));
    sent.events = events(&answer);
    Ok(sent)
}

/// The facts in a page's list.
fn events(pages: &Value) -> Vec<Event> {
    pages["pages"].as_array().into_iter().flatten().filter_map(event).collect()
}

fn event(page: &Value) -> Option<Event> {
    let id = page["id"].as_str()?;
    let from = page["from"].as_str()?;
    let sender = Party { identities: vec![Identity::new("pager", from)], name: None };
    let what = match page["kind"].as_str()? {
        "page" => Happening::Message(Inbound {
            external_id: id.to_owned(),
            conversation: Conversation { external_id: from.to_owned(), kind: ConversationKind::Direct, title: None },
            sender: sender.clone(),
            echo: false,
            content: vec![Content::Text(Text::plain(page["text"].as_str()?))],
            reply_to: None,
            related: Vec::new(),
            automatic: false,
            origin: "direct".into(),
            sent_at_ms: None,
            reply_context: None,
            extras: Vec::new(),
        }),
        "stop" => Happening::OptedOut(DetailLine::new("stop", format!("{from} wants no more pages"))),
        "battery" => Happening::Account(AccountStatus {
            state: "degraded".into(),
            detail: DetailLine::new("battery", "the pager's battery is low"),
            facts: Vec::new(),
        }),
        _ => return None,
    };
    Some(Event { actor: Some(sender), ..Event::new(id, what) })
}

patchbay_plugin::channel!(Pager: Polling);
