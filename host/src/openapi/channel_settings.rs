//! What the plugins that run say of accounts' settings: a schema for each channel type, taken from its manifest.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::manifest::Manifest;

const SCHEMAS: &str = "#/components/schemas/";
/// The schema of a request for an account of whatever type.
const NEW_ACCOUNT: &str = "NewAccount";

/// Adds the settings of each type, and makes a request for an account one of a type that runs.
pub(super) fn describe(document: &mut Value, manifests: &[Arc<Manifest>]) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let Some(any) = schemas.get(NEW_ACCOUNT).cloned() else { return };
    let mut mapping = Map::new();
    for manifest in manifests {
        let channel_type = &manifest.channel_type;
        let (settings, account) = (format!("ChannelSettings_{channel_type}"), format!("{NEW_ACCOUNT}_{channel_type}"));
        let needs_some = manifest.settings_schema.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
        schemas.insert(settings.clone(), own(&manifest.settings_schema, &settings));
        schemas.insert(account.clone(), of_type(&any, channel_type, &manifest.name, &settings, needs_some));
        mapping.insert(channel_type.clone(), json!(format!("{SCHEMAS}{account}")));
    }
    if mapping.is_empty() {
        return;
    }
    let one_of: Vec<Value> = mapping.values().map(|place| json!({"$ref": place})).collect();
    let mut one = json!({"oneOf": one_of, "discriminator": {"propertyName": "type", "mapping": mapping}});
    one["description"] = any.get("description").cloned().unwrap_or_default();
    schemas.insert(NEW_ACCOUNT.to_owned(), one);
}

/// A request for an account of one type.
fn of_type(any: &Value, channel_type: &str, name: &str, settings: &str, needs_settings: bool) -> Value {
    let mut account = any.clone();
    account["title"] = json!(name);
    account["properties"]["type"] = json!({"type": "string", "const": channel_type});
    account["properties"]["settings"] = json!({"$ref": format!("{SCHEMAS}{settings}")});
    if let Some(required) = account.get_mut("required").and_then(Value::as_array_mut).filter(|_| needs_settings) {
        required.push(json!("settings"));
    }
    account
}

/// A schema as a part of the document: what it refers to is within it still.
fn own(schema: &Value, name: &str) -> Value {
    let mut own = schema.clone();
    if let Some(fields) = own.as_object_mut() {
        fields.remove("$schema");
        fields.remove("$id");
    }
    move_references(&mut own, &format!("{SCHEMAS}{name}"));
    own
}

fn move_references(value: &mut Value, root: &str) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && let Some(inside) = reference.strip_prefix('#')
            {
                *reference = format!("{root}{inside}");
            }
            members.values_mut().for_each(|member| move_references(member, root));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, root)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifests_schema_stays_whole_in_the_document() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": {"host": {"$ref": "#/$defs/host"}},
            "$defs": {"host": {"type": "string"}},
        });
        let moved = own(&schema, "ChannelSettings_PAGER");
        assert_eq!(moved["properties"]["host"]["$ref"], "#/components/schemas/ChannelSettings_PAGER/$defs/host");
        assert!(moved.get("$schema").is_none());
    }

    #[test]
    fn a_request_is_of_one_type() {
        let any = json!({"properties": {"type": {"type": "string"}, "settings": {"type": "object"}}, "required": ["name", "type"]});
        let account = of_type(&any, "PAGER", "Pager", "ChannelSettings_PAGER", true);
        assert_eq!(account["properties"]["type"]["const"], "PAGER");
        assert_eq!(account["required"], json!(["name", "type", "settings"]));
        assert_eq!(of_type(&any, "PAGER", "Pager", "ChannelSettings_PAGER", false)["required"], json!(["name", "type"]));
    }
}
