//! Which calls a message takes, and whether Telegram would take them.

use patchbay_plugin::messages::{ContactCard, Content, Location, Poll};
use patchbay_plugin::{Failure, Fields as _};
use serde_json::{Value, json};

use super::{Context, keyboard, media, text};
use crate::api::{File, Parameters, parameters};

/// One call, and the message or messages that it makes.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) method: &'static str,
    pub(super) parameters: Parameters,
    pub(super) files: Vec<File>,
    /// The items of an album, each as a call of its own: what is left to do where the album breaks in the middle.
    pub(super) singles: Vec<Step>,
}

impl Step {
    pub(super) fn new(method: &'static str, parameters: Parameters) -> Self {
        Self { method, parameters, files: Vec::new(), singles: Vec::new() }
    }
}

pub(super) fn steps(context: &Context<'_>, contents: &[Content]) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        one(context, content, &format!("/content/{index}"), &mut steps)?;
    }
    if steps.is_empty() {
        return Err(Failure::invalid("/content", "the message is empty"));
    }
    Ok(steps)
}

fn one(context: &Context<'_>, content: &Content, at: &str, steps: &mut Vec<Step>) -> Result<(), Failure> {
    match content {
        Content::Text(written) => steps.extend(text::steps(context, written, None, &format!("{at}/text"))?),
        Content::Media(item) => steps.extend(media::steps(context, item, at)?),
        Content::Album(items) => steps.extend(media::album(context, items, at)?),
        Content::Sticker(sticker) => steps.push(media::sticker(sticker, at)?),
        Content::Location(place) => steps.push(location(place)),
        Content::Contacts(cards) => {
            for (index, card) in cards.iter().enumerate() {
                steps.push(contact(card, &format!("{at}/contacts/{index}"))?);
            }
        }
        Content::Poll(asked) => steps.push(poll(asked, at)?),
        Content::Interactive(interactive) => {
            let markup = keyboard::markup(&interactive.choices, at)?;
            steps.extend(text::steps(context, &keyboard::words(interactive), Some(markup), &format!("{at}/body"))?);
        }
        Content::Template(_) => return Err(unsupported("templates")),
        Content::Email(_) => return Err(unsupported("e-mail")),
        Content::Notification(_) => return Err(unsupported("notifications")),
        Content::Post(_) => return Err(unsupported("posts (send text or media to a channel instead)")),
        Content::Custom(custom) => return Err(unsupported(&format!("content of kind {}", custom.kind))),
    }
    Ok(())
}

pub(super) fn unsupported(what: &str) -> Failure {
    Failure::unsupported("content", format!("Telegram carries no {what}"))
}

fn location(place: &Location) -> Step {
    let (latitude, longitude) = (place.latitude, place.longitude);
    match (place.name.as_deref().filter(|name| !name.is_empty()), place.address.as_deref().filter(|address| !address.is_empty())) {
        (None, None) => Step::new("sendLocation", parameters! {"latitude": latitude, "longitude": longitude}),
        // A venue has to have both.
        (name, address) => {
            let title = name.or(address).unwrap_or_default();
            let address = address.or(name).unwrap_or_default();
            Step::new("sendVenue", parameters! {"latitude": latitude, "longitude": longitude, "title": title, "address": address})
        }
    }
}

fn contact(card: &ContactCard, at: &str) -> Result<Step, Failure> {
    let phone = card.phones.first().ok_or_else(|| Failure::invalid(format!("{at}/phones"), "Telegram's contacts have a phone number"))?;
    let (first, last) = card.name.split_once(' ').map_or((card.name.as_str(), None), |(first, last)| (first, Some(last)));
    let mut parameters = parameters! {"phone_number": phone, "first_name": if first.is_empty() { phone } else { first }};
    if let Some(last) = last {
        parameters.insert("last_name".into(), last.into());
    }
    if let Some(vcard) = &card.vcard {
        parameters.insert("vcard".into(), vcard.as_str().into());
    }
    Ok(Step::new("sendContact", parameters))
}

/// <https://core.telegram.org/bots/api#sendpoll>
fn poll(poll: &Poll, at: &str) -> Result<Step, Failure> {
    length(&poll.question, 1, 300, &format!("{at}/question"))?;
    if !(2..=12).contains(&poll.options.len()) {
        return Err(Failure::invalid(format!("{at}/options"), "a poll has 2 to 12 options"));
    }
    for (index, option) in poll.options.iter().enumerate() {
        length(option, 1, 100, &format!("{at}/options/{index}"))?;
    }
    let options: Vec<Value> = poll.options.iter().map(|option| json!({"text": option})).collect();
    let mut parameters = parameters! {
        "question": poll.question,
        "options": options,
        "is_anonymous": poll.anonymous,
        "allows_multiple_answers": poll.multiple,
    };
    let extra = |name: &str| poll.extras.value(name);
    let number = |name: &str, least: i64, most: i64| match extra(name).map(str::parse::<i64>) {
        None => Ok(None),
        Some(Ok(number)) if (least..=most).contains(&number) => Ok(Some(number)),
        Some(_) => Err(Failure::invalid(format!("{at}/extras/{name}"), format!("a number from {least} to {most}"))),
    };
    let last = i64::try_from(poll.options.len()).unwrap_or(i64::MAX) - 1;
    let correct = match number("correct_option", 0, last)? {
        Some(correct) => Some(correct),
        None => number("correct_option_id", 0, last)?,
    };
    if extra("type") == Some("quiz") || (correct.is_some() && extra("type").is_none()) {
        let correct =
            correct.ok_or_else(|| Failure::invalid(format!("{at}/extras/correct_option"), "a quiz has a right answer, counted from 0"))?;
        parameters.insert("type".into(), "quiz".into());
        // The list since Bot API 9.6; servers before it read the single number. Each ignores the other.
        parameters.insert("correct_option_ids".into(), json!([correct]));
        parameters.insert("correct_option_id".into(), correct.into());
    }
    if let Some(explanation) = extra("explanation") {
        length(explanation, 0, 200, &format!("{at}/extras/explanation"))?;
        parameters.insert("explanation".into(), explanation.into());
    }
    if let Some(period) = number("open_period", 5, 2_628_000)? {
        parameters.insert("open_period".into(), period.into());
    } else if let Some(close) = number("close_date", 0, i64::MAX)? {
        parameters.insert("close_date".into(), close.into());
    }
    Ok(Step::new("sendPoll", parameters))
}

/// Characters, as Telegram counts them here.
pub(super) fn length(text: &str, least: usize, most: usize, at: &str) -> Result<(), Failure> {
    let length = text.chars().count();
    if (least..=most).contains(&length) {
        return Ok(());
    }
    Err(Failure::invalid(at, format!("{least} to {most} characters are expected, not {length}")))
}
