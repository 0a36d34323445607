//! Templates that Meta has approved, with their values.

use patchbay_plugin::messages::{Template, TemplateButton, TemplateValue};
use patchbay_plugin::{Failure, Field};
use serde_json::{Value, json};

use super::plan::{self, Step, length};
use super::put::Put as _;
use super::upload::Upload;
use super::{Context, media};

pub(super) fn step(context: &Context<'_>, template: &Template, at: &str) -> Result<Step, Failure> {
    length(&template.name, 1, 512, &format!("{at}/name"))?;
    let language = if template.language.is_empty() { &context.settings.default_language } else { &template.language };
    let (mut components, mut uploads) = (Vec::new(), Vec::new());
    if let Some(header) = &template.header {
        let parameter = self::parameter(header, "/components/0/parameters/0", &mut uploads, &format!("{at}/header"))?;
        components.push(json!({"type": "header", "parameters": [parameter]}));
    }
    if !template.body.is_empty() {
        let mut parameters = Vec::with_capacity(template.body.len());
        for (index, value) in template.body.iter().enumerate() {
            let place = format!("/components/{}/parameters/{index}", components.len());
            parameters.push(parameter(value, &place, &mut uploads, &format!("{at}/body/{index}"))?);
        }
        components.push(json!({"type": "body", "parameters": parameters}));
    }
    for (index, button) in template.buttons.iter().enumerate() {
        components.push(self::button(button, &format!("{at}/buttons/{index}"))?);
    }
    let mut payload = json!({"name": template.name, "language": {"code": language}});
    if !components.is_empty() {
        payload.put("components", components);
    }
    Ok(Step { kind: "template", payload, uploads })
}

fn parameter(value: &TemplateValue, place: &str, uploads: &mut Vec<Upload>, at: &str) -> Result<Value, Failure> {
    match value {
        TemplateValue::Text(text) => self::text(text, at),
        TemplateValue::Media(one) => {
            let (kind, object) = media::header(one, place, uploads, &format!("{at}/media"))?;
            Ok(json!({"type": kind, kind: object}))
        }
        TemplateValue::Location(location) => Ok(json!({"type": "location", "location": plan::location(location)})),
        // `currency`, `date_time`, and whatever comes: the name is the type, the value its object.
        TemplateValue::Custom(custom) => {
            let object: Value = serde_json::from_str(&custom.value)
                .map_err(|error| Failure::invalid(format!("{at}/custom/value"), format!("isn't the JSON of a parameter: {error}")))?;
            Ok(json!({"type": custom.name, custom.name.as_str(): object}))
        }
    }
}

/// Named where the template's values have names, and not numbers.
fn text(text: &Field, at: &str) -> Result<Value, Failure> {
    let pointer = format!("{at}/text/value");
    length(&text.value, 1, 4096, &pointer)?;
    if text.value.contains(['\n', '\r', '\t']) || text.value.contains("     ") {
        return Err(Failure::invalid(pointer, "Meta refuses line breaks, tabs and more than four spaces in a value"));
    }
    let mut parameter = json!({"type": "text", "text": text.value});
    if !text.name.is_empty() && !text.name.bytes().all(|byte| byte.is_ascii_digit()) {
        parameter.put("parameter_name", text.name.as_str());
    }
    Ok(parameter)
}

fn button(button: &TemplateButton, at: &str) -> Result<Value, Failure> {
    let value = button.value.as_str();
    let json = || serde_json::from_str::<Value>(value).ok().filter(Value::is_object);
    let (kind, parameter) = match button.kind.to_ascii_lowercase().as_str() {
        "quick_reply" | "reply" => ("quick_reply", json!({"type": "payload", "payload": value})),
        // The end of the address; also the code of a one-time password.
        "url" | "otp" => ("url", json!({"type": "text", "text": value})),
        "copy_code" | "copy" => ("copy_code", json!({"type": "coupon_code", "coupon_code": value})),
        "flow" => ("flow", json!({"type": "action", "action": json().unwrap_or_else(|| json!({"flow_token": value}))})),
        "catalog" => {
            ("catalog", json!({"type": "action", "action": json().unwrap_or_else(|| json!({"thumbnail_product_retailer_id": value}))}))
        }
        "mpm" => {
            let action =
                json().ok_or_else(|| Failure::invalid(format!("{at}/value"), "is the JSON of the products: {\"sections\": […]}"))?;
            ("mpm", json!({"type": "action", "action": action}))
        }
        _ => return Err(Failure::invalid(format!("{at}/kind"), "is quick_reply, url, otp, copy_code, flow, catalog or mpm")),
    };
    if value.is_empty() && kind != "catalog" && kind != "flow" {
        return Err(Failure::invalid(format!("{at}/value"), "is empty"));
    }
    Ok(json!({"type": "button", "sub_type": kind, "index": button.index.to_string(), "parameters": [parameter]}))
}
