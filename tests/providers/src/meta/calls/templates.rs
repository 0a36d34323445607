//! WhatsApp templates: listed, created, edited, deleted.

use serde_json::{Value, json};

use crate::meta::answer::{GraphError, Outcome, success};
use crate::meta::ask::Ask;
use crate::meta::fields::{paged, select};
use crate::meta::params::text_of;
use crate::meta::server::Server;

const SCOPE: &[&str] = &["whatsapp_business_management"];
const BUTTONS: &[&str] = &["QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE", "OTP", "FLOW", "CATALOG", "MPM", "REQUEST_CONTACT_INFO"];

pub(crate) fn list(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, SCOPE)?;
    let world = server.world.lock();
    let matches = |template: &&Value| {
        let equal = ["status", "category", "language"].iter().all(|name| {
            let wanted = ask.params.list(name);
            wanted.is_empty() || wanted.iter().any(|one| one.eq_ignore_ascii_case(&text_of(&template[*name])))
        });
        let contains = |filter: &str, text: &str| text.to_lowercase().contains(&ask.params.text(filter).to_lowercase());
        let (name, content) = (text_of(&template["name"]), template["components"].to_string());
        equal
            && contains("name", &name)
            && contains("content", &content)
            && (contains("name_or_content", &name) || contains("name_or_content", &content))
    };
    let found = world.templates.get(&ask.account).into_iter().flatten().filter(matches);
    let usual = &["name", "parameter_format", "components", "language", "status", "category"];
    let fields = ask.params.text("fields");
    let rows: Vec<_> = found.map(|template| select(template, &fields, usual)).collect();
    let url = format!("https://graph.facebook.com{}", ask.path);
    Ok(paged(&rows, &ask.params.text("after"), &ask.params.text("limit"), &url).into())
}

fn refused(subcode: u32, title: &str, text: &str) -> GraphError {
    let mut error = GraphError::sub(100, subcode).saying("Invalid parameter");
    error.error_user_title = Some(title.into());
    error.error_user_msg = Some(text.into());
    error
}

/// As created: limits of the document, not the reviewers' taste.
fn check(components: &[Value]) -> Result<(), GraphError> {
    let body = components.iter().find(|component| kind(component) == "BODY");
    if body.is_none() {
        return Err(refused(2_388_072, "Message template body", "A body is required."));
    }
    for component in components {
        let text = text_of(&component["text"]);
        let length = text.chars().count();
        match kind(component).as_str() {
            "BODY" if length > 1024 => return Err(refused(2_388_040, "Field too long", "The body has at most 1024 characters.")),
            "BODY" if text.starts_with("{{") || text.ends_with("}}") => {
                return Err(refused(2_388_299, "Variables can't be at the start or end", "Put text around the variable."));
            }
            "FOOTER" if length > 60 => return Err(refused(2_388_040, "Field too long", "The footer has at most 60 characters.")),
            "HEADER" => {
                let format = text_of(&component["format"]).to_uppercase();
                if !["TEXT", "IMAGE", "VIDEO", "DOCUMENT", "LOCATION"].contains(&format.as_str()) {
                    return Err(refused(2_388_047, "Message template header", "The header's format is not known."));
                }
                if ["IMAGE", "VIDEO", "DOCUMENT"].contains(&format.as_str())
                    && component["example"]["header_handle"].as_array().is_none_or(Vec::is_empty)
                {
                    return Err(refused(2_388_273, "Message template header", "The header needs an example of its media."));
                }
            }
            "BUTTONS" => {
                let buttons = component["buttons"].as_array().map_or(&[][..], Vec::as_slice);
                if buttons.is_empty() || buttons.len() > 10 {
                    return Err(refused(2_388_040, "Too many buttons", "One to ten buttons."));
                }
                let known = |button: &Value| BUTTONS.contains(&text_of(&button["type"]).to_uppercase().as_str());
                if !buttons.iter().all(known) || buttons.iter().any(|button| text_of(&button["text"]).chars().count() > 25) {
                    return Err(refused(2_388_040, "Buttons", "Known types, with texts of at most 25 characters."));
                }
            }
            _ => {}
        }
        let variables = super::template_sends::variables(&text).len();
        let has_example = component.get("example").is_some();
        if kind(component) == "BODY" && variables > 0 && !has_example {
            return Err(refused(2_388_072, "Message template body", "Variables need an example."));
        }
    }
    Ok(())
}

fn kind(component: &Value) -> String {
    text_of(&component["type"]).to_uppercase()
}

pub(crate) fn create(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, SCOPE)?;
    let (name, language, category) =
        (ask.params.needed("name")?, ask.params.needed("language")?, ask.params.needed("category")?.to_uppercase());
    let well_named = name.len() <= 512 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !well_named {
        return Err(refused(2_388_042, "Template name", "Lowercase letters, digits and underscores."));
    }
    if !["UTILITY", "MARKETING", "AUTHENTICATION"].contains(&category.as_str()) {
        return Err(GraphError::of(100).saying("(#100) Param category must be one of {UTILITY, MARKETING, AUTHENTICATION}"));
    }
    let components = ask.params.get("components").as_array().cloned().unwrap_or_default();
    if category != "AUTHENTICATION" {
        check(&components)?;
    }
    let id = format!("6{:014}", server.next_number());
    let format = [ask.params.text("parameter_format").to_uppercase(), "POSITIONAL".into()].into_iter().find(|format| !format.is_empty());
    let template = json!({"id": id, "name": name, "language": language, "category": category, "status": "PENDING",
        "parameter_format": format, "components": components, "quality_score": {"score": "UNKNOWN"}});
    let mut world = server.world.lock();
    let templates = world.templates.entry(ask.account.clone()).or_default();
    if templates.iter().any(|other| other["name"] == name.as_str() && other["language"] == language.as_str()) {
        return Err(refused(2_388_024, "Content in this language already exists", "There is content in this language for this template."));
    }
    templates.push(template);
    Ok(json!({"id": id, "status": "PENDING", "category": category}).into())
}

pub(crate) fn edit(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, SCOPE)?;
    let components = ask.params.get("components").as_array().cloned();
    if let Some(components) = &components {
        check(components)?;
    }
    let mut world = server.world.lock();
    let found = world.templates.values_mut().flatten().find(|template| template["id"] == ask.account.as_str());
    let template = found.ok_or_else(|| ask.unsupported())?;
    if let Some(components) = components {
        template["components"] = components.into();
        template["status"] = "PENDING".into();
    }
    if ask.params.has("category") {
        template["category"] = ask.params.text("category").to_uppercase().into();
    }
    success()
}

pub(crate) fn delete(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, SCOPE)?;
    let (name, id) = (ask.params.needed("name")?, ask.params.text("hsm_id"));
    let mut world = server.world.lock();
    let templates = world.templates.entry(ask.account.clone()).or_default();
    let before = templates.len();
    templates.retain(|template| template["name"] != name.as_str() || (!id.is_empty() && template["id"] != id.as_str()));
    if templates.len() == before {
        return Err(refused(2_593_002, "Template not found", "There is no such template."));
    }
    success()
}
