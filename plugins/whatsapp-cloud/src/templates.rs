//! The templates of the business account.

use patchbay_meta::Json as _;
use patchbay_plugin::hooks::{Template, TemplatePage};
use patchbay_plugin::{Call, Failure};
use serde_json::Value;

use crate::settings::Settings;

const FIELDS: &str = "id,name,language,category,status,components,parameter_format,quality_score,rejected_reason,previous_category";

pub(crate) fn page(call: &Call, cursor: Option<&str>) -> Result<TemplatePage, Failure> {
    let settings = Settings::of(call)?;
    let path = format!("{}/message_templates", settings.waba()?);
    let page = settings.graph().page(&path, &[("fields", FIELDS), ("limit", "100")], cursor)?;
    Ok(TemplatePage { templates: page.items.iter().filter_map(template).collect(), cursor: page.after })
}

fn template(told: &Value) -> Option<Template> {
    let word = |name: &str| told.text(name).unwrap_or_default().to_lowercase();
    Some(Template {
        id: told.id("id"),
        name: told.text("name")?.to_owned(),
        language: told.text("language").unwrap_or_default().to_owned(),
        category: word("category"),
        status: word("status"),
        reason: told.text("rejected_reason").filter(|reason| !reason.is_empty() && *reason != "NONE").map(str::to_owned),
        quality: told.object("quality_score").and_then(|quality| quality.text("score")).map(str::to_owned),
        components: Value::from(told.list("components")).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::Fields as _;
    use patchbay_plugin::testing::{self, Provider};
    use serde_json::json;

    #[test]
    fn templates_are_read_page_by_page() {
        let provider = Provider::new();
        let first = json!({"id": "6", "name": "order_ready", "language": "en_US", "status": "APPROVED", "category": "UTILITY", "parameter_format": "POSITIONAL",
            "components": [{"type": "BODY", "text": "Hi {{1}}"}], "quality_score": {"score": "GREEN", "date": 1}, "rejected_reason": "NONE"});
        let second = json!({"id": 7, "name": "cart", "language": "ar", "status": "REJECTED", "category": "MARKETING", "rejected_reason": "INVALID_FORMAT"});
        let route = "GET graph /v26.0/8/message_templates";
        provider.on(route).answer(200, &json!({"data": [first, {}], "paging": {"cursors": {"after": "A"}, "next": "https://x"}}));
        provider.on(route).answer(200, &json!({"data": [second], "paging": {"cursors": {"after": "B"}}}));
        let call = testing::call(Some("9"), &json!({"waba_id": "8"}));
        let page = |cursor| super::page(&call, cursor).unwrap();
        let read = page(None);
        let template = &read.templates[0];
        assert_eq!((read.templates.len(), read.cursor.as_deref()), (1, Some("A")));
        assert_eq!(
            (template.status.as_str(), template.category.as_str(), template.quality.as_deref()),
            ("approved", "utility", Some("GREEN"))
        );
        assert_eq!((template.reason.as_deref(), template.components.as_str()), (None, r#"[{"text":"Hi {{1}}","type":"BODY"}]"#));
        let last = page(Some("A"));
        assert_eq!(
            (last.templates[0].id.as_deref(), last.templates[0].reason.as_deref(), last.cursor),
            (Some("7"), Some("INVALID_FORMAT"), None)
        );
        assert_eq!(provider.requests()[1].query.value("after"), Some("A"));
    }

    #[test]
    fn a_token_that_only_sends_lacks_a_permission() {
        let provider = Provider::new();
        provider.on("GET graph /v26.0/8/message_templates").answer(403, &json!({"error": {"code": 10, "message": "x"}}));
        assert!(matches!(page(&testing::call(Some("9"), &json!({"waba_id": "8"})), None), Err(Failure::Forbidden(_))));
    }
}
