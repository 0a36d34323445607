//! A message becomes one request.

use patchbay_plugin::http::Request;
use patchbay_plugin::messages::{Action, Button, Choices, Command, Content, Interactive, Media, MediaKind, Outbound, Sent, Source};
use patchbay_plugin::{Call, Failure};
use serde_json::{Value, json};

use crate::provider;
use crate::settings::Settings;

const BUTTONS_MAX: usize = 3;

pub(crate) fn send(call: &Call, message: &Outbound) -> Result<Sent, Failure> {
    let Command::Message(contents) = &message.command else {
        return Err(Failure::unsupported("command", "Acme Chat lets messages be sent, and not changed"));
    };
    let [content] = contents.as_slice() else {
        return Err(Failure::unsupported(
            "content",
            "an Acme Chat message is one text, one file or one text with buttons: send several messages",
        ));
    };
    let mut body = body(&call.settings()?, content)?;
    if let Some(fields) = body.as_object_mut() {
        fields.insert("to".to_owned(), json!(message.to));
        fields.extend(message.reply_to.iter().map(|id| ("reply_to".to_owned(), json!(id))));
    }
    let request = Request::post("api", "/messages").json(&body)?;
    let response = request.send()?;
    if !response.is_success() {
        return Err(provider::failure(&response));
    }
    // Without an id nobody knows whether it is on its way: that is a doubt, and no success.
    match response.json::<Value>()?.get("id").and_then(Value::as_str) {
        Some(id) => Ok(Sent::accepted(Some(id.to_owned()))),
        None => Err(response.not_understood("there is no id").into()),
    }
}

fn body(settings: &Settings, content: &Content) -> Result<Value, Failure> {
    match content {
        Content::Text(text) => {
            let signature = settings.signature.iter().map(|signature| format!("\n\n{signature}"));
            Ok(json!({"text": std::iter::once(text.body.clone()).chain(signature).collect::<String>()}))
        }
        Content::Media(media) => file(media),
        Content::Interactive(interactive) => buttons(interactive),
        _ => Err(Failure::unsupported("content", "Acme Chat carries texts, files and buttons")),
    }
}

fn file(media: &Media) -> Result<Value, Failure> {
    let Source::Url(url) = &media.source else {
        return Err(Failure::unsupported("source", "Acme Chat takes files by their address"));
    };
    let kind = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Video | MediaKind::Animation => "video",
        MediaKind::Audio | MediaKind::Voice => "audio",
        MediaKind::Document => "file",
    };
    Ok(json!({"text": media.caption, "media": {"kind": kind, "url": url, "file_name": media.file_name}}))
}

fn buttons(interactive: &Interactive) -> Result<Value, Failure> {
    let Choices::Buttons(buttons) = &interactive.choices else {
        return Err(Failure::unsupported("choices", "Acme Chat has buttons, and neither menus nor cards"));
    };
    if buttons.len() > BUTTONS_MAX {
        return Err(Failure::invalid(format!("/content/0/buttons/{BUTTONS_MAX}"), "Acme Chat takes three buttons: leave some out"));
    }
    let button = |(place, button): (usize, &Button)| match &button.action {
        Action::Reply(id) => Ok(json!({"id": id, "title": button.title})),
        _ => Err(Failure::invalid(format!("/content/0/buttons/{place}"), "Acme Chat's buttons answer: give a reply")),
    };
    let buttons = buttons.iter().enumerate().map(button).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"text": interactive.body, "buttons": buttons}))
}
