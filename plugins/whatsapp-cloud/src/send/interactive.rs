//! Buttons, lists and a link.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::{Action, Button, Choices, Interactive, Menu};
use serde_json::{Value, json};

use super::plan::{Step, length};
use super::put::Put as _;

const HEADER_MAX: usize = 60;
const BODY_MAX: usize = 1024;
const FOOTER_MAX: usize = 60;
const TITLE_MAX: usize = 20;
const BUTTONS_MAX: usize = 3;
const SECTIONS_MAX: usize = 10;
const ROWS_MAX: usize = 10;

pub(super) fn step(asked: &Interactive, at: &str) -> Result<Step, Failure> {
    let (kind, action) = match &asked.choices {
        Choices::Buttons(buttons) => match buttons.as_slice() {
            [Button { title, action: Action::Url(url) }] => ("cta_url", link(title, url, &format!("{at}/buttons/0"))?),
            buttons => ("button", replies(buttons, &format!("{at}/buttons"))?),
        },
        Choices::QuickReplies(buttons) => ("button", replies(buttons, &format!("{at}/quick_replies"))?),
        Choices::Menu(menu) => ("list", list(menu, &format!("{at}/menu"))?),
        Choices::Carousel(_) => {
            let words = "cards are sent as a custom `interactive` or `template` of type carousel";
            return Err(Failure::unsupported("carousel", words));
        }
    };
    let mut payload = frame(kind, asked.header.as_deref(), &asked.body, asked.footer.as_deref(), at)?;
    payload.put("action", action);
    Ok(Step::new("interactive", payload))
}

/// What all of them have around the choices.
pub(super) fn frame(kind: &str, header: Option<&str>, body: &str, footer: Option<&str>, at: &str) -> Result<Value, Failure> {
    length(body, 1, BODY_MAX, &format!("{at}/body"))?;
    let mut payload = json!({"type": kind, "body": {"text": body}});
    if let Some(header) = header.filter(|header| !header.is_empty()) {
        length(header, 1, HEADER_MAX, &format!("{at}/header"))?;
        payload.put("header", json!({"type": "text", "text": header}));
    }
    if let Some(footer) = footer.filter(|footer| !footer.is_empty()) {
        length(footer, 1, FOOTER_MAX, &format!("{at}/footer"))?;
        payload.put("footer", json!({"text": footer}));
    }
    Ok(payload)
}

fn link(title: &str, url: &str, at: &str) -> Result<Value, Failure> {
    length(title, 1, TITLE_MAX, &format!("{at}/title"))?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(Failure::invalid(format!("{at}/url"), "is an http or https address"));
    }
    Ok(json!({"name": "cta_url", "parameters": {"display_text": title, "url": url}}))
}

/// One to three, each with a title of its own.
fn replies(buttons: &[Button], at: &str) -> Result<Value, Failure> {
    if buttons.is_empty() {
        return Err(Failure::invalid(at, "is empty: give one to three"));
    }
    if buttons.len() > BUTTONS_MAX {
        return Err(Failure::invalid(
            at,
            format!("has {} buttons; WhatsApp shows {BUTTONS_MAX}: a menu has up to {ROWS_MAX} rows", buttons.len()),
        ));
    }
    let mut made: Vec<Value> = Vec::with_capacity(buttons.len());
    for (index, button) in buttons.iter().enumerate() {
        let at = format!("{at}/{index}");
        let id = match &button.action {
            Action::Reply(id) => id,
            Action::Url(_) => {
                return Err(Failure::invalid(
                    format!("{at}/url"),
                    "a link stands alone: one button with a link, or up to three that answer",
                ));
            }
            Action::Call(_) => return Err(Failure::invalid(format!("{at}/call"), "buttons that call are for templates")),
            Action::Copy(_) => return Err(Failure::invalid(format!("{at}/copy"), "buttons that copy are for templates")),
        };
        length(id, 1, 256, &format!("{at}/reply"))?;
        length(&button.title, 1, TITLE_MAX, &format!("{at}/title"))?;
        if buttons.iter().take(index).any(|before| before.title == button.title) {
            return Err(Failure::invalid(format!("{at}/title"), "is there twice"));
        }
        if buttons.iter().take(index).any(|before| matches!(&before.action, Action::Reply(known) if known == id)) {
            return Err(Failure::invalid(format!("{at}/reply"), "is there twice"));
        }
        made.push(json!({"type": "reply", "reply": {"id": id, "title": button.title}}));
    }
    Ok(json!({"buttons": made}))
}

fn list(menu: &Menu, at: &str) -> Result<Value, Failure> {
    length(&menu.label, 1, TITLE_MAX, &format!("{at}/label"))?;
    let sections_at = format!("{at}/sections");
    if menu.sections.is_empty() || menu.sections.len() > SECTIONS_MAX {
        return Err(Failure::invalid(sections_at, format!("has {} sections; give 1 to {SECTIONS_MAX}", menu.sections.len())));
    }
    let rows: usize = menu.sections.iter().map(|section| section.rows.len()).sum();
    if rows > ROWS_MAX {
        return Err(Failure::invalid(sections_at, format!("has {rows} rows; {ROWS_MAX} in all sections together are the most")));
    }
    let (mut sections, mut ids) = (Vec::new(), Vec::new());
    for (number, section) in menu.sections.iter().enumerate() {
        let at = format!("{sections_at}/{number}");
        if section.rows.is_empty() {
            return Err(Failure::invalid(format!("{at}/rows"), "is empty"));
        }
        let mut rows = Vec::with_capacity(section.rows.len());
        for (number, row) in section.rows.iter().enumerate() {
            let at = format!("{at}/rows/{number}");
            length(&row.id, 1, 200, &format!("{at}/id"))?;
            length(&row.title, 1, 24, &format!("{at}/title"))?;
            if ids.contains(&&row.id) {
                return Err(Failure::invalid(format!("{at}/id"), "is there twice"));
            }
            ids.push(&row.id);
            let mut told = json!({"id": row.id, "title": row.title});
            if let Some(description) = row.description.as_ref().filter(|description| !description.is_empty()) {
                length(description, 1, 72, &format!("{at}/description"))?;
                told.put("description", description.as_str());
            }
            rows.push(told);
        }
        // With one section its title is a matter of taste.
        length(&section.title, usize::from(menu.sections.len() > 1), 24, &format!("{at}/title"))?;
        let mut told = json!({"rows": rows});
        if !section.title.is_empty() {
            told.put("title", section.title.as_str());
        }
        sections.push(told);
    }
    Ok(json!({"button": menu.label, "sections": sections}))
}
