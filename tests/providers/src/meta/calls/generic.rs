//! Messenger's and Instagram's templates: buttons and cards.

use serde_json::Value;

use crate::meta::answer::GraphError;
use crate::meta::calls::messenger::bad;
use crate::meta::params::text_of;

/// A template's payload within its limits.
pub(crate) fn check(payload: &Value, instagram: bool) -> Result<(), GraphError> {
    match text_of(&payload["template_type"]).as_str() {
        "button" => {
            within(&payload["text"], "text", 640)?;
            buttons(&payload["buttons"], 1, instagram)
        }
        "generic" => {
            let ratio = text_of(&payload["image_aspect_ratio"]);
            if !["", "horizontal", "square", "HORIZONTAL", "SQUARE"].contains(&ratio.as_str()) {
                return Err(bad("Param image_aspect_ratio must be one of {HORIZONTAL, SQUARE}"));
            }
            elements(payload, 10)?.iter().try_for_each(|element| card(element, instagram))
        }
        "media" if !instagram => {
            for element in elements(payload, 1)? {
                if !["image", "video"].contains(&text_of(&element["media_type"]).as_str()) {
                    return Err(bad("Param elements[].media_type must be one of {image, video}"));
                }
                if text_of(&element["attachment_id"]).is_empty() == text_of(&element["url"]).is_empty() {
                    return Err(bad("elements[] must have either attachment_id or url"));
                }
                if element.get("buttons").is_some() {
                    buttons(&element["buttons"], 1, instagram)?;
                }
            }
            Ok(())
        }
        "receipt" | "product" | "coupon" | "customer_feedback" if !instagram => Ok(()),
        "product" => Ok(()),
        other => Err(bad(format!("Param template_type {other:?} is not allowed"))),
    }
}

fn within(value: &Value, what: &str, max: usize) -> Result<(), GraphError> {
    match text_of(value).chars().count() {
        0 => Err(bad(format!("Param {what} is required"))),
        length if length > max => Err(bad(format!("Length of param {what} must be less than or equal to {max}"))),
        _ => Ok(()),
    }
}

fn elements(payload: &Value, max: usize) -> Result<&Vec<Value>, GraphError> {
    let elements = payload["elements"].as_array().filter(|elements| (1..=max).contains(&elements.len()));
    elements.ok_or_else(|| bad(format!("Param elements must have 1 to {max} elements")))
}

fn card(element: &Value, instagram: bool) -> Result<(), GraphError> {
    within(&element["title"], "elements[].title", 80)?;
    if element.get("subtitle").is_some() {
        within(&element["subtitle"], "elements[].subtitle", 80)?;
    }
    if !["subtitle", "image_url", "default_action", "buttons"].iter().any(|name| element.get(*name).is_some()) {
        return Err(bad("Param elements[] must have at least one property besides title"));
    }
    if let Some(action) = element.get("default_action")
        && (action["type"] != "web_url" || !is_url(&action["url"]) || action.get("title").is_some())
    {
        return Err(bad("Param elements[].default_action must be a web_url button without a title"));
    }
    if element.get("buttons").is_some() {
        buttons(&element["buttons"], 1, instagram)?;
    }
    Ok(())
}

fn is_url(value: &Value) -> bool {
    let url = text_of(value);
    url.starts_with("https://") || url.starts_with("http://")
}

fn buttons(buttons: &Value, min: usize, instagram: bool) -> Result<(), GraphError> {
    let Some(buttons) = buttons.as_array().filter(|buttons| (min..=3).contains(&buttons.len())) else {
        return Err(bad("Param buttons must have 1 to 3 elements"));
    };
    for button in buttons {
        within(&button["title"], "buttons[].title", 20)?;
        match text_of(&button["type"]).as_str() {
            "web_url" if is_url(&button["url"]) => {}
            "web_url" => return Err(bad("Param buttons[].url must be a URL")),
            "postback" => within(&button["payload"], "buttons[].payload", 1000)?,
            "phone_number" if !instagram && text_of(&button["payload"]).starts_with('+') => {}
            other => return Err(bad(format!("Param buttons[].type {other:?} is not allowed, or its payload is wrong"))),
        }
    }
    Ok(())
}
