//! An example of each operation's request and answer, from `examples/*.json`: by the operation's id, `request` and `answer`. The suite
//! holds each against its schema.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    request: Option<Value>,
    answer: Option<Value>,
    /// Which status the answer is of; without it the first one that goes well.
    status: Option<String>,
}

static EXAMPLES: LazyLock<BTreeMap<String, Example>> = LazyLock::new(|| {
    let files = [
        include_str!("examples/api_keys.json"),
        include_str!("examples/apps.json"),
        include_str!("examples/channel_accounts.json"),
        include_str!("examples/channel_types.json"),
        include_str!("examples/events.json"),
        include_str!("examples/media.json"),
        include_str!("examples/messages.json"),
        include_str!("examples/operations.json"),
        include_str!("examples/people.json"),
        include_str!("examples/plugins.json"),
        include_str!("examples/statistics.json"),
        include_str!("examples/webhooks.json"),
    ];
    let mut all = BTreeMap::new();
    for file in files {
        match serde_json::from_str::<BTreeMap<String, Example>>(file) {
            Ok(examples) => all.extend(examples),
            Err(error) => tracing::error!(%error, "examples of the API can't be read"),
        }
    }
    all
});

/// Puts the operation's examples where they belong.
pub(super) fn complete(operation: &mut Map<String, Value>) {
    let Some(example) = operation.get("operationId").and_then(Value::as_str).and_then(|id| EXAMPLES.get(id)) else { return };
    if let Some(body) = operation.get_mut("requestBody") {
        place(body, example.request.as_ref());
    }
    let fits = |status: &str| example.status.as_deref().map_or(status.starts_with('2'), |wanted| wanted == status);
    let answers = operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten();
    if let Some((_, answer)) = answers.into_iter().find(|(status, answer)| fits(status) && answer.get("content").is_some()) {
        place(answer, example.answer.as_ref());
    }
}

/// Text is no example of JSON, and the other way round: the first kind of content that fits has it.
fn place(body: &mut Value, example: Option<&Value>) {
    let Some(example) = example else { return };
    let kinds = body.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten();
    let fits = |kind: &str| kind.contains("json") != example.is_string();
    if let Some((_, content)) = kinds.into_iter().find(|(kind, _)| fits(kind))
        && let Some(content) = content.as_object_mut()
    {
        content.insert("example".to_owned(), example.clone());
    }
}
