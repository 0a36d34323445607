//! Parameters that mean the same wherever they are: those of the path, those of all lists, and the header that makes a POST safe to
//! repeat.

use serde_json::{Map, Value, json};

const ID: &str = "01a0c0de-0000-7000-8000-000000000001";
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Adds what the path and the method tell, and says of each parameter what is the same everywhere; what the operation says itself stays.
pub(super) fn complete(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let mut added: Vec<Value> = names(path).map(in_path).collect();
    if method == "post" && path.starts_with("/rest/") {
        added.push(idempotency_key());
    }
    if added.is_empty() && !operation.contains_key("parameters") {
        return;
    }
    let Some(own) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut() else { return };
    let is_known = |wanted: &Value| own.iter().any(|known| known["name"] == wanted["name"] && known["in"] == wanted["in"]);
    added.retain(|wanted| !is_known(wanted));
    own.splice(0..0, added);
    own.iter_mut().filter_map(Value::as_object_mut).for_each(describe);
}

/// The names in braces.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn in_path(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "With the same key and body, a POST that is made again within 24 hours is answered as the first time, and does nothing.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "example": "5f0c9a52-6f2c-4a67-9a3c-0d4f2f1f5a11",
    })
}

fn describe(parameter: &mut Map<String, Value>) {
    let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    // A parameter that is absent isn't null: nothing can be written for that in a URL.
    if let Some(schema) = parameter.get_mut("schema") {
        without_null(schema);
    }
    let whole = |default: u32| json!({"type": "integer", "minimum": 0, "maximum": u32::MAX, "default": default});
    match name.as_str() {
        "limit" => drop(parameter.insert("schema".to_owned(), whole(100))),
        "offset" => drop(parameter.insert("schema".to_owned(), whole(0))),
        // A filter on a column of that name says itself what it takes.
        "since" | "until" if !parameter.contains_key("description") => {
            parameter.insert("schema".to_owned(), json!({"type": "string", "format": "date-time"}));
        }
        _ => {}
    }
    let Some((description, example)) = usual(&name) else { return };
    parameter.entry("description").or_insert_with(|| json!(description));
    parameter.entry("example").or_insert(example);
}

fn without_null(schema: &mut Value) {
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [one] = kinds.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [one] = choices.as_slice() {
            *schema = one.clone();
        }
    }
}

/// What a parameter of that name means, and an example.
fn usual(name: &str) -> Option<(&'static str, Value)> {
    Some(match name {
        "id" => ("Its id.", json!(ID)),
        "type" => ("The channel type, as `GET /rest/v1/channel_types` names it.", json!("PIGEON")),
        "digest" => ("The component's SHA-256 in hex.", json!(DIGEST)),
        "limit" => ("At most so many; more than 1000 are never answered at once.", json!(50)),
        "offset" => ("So many are left out at the beginning.", json!(0)),
        "before" => ("The id of the last one of the page before: the list goes on behind it.", json!(ID)),
        "organization_id" => ("Of that organisation. A key that belongs to one sees nothing else.", json!("acme")),
        "channel_account_id" => ("Of that account.", json!(ID)),
        "since" => ("From then on: RFC 3339.", json!("2026-11-22T00:00:00Z")),
        "until" => ("Until then: RFC 3339.", json!("2026-11-23T00:00:00Z")),
        _ => return None,
    })
}
