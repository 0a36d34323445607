//! What happens to templates: Meta approves, rates, moves and pauses them.

use patchbay_meta::Json as _;
use patchbay_plugin::messages::{Event, Happening, TemplateStatus};
use serde_json::Value;

use super::{Place, clock};

/// Whether it is a field of templates.
pub(super) fn is_of_templates(field: &str) -> bool {
    field.starts_with("message_template") || field.starts_with("template_")
}

pub(super) fn event(place: &Place, field: &str, told: &Value, time: Option<f64>) -> Event {
    let category = told.text("new_category").or_else(|| told.text("message_template_category")).or_else(|| told.text("correct_category"));
    let changed = |new: &str, old: &str| match (told.text(new), told.text(old)) {
        (Some(new), Some(old)) => Some(format!("{new} (was {old})")),
        (Some(new), None) => Some(new.to_owned()),
        (None, _) => None,
    };
    let (status, reason) = match field {
        "message_template_status_update" => (told.text("event").unwrap_or("unknown").to_lowercase(), reason(told)),
        "message_template_quality_update" => ("quality_changed".to_owned(), changed("new_quality_score", "previous_quality_score")),
        "template_category_update" if told.text("new_category").is_some() => {
            ("category_changed".to_owned(), changed("new_category", "previous_category"))
        }
        // Notice in advance: in a day or so it will.
        "template_category_update" => {
            let now = told.text("new_category").or_else(|| told.text("category")).map(|now| format!(" (is {now})")).unwrap_or_default();
            ("category_will_change".to_owned(), told.text("correct_category").map(|correct| format!("{correct}{now}")))
        }
        "message_template_components_update" => ("components_changed".to_owned(), None),
        other => (other.trim_start_matches("message_template_").trim_end_matches("_update").to_owned(), None),
    };
    let id = told.id("message_template_id").unwrap_or_default();
    let key = format!("wa:{}:template:{id}:{status}:{}", place.waba, clock(time, told));
    let mut event = place.event(
        key,
        Happening::Template(TemplateStatus {
            name: told.text("message_template_name").unwrap_or_default().to_owned(),
            language: told.text("message_template_language").unwrap_or_default().to_owned(),
            status,
            category: category.unwrap_or_default().to_lowercase(),
            reason,
        }),
    );
    event.at_ms = time;
    event
}

/// `INVALID_FORMAT: Variables next to each other. Put text between variables.`
fn reason(told: &Value) -> Option<String> {
    let word = told.text("reason").filter(|word| !word.is_empty() && *word != "NONE");
    let info = |name: &str| told.object("rejection_info").or_else(|| told.object("other_info")).and_then(|info| info.text(name));
    let words: Vec<&str> = ["title", "reason", "description", "recommendation"].into_iter().filter_map(info).collect();
    match (word, words.as_slice()) {
        (None, []) => None,
        (Some(word), []) => Some(word.to_owned()),
        (None, words) => Some(words.join(" ")),
        (Some(word), words) => Some(format!("{word}: {}", words.join(" "))),
    }
}
