//! Buttons, cards and quick replies, within Meta's limits.

use patchbay_plugin::messages::{Action, Button, Card, Source};
use patchbay_plugin::{Failure, Fields as _};
use serde_json::{Value, json};

use super::Sending;

const TEXT_MAX: usize = 640;
const BUTTONS_MAX: usize = 3;
const TITLE_MAX: usize = 20;
const PAYLOAD_MAX: usize = 1000;
const REPLIES_MAX: usize = 13;
const CARDS_MAX: usize = 10;
const CARD_TEXT_MAX: usize = 80;

pub(super) fn buttons(sending: &Sending<'_>, words: &str, buttons: &[Button], at: &str) -> Result<Value, Failure> {
    length(words, TEXT_MAX, &format!("{at}/body"), "the text above buttons")?;
    let buttons = self::list(sending, buttons, 1, &format!("{at}/buttons"))?;
    Ok(template(json!({"template_type": "button", "text": words, "buttons": buttons})))
}

fn template(payload: Value) -> Value {
    let mut attachment = json!({"attachment": {"type": "template"}});
    if let Some(attachment) = attachment.get_mut("attachment").and_then(Value::as_object_mut) {
        attachment.insert("payload".into(), payload);
    }
    attachment
}

fn list(sending: &Sending<'_>, buttons: &[Button], least: usize, at: &str) -> Result<Vec<Value>, Failure> {
    if !(least..=BUTTONS_MAX).contains(&buttons.len()) {
        return Err(Failure::invalid(at, format!("{least} to {BUTTONS_MAX} buttons are possible; quick replies go up to {REPLIES_MAX}")));
    }
    buttons.iter().enumerate().map(|(index, button)| self::button(sending, button, &format!("{at}/{index}"))).collect()
}

fn button(sending: &Sending<'_>, button: &Button, at: &str) -> Result<Value, Failure> {
    let title = button.title.as_str();
    length(title, TITLE_MAX, &format!("{at}/title"), "a button's title")?;
    match &button.action {
        Action::Reply(payload) => {
            length(payload, PAYLOAD_MAX, &format!("{at}/reply"), "a button's id")?;
            Ok(json!({"type": "postback", "title": title, "payload": payload}))
        }
        Action::Url(url) => {
            link(url, &format!("{at}/url"))?;
            Ok(json!({"type": "web_url", "title": title, "url": url}))
        }
        Action::Call(number) if sending.rules.call_buttons => Ok(json!({"type": "phone_number", "title": title, "payload": number})),
        Action::Call(_) => Err(Failure::invalid(format!("{at}/call"), format!("{} has no buttons that call", sending.rules.name))),
        Action::Copy(_) => Err(Failure::invalid(format!("{at}/copy"), format!("{} has no buttons that copy", sending.rules.name))),
    }
}

/// Extras `ask_phone` and `ask_email` add the buttons that hand these over.
pub(super) fn quick_replies(sending: &Sending<'_>, replies: &[Button], at: &str) -> Result<Value, Failure> {
    let mut all = Vec::new();
    for (index, reply) in replies.iter().enumerate() {
        let at = format!("{at}/{index}");
        length(&reply.title, TITLE_MAX, &format!("{at}/title"), "a quick reply's title")?;
        let Action::Reply(payload) = &reply.action else {
            return Err(Failure::invalid(at, "a quick reply only answers: use buttons for links and calls"));
        };
        length(payload, PAYLOAD_MAX, &format!("{at}/reply"), "a quick reply's id")?;
        all.push(json!({"content_type": "text", "title": reply.title, "payload": payload}));
    }
    for (extra, kind) in [("ask_phone", "user_phone_number"), ("ask_email", "user_email")] {
        if !sending.message.extras.flag(extra) {
            continue;
        }
        if !sending.rules.contact_replies {
            return Err(Failure::invalid(format!("/extras/{extra}"), format!("{} has no such quick reply any more", sending.rules.name)));
        }
        all.push(json!({"content_type": kind}));
    }
    if all.is_empty() || all.len() > REPLIES_MAX {
        return Err(Failure::invalid(at, format!("1 to {REPLIES_MAX} quick replies are possible")));
    }
    Ok(Value::Array(all))
}

pub(super) fn carousel(sending: &Sending<'_>, cards: &[Card], at: &str) -> Result<Value, Failure> {
    if cards.is_empty() || cards.len() > CARDS_MAX {
        return Err(Failure::invalid(at, format!("1 to {CARDS_MAX} cards are possible")));
    }
    let cards: Result<Vec<Value>, Failure> =
        cards.iter().enumerate().map(|(index, card)| self::card(sending, card, &format!("{at}/{index}"))).collect();
    let mut payload = json!({"template_type": "generic", "elements": cards?});
    if let (Some(payload), Some(ratio)) = (payload.as_object_mut(), sending.option("image_aspect_ratio")) {
        payload.insert("image_aspect_ratio".into(), ratio.into());
    }
    Ok(template(payload))
}

fn card(sending: &Sending<'_>, card: &Card, at: &str) -> Result<Value, Failure> {
    length(&card.title, CARD_TEXT_MAX, &format!("{at}/title"), "a card's title")?;
    let mut element = serde_json::Map::new();
    element.insert("title".into(), card.title.as_str().into());
    if let Some(subtitle) = card.subtitle.as_deref().filter(|subtitle| !subtitle.is_empty()) {
        length(subtitle, CARD_TEXT_MAX, &format!("{at}/subtitle"), "a card's subtitle")?;
        element.insert("subtitle".into(), subtitle.into());
    }
    match &card.image {
        None => {}
        Some(Source::Url(url) | Source::ProviderRef(url)) => {
            link(url, &format!("{at}/image"))?;
            element.insert("image_url".into(), url.as_str().into());
        }
        Some(Source::BlobRef(_)) => return Err(Failure::invalid(format!("{at}/image"), "a card's image is named by a public address")),
    }
    if let Some(url) = card.url.as_deref().filter(|url| !url.is_empty()) {
        link(url, &format!("{at}/url"))?;
        element.insert("default_action".into(), json!({"type": "web_url", "url": url}));
    }
    if !card.buttons.is_empty() {
        element.insert("buttons".into(), Value::Array(list(sending, &card.buttons, 1, &format!("{at}/buttons"))?));
    }
    if element.len() < 2 {
        return Err(Failure::invalid(at, "a card has more than a title: a subtitle, an image, an address or buttons"));
    }
    Ok(Value::Object(element))
}

fn length(text: &str, most: usize, at: &str, what: &str) -> Result<(), Failure> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > most {
        return Err(Failure::invalid(at, format!("{what} has 1 to {most} characters, not {length}")));
    }
    Ok(())
}

fn link(url: &str, at: &str) -> Result<(), Failure> {
    if (url.starts_with("https://") || url.starts_with("http://")) && !url.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(Failure::invalid(at, "an http or https address is expected"))
}
