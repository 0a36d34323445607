//! What only WhatsApp has: flows, asking for a place, and objects of the Cloud API as they stand.

use patchbay_plugin::Failure;
use patchbay_plugin::messages::Custom;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::interactive::frame;
use super::plan::{Step, length};
use super::put::Put as _;

pub(super) fn step(custom: &Custom, at: &str) -> Result<Step, Failure> {
    let at = format!("{at}/data");
    match custom.kind.as_str() {
        "flow" => flow(&read(custom, &at)?, &at),
        "location_request" => {
            let asked: Asked = read(custom, &at)?;
            let mut payload = frame("location_request_message", None, &asked.body, None, &at)?;
            payload.put("action", json!({"name": "send_location"}));
            Ok(Step::new("interactive", payload))
        }
        // Products, catalogues, addresses, permission to call, carousels: as the Cloud API describes them.
        "interactive" => whole(custom, "interactive", &["type", "action"], &at),
        "template" => whole(custom, "template", &["name", "language"], &at),
        "contacts" => match read::<Value>(custom, &at)? {
            Value::Array(cards) if !cards.is_empty() => Ok(Step::new("contacts", Value::Array(cards))),
            _ => Err(Failure::invalid(at, "is a list of contacts as the Cloud API describes them")),
        },
        other => Err(Failure::unsupported(
            "custom",
            format!("there is no content {other}: flow, location_request, interactive, template and contacts are"),
        )),
    }
}

fn read<'a, T: Deserialize<'a>>(custom: &'a Custom, at: &str) -> Result<T, Failure> {
    serde_json::from_str(&custom.json).map_err(|error| Failure::invalid(at, error.to_string()))
}

fn whole(custom: &Custom, kind: &'static str, needed: &[&str], at: &str) -> Result<Step, Failure> {
    let object: Map<String, Value> = read(custom, at)?;
    match needed.iter().find(|field| !object.contains_key(**field)) {
        Some(missing) => Err(Failure::invalid(format!("{at}/{missing}"), "is needed")),
        None => Ok(Step::new(kind, Value::Object(object))),
    }
}

#[derive(Deserialize)]
struct Asked {
    body: String,
}

/// <https://developers.facebook.com/docs/whatsapp/flows>
#[derive(Deserialize)]
struct Flow {
    header: Option<String>,
    body: String,
    footer: Option<String>,
    flow_id: Option<String>,
    flow_name: Option<String>,
    flow_cta: String,
    flow_token: Option<String>,
    mode: Option<String>,
    /// `navigate` or `data_exchange`.
    flow_action: Option<String>,
    screen: Option<String>,
    data: Option<Value>,
}

fn flow(flow: &Flow, at: &str) -> Result<Step, Failure> {
    length(&flow.flow_cta, 1, 30, &format!("{at}/flow_cta"))?;
    let mut parameters = json!({"flow_message_version": "3", "flow_cta": flow.flow_cta});
    match (&flow.flow_id, &flow.flow_name) {
        (Some(id), None) => parameters.put("flow_id", id.as_str()),
        (None, Some(name)) => parameters.put("flow_name", name.as_str()),
        _ => return Err(Failure::invalid(format!("{at}/flow_id"), "give either flow_id or flow_name")),
    }
    for (name, value) in [("flow_token", &flow.flow_token), ("mode", &flow.mode), ("flow_action", &flow.flow_action)] {
        if let Some(value) = value {
            parameters.put(name, value.as_str());
        }
    }
    if let Some(screen) = &flow.screen {
        parameters.put(
            "flow_action_payload",
            match &flow.data {
                Some(data) => json!({"screen": screen, "data": data}),
                None => json!({"screen": screen}),
            },
        );
    }
    let mut payload = frame("flow", flow.header.as_deref(), &flow.body, flow.footer.as_deref(), at)?;
    payload.put("action", json!({"name": "flow", "parameters": parameters}));
    Ok(Step::new("interactive", payload))
}
