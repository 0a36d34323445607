//! Buttons: as a question's card where they fit on one, else as a list in a text, so that nothing is lost.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Action, Button, Choices, Interactive, Menu};
use serde_json::{Value, json};

use super::plan::{self, Step};

/// Characters of the question, and of a button's id.
const TITLE_MAX: usize = 40;
const ID_MAX: usize = 40;
const BUTTONS_MAX: usize = 3;
/// Characters of an answer, by the kind of card.
const CARDS: [(&str, usize); 2] = [("QA_BUTTON_CARD", 20), ("QA_LINK_CARD", 40)];

pub(super) fn step(asked: &Interactive, at: &str) -> Result<Step, Failure> {
    plan::length(&asked.body, 1, plan::TEXT_MAX, &format!("{at}/body"))?;
    let lines = match &asked.choices {
        Choices::Buttons(buttons) | Choices::QuickReplies(buttons) => {
            if buttons.is_empty() {
                return Err(Failure::invalid(format!("{at}/buttons"), "is empty"));
            }
            if let Some(card) = card(asked, buttons) {
                return Ok(Step::Template(card));
            }
            numbered(buttons)
        }
        Choices::Menu(menu) => rows(menu, at)?,
        Choices::Carousel(_) => {
            return Err(Failure::unsupported("carousel", "TikTok has no cards with pictures: send pictures and text"));
        }
    };
    let frame = [asked.header.as_deref(), Some(asked.body.as_str()), Some(lines.as_str()), asked.footer.as_deref()];
    let text: Vec<&str> = frame.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    plan::text(&text.join("\n\n"), at)
}

/// None where something doesn't fit: a card has a short question and one to three answers, and nothing else.
fn card(asked: &Interactive, buttons: &[Button]) -> Option<Value> {
    let alone = [&asked.header, &asked.footer].iter().all(|part| part.as_ref().is_none_or(String::is_empty));
    if !alone || asked.body.chars().count() > TITLE_MAX || buttons.len() > BUTTONS_MAX {
        return None;
    }
    let answers: Vec<(&str, &str)> = buttons
        .iter()
        .map(|button| match &button.action {
            Action::Reply(id) if !id.is_empty() && id.chars().count() <= ID_MAX && !button.title.is_empty() => {
                Some((button.title.as_str(), id.as_str()))
            }
            _ => None,
        })
        .collect::<Option<_>>()?;
    let longest = answers.iter().map(|(title, _)| title.chars().count()).max()?;
    let (kind, _) = CARDS.into_iter().find(|(_, most)| longest <= *most)?;
    let buttons: Vec<Value> = answers.iter().map(|(title, id)| json!({"type": "REPLY", "title": title, "id": id})).collect();
    Some(json!({"type": kind, "title": asked.body, "buttons": buttons}))
}

fn numbered(buttons: &[Button]) -> String {
    let line = |(number, button): (usize, &Button)| match &button.action {
        Action::Reply(_) => format!("{}. {}", number + 1, button.title),
        Action::Url(target) | Action::Call(target) | Action::Copy(target) => format!("{}. {}: {target}", number + 1, button.title),
    };
    buttons.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn rows(menu: &Menu, at: &str) -> Result<String, Failure> {
    let mut lines = Vec::new();
    let mut number = 0;
    for section in &menu.sections {
        if !section.title.is_empty() {
            lines.push(section.title.clone());
        }
        for row in &section.rows {
            number += 1;
            let note = row.description.as_deref().filter(|note| !note.is_empty()).map(|note| format!(" ({note})")).unwrap_or_default();
            lines.push(format!("{number}. {}{note}", row.title));
        }
    }
    if number == 0 { Err(Failure::invalid(format!("{at}/menu/sections"), "has no rows")) } else { Ok(lines.join("\n")) }
}
