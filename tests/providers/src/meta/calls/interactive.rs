//! WhatsApp's interactive messages.

use serde_json::Value;

use crate::meta::answer::GraphError;
use crate::meta::calls::messages::{invalid, missing, text_within};
use crate::meta::params::text_of;

/// Checks one, and answers its header's media, which the caller checks.
pub(crate) fn check(content: &Value) -> Result<Option<&Value>, GraphError> {
    let kind = text_of(&content["type"]);
    let action = &content["action"];
    if action.is_null() {
        return Err(missing("interactive.action"));
    }
    let needs_body = !matches!(kind.as_str(), "product");
    if needs_body || content.get("body").is_some() {
        text_within(&content["body"]["text"], "interactive.body.text", 1024)?;
    }
    if content.get("footer").is_some() {
        text_within(&content["footer"]["text"], "interactive.footer.text", 60)?;
    }
    match kind.as_str() {
        "button" => buttons(action)?,
        "list" => list(action)?,
        "cta_url" => {
            named(action, "cta_url")?;
            text_within(&action["parameters"]["display_text"], "display_text", 20)?;
            let url = text_of(&action["parameters"]["url"]);
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(invalid("interactive.action.parameters.url must be a URL"));
            }
        }
        "flow" => flow(action)?,
        "location_request_message" => named(action, "send_location")?,
        "product" | "product_list" | "catalog_message" | "address_message" | "call_permission_request" => {}
        "carousel" => {
            let cards = action["cards"].as_array().map_or(0, Vec::len);
            if !(2..=10).contains(&cards) {
                return Err(invalid("interactive.action.cards: two to ten"));
            }
        }
        other => return Err(invalid(format!("interactive.type {other:?}"))),
    }
    header(content, &kind)
}

fn header<'a>(content: &'a Value, kind: &str) -> Result<Option<&'a Value>, GraphError> {
    let header = &content["header"];
    if header.is_null() {
        return Ok(None);
    }
    match text_of(&header["type"]).as_str() {
        "text" => text_within(&header["text"], "interactive.header.text", 60).map(|_| None),
        media @ ("image" | "video" | "document") if kind != "list" => Ok(Some(&header[media])),
        other => Err(invalid(format!("interactive.header.type {other:?} doesn't go with {kind}"))),
    }
}

fn named(action: &Value, name: &str) -> Result<(), GraphError> {
    if action["name"] == name { Ok(()) } else { Err(invalid(format!("interactive.action.name must be {name}"))) }
}

fn unique(seen: &mut Vec<String>, text: String, what: &str) -> Result<(), GraphError> {
    if seen.contains(&text) {
        return Err(invalid(format!("{what} {text:?} is there twice")));
    }
    seen.push(text);
    Ok(())
}

fn buttons(action: &Value) -> Result<(), GraphError> {
    let buttons = action["buttons"].as_array().map_or(&[][..], Vec::as_slice);
    if !(1..=3).contains(&buttons.len()) {
        return Err(invalid(format!("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3, got {}", buttons.len())));
    }
    let (mut ids, mut titles) = (Vec::new(), Vec::new());
    for button in buttons {
        if button["type"] != "reply" {
            return Err(invalid("buttons[].type must be reply"));
        }
        unique(&mut ids, text_within(&button["reply"]["id"], "buttons[].reply.id", 256)?, "button id")?;
        unique(&mut titles, text_within(&button["reply"]["title"], "buttons[].reply.title", 20)?, "button title")?;
    }
    Ok(())
}

fn list(action: &Value) -> Result<(), GraphError> {
    text_within(&action["button"], "interactive.action.button", 20)?;
    let sections = action["sections"].as_array().map_or(&[][..], Vec::as_slice);
    if !(1..=10).contains(&sections.len()) {
        return Err(invalid("interactive.action.sections: one to ten"));
    }
    let mut ids = Vec::new();
    for section in sections {
        if sections.len() > 1 || section.get("title").is_some() {
            text_within(&section["title"], "sections[].title", 24)?;
        }
        let rows = section["rows"].as_array().map_or(&[][..], Vec::as_slice);
        if rows.is_empty() {
            return Err(invalid("sections[].rows: at least one"));
        }
        for row in rows {
            unique(&mut ids, text_within(&row["id"], "rows[].id", 200)?, "row id")?;
            text_within(&row["title"], "rows[].title", 24)?;
            if row.get("description").is_some() {
                text_within(&row["description"], "rows[].description", 72)?;
            }
        }
    }
    if ids.len() > 10 {
        return Err(invalid(format!("Total row count exceed max allowed count: 10, got {}", ids.len())));
    }
    Ok(())
}

fn flow(action: &Value) -> Result<(), GraphError> {
    named(action, "flow")?;
    let parameters = &action["parameters"];
    if text_of(&parameters["flow_message_version"]) != "3" {
        return Err(invalid("flow_message_version must be 3"));
    }
    if text_of(&parameters["flow_id"]).is_empty() == text_of(&parameters["flow_name"]).is_empty() {
        return Err(invalid("either flow_id or flow_name is needed"));
    }
    text_within(&parameters["flow_cta"], "flow_cta", 30)?;
    if parameters["flow_action"] == "navigate" && text_of(&parameters["flow_action_payload"]["screen"]).is_empty() {
        return Err(missing("flow_action_payload.screen"));
    }
    Ok(())
}
