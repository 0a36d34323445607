//! A template in a send: it has to exist, be approved, and get the parameters that it has.

use serde_json::Value;

use crate::meta::answer::GraphError;
use crate::meta::params::text_of;
use crate::meta::world::World;

/// The names in double braces: digits where they are positional.
pub(crate) fn variables(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in text.split("{{").skip(1) {
        let name = part.split("}}").next().unwrap_or_default().trim().to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn kind(component: &Value) -> String {
    text_of(&component["type"]).to_lowercase()
}

fn component<'a>(components: &'a Value, wanted: &str) -> Option<&'a Value> {
    components.as_array().into_iter().flatten().find(|component| kind(component) == wanted)
}

fn parameters(component: Option<&Value>) -> &[Value] {
    component.and_then(|component| component["parameters"].as_array()).map_or(&[], Vec::as_slice)
}

fn count(got: usize, expected: usize, what: &str) -> Result<(), GraphError> {
    if got == expected {
        return Ok(());
    }
    let details = format!("{what}: number of localizable_params ({got}) does not match the expected number of params ({expected})");
    Err(GraphError::of(132_000).details(details))
}

fn wrong(details: impl Into<String>) -> GraphError {
    GraphError::of(132_012).details(details)
}

/// The template sent by this number's WABA. `to_phone` is false for business-scoped ids.
pub(crate) fn check(world: &World, waba: &str, template: &Value, to_phone: bool) -> Result<(), GraphError> {
    let (name, code) = (text_of(&template["name"]), text_of(&template["language"]["code"]));
    if name.is_empty() || code.is_empty() {
        return Err(GraphError::of(131_008).details("template name and language code are required"));
    }
    let known = world.templates.get(waba).into_iter().flatten();
    let found = known.into_iter().find(|known| known["name"] == name.as_str() && known["language"] == code.as_str());
    let missing = || GraphError::of(132_001).details(format!("template name ({name}) does not exist in {code}"));
    let known = found.ok_or_else(missing)?;
    match known["status"].as_str().unwrap_or_default() {
        "APPROVED" => {}
        "PAUSED" => return Err(GraphError::of(132_015).details("the template is paused")),
        "DISABLED" => return Err(GraphError::of(132_016).details("the template is disabled")),
        _ => return Err(missing()),
    }
    if known["category"] == "AUTHENTICATION" && !to_phone {
        return Err(GraphError::of(131_062).details("authentication templates need a phone number"));
    }
    let (has, given) = (&known["components"], &template["components"]);
    header(component(has, "header"), component(given, "header"))?;
    let body = component(has, "body").map(|body| variables(&text_of(&body["text"]))).unwrap_or_default();
    let values = parameters(component(given, "body"));
    count(values.len(), body.len(), "body")?;
    for value in values {
        text_parameter(value)?;
        if known["parameter_format"] == "NAMED" && !body.contains(&text_of(&value["parameter_name"])) {
            return Err(wrong("body: Parameter name is missing or empty, or not one of the template's"));
        }
    }
    buttons(component(has, "buttons"), given)
}

fn text_parameter(value: &Value) -> Result<(), GraphError> {
    match value["type"].as_str().unwrap_or_default() {
        "text" => {
            let text = text_of(&value["text"]);
            if text.is_empty() {
                return Err(GraphError::of(131_008).details("text is missing in a parameter"));
            }
            if text.contains(['\n', '\t']) || text.contains("     ") {
                return Err(
                    GraphError::of(132_018).details("Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
                );
            }
            Ok(())
        }
        "currency" | "date_time" => Ok(()),
        other => Err(wrong(format!("body parameters can't be of type {other:?}"))),
    }
}

fn header(has: Option<&Value>, given: Option<&Value>) -> Result<(), GraphError> {
    let values = parameters(given);
    let format = has.map(|header| text_of(&header["format"]).to_lowercase()).unwrap_or_default();
    let expected = match format.as_str() {
        "" => 0,
        "text" => has.map(|header| variables(&text_of(&header["text"])).len()).unwrap_or_default(),
        _ => 1,
    };
    if let Some(value) = values.first() {
        let kind = value["type"].as_str().unwrap_or_default();
        if kind != format {
            return Err(wrong(format!("header: Format mismatch, expected {}, received {}", format.to_uppercase(), kind.to_uppercase())));
        }
        if matches!(kind, "image" | "video" | "document")
            && text_of(&value[kind]["link"]).is_empty() == text_of(&value[kind]["id"]).is_empty()
        {
            return Err(wrong("header: either a link or an id is needed"));
        }
    }
    count(values.len(), expected, "header")
}

/// The media of the header.
pub(crate) fn files(template: &Value) -> Vec<&Value> {
    let values = parameters(component(&template["components"], "header"));
    let media = |value: &&Value| matches!(value["type"].as_str(), Some("image" | "video" | "document"));
    values.iter().filter(media).map(|value| &value[value["type"].as_str().unwrap_or_default()]).collect()
}

/// Buttons with variables need theirs; quick replies may have a payload.
fn buttons(has: Option<&Value>, given: &Value) -> Result<(), GraphError> {
    let buttons = has.and_then(|buttons| buttons["buttons"].as_array()).map_or(&[][..], Vec::as_slice);
    let given: Vec<_> = given.as_array().into_iter().flatten().filter(|component| kind(component) == "button").collect();
    for component in &given {
        let index: Option<usize> = text_of(&component["index"]).parse().ok();
        let Some(button) = index.and_then(|index| buttons.get(index)) else {
            return Err(wrong("button: there is no button with this index"));
        };
        let sub_type = text_of(&component["sub_type"]).to_lowercase();
        let expected = match text_of(&button["type"]).to_lowercase().as_str() {
            "otp" => "url".to_owned(),
            other => other.to_owned(),
        };
        if sub_type != expected {
            return Err(wrong(format!("button: sub_type {sub_type:?} is not the template's {expected:?}")));
        }
        if component["parameters"].as_array().is_none_or(Vec::is_empty) {
            return Err(wrong("button: parameters are missing"));
        }
    }
    for (index, button) in buttons.iter().enumerate() {
        let variable = !variables(&text_of(&button["url"])).is_empty() || text_of(&button["type"]).eq_ignore_ascii_case("OTP");
        if variable && !given.iter().any(|component| text_of(&component["index"]) == index.to_string()) {
            return Err(GraphError::of(131_008).details(format!("Button at index {index} of type Url requires a parameter")));
        }
    }
    Ok(())
}
