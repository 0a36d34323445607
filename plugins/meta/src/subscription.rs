//! Which apps get the webhooks of a Page, an Instagram account or a WhatsApp business account.

use serde_json::Value;

use crate::graph::{Graph, Trouble};
use crate::json::Json as _;

/// An app that gets webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub app_id: String,
    /// Of what; empty where the node knows no fields.
    pub fields: Vec<String>,
}

/// How a subscription was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// As it has to be.
    Whole,
    /// It was gone, or lacked these fields; now it is there.
    Mended(Vec<String>),
    /// It was set, and still lacks these fields (all of them: it isn't there).
    Lacking(Vec<String>),
}

/// The apps that get webhooks of `node`.
///
/// # Errors
/// Where Meta refuses it, or doesn't answer.
pub fn read(graph: &Graph<'_>, node: &str) -> Result<Vec<Subscriber>, Trouble> {
    let apps = graph.list(&format!("{node}/subscribed_apps"), &[])?;
    Ok(apps.iter().filter_map(subscriber).collect())
}

/// Pages tell `id`, Instagram accounts `app_id`, WhatsApp business accounts an object.
fn subscriber(entry: &Value) -> Option<Subscriber> {
    let app = entry.object("whatsapp_business_api_data").unwrap_or(entry);
    let app_id = app.id("app_id").or_else(|| app.id("id"))?;
    Some(Subscriber { app_id, fields: entry.ids("subscribed_fields") })
}

/// Subscribes the app of the token. `fields` is empty where the node knows none.
///
/// # Errors
/// Where Meta refuses it, or doesn't answer.
pub fn subscribe(graph: &Graph<'_>, node: &str, fields: &[&str]) -> Result<(), Trouble> {
    let mut ask = graph.post(&format!("{node}/subscribed_apps")).repeatable();
    if !fields.is_empty() {
        ask = ask.query("subscribed_fields", fields.join(","));
    }
    ask.send().map(|_| ())
}

/// Takes the app of the token out.
///
/// # Errors
/// Where Meta refuses it, or doesn't answer.
pub fn unsubscribe(graph: &Graph<'_>, node: &str) -> Result<(), Trouble> {
    graph.delete(&format!("{node}/subscribed_apps")).send().map(|_| ())
}

/// Looks whether our app gets those fields; subscribes it where not, and looks again. Without an `app_id` any app will do: an
/// account's token is one app's, and it sees that one.
///
/// # Errors
/// Where Meta refuses it, or doesn't answer.
pub fn mend(graph: &Graph<'_>, node: &str, app_id: Option<&str>, fields: &[&str]) -> Result<Found, Trouble> {
    let lacking = |subscribers: &[Subscriber]| lacking(subscribers, app_id, fields);
    let standing = read(graph, node)?;
    let Some(before) = lacking(&standing) else { return Ok(Found::Whole) };
    // Setting replaces: what somebody else has the app subscribed to stays.
    let ours = standing.iter().find(|subscriber| app_id == Some(subscriber.app_id.as_str()));
    let others = ours.iter().flat_map(|ours| &ours.fields).map(String::as_str).filter(|field| !fields.contains(field));
    subscribe(graph, node, &fields.iter().copied().chain(others).collect::<Vec<_>>())?;
    let now = read(graph, node)?;
    Ok(match lacking(&now) {
        None => Found::Mended(before),
        // Instagram may list the app by another of its ids: what was set stands under that one. Where no fields are told, another
        // app's subscription looks the same, and says nothing of ours.
        Some(_) if !fields.is_empty() && !lists(&now, app_id) && self::lacking(&now, None, fields).is_none() => {
            if now == standing {
                Found::Whole
            } else {
                Found::Mended(before)
            }
        }
        Some(after) => Found::Lacking(after),
    })
}

fn lists(subscribers: &[Subscriber], app_id: Option<&str>) -> bool {
    subscribers.iter().any(|subscriber| app_id == Some(subscriber.app_id.as_str()))
}

/// What our app doesn't get; none where it gets all.
#[must_use]
pub fn lacking(subscribers: &[Subscriber], app_id: Option<&str>, fields: &[&str]) -> Option<Vec<String>> {
    let ours = subscribers.iter().find(|subscriber| app_id.is_none_or(|app_id| subscriber.app_id == app_id));
    let Some(ours) = ours else { return Some(fields.iter().map(|field| (*field).to_owned()).collect()) };
    let missing: Vec<String> =
        fields.iter().filter(|field| !ours.fields.iter().any(|has| has == *field)).map(|field| (*field).to_owned()).collect();
    // Some nodes list no fields for an app that gets them all.
    (!missing.is_empty() && !ours.fields.is_empty()).then_some(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;
    use serde_json::json;

    const GRAPH: fn() -> Graph<'static> = || Graph::new("page", "v26.0");

    fn listed(provider: &Provider, apps: &Value) {
        provider.on("GET page /v26.0/100/subscribed_apps").answer(200, &json!({"data": apps}));
    }

    #[test]
    fn a_whole_subscription_is_left_alone() {
        let provider = Provider::new();
        listed(
            &provider,
            &json!([{"id": "9", "subscribed_fields": []}, {"id": 1, "subscribed_fields": ["messages", "message_reads", "feed"]}]),
        );
        assert_eq!(mend(&GRAPH(), "100", Some("1"), &["messages", "message_reads"]), Ok(Found::Whole));
    }

    #[test]
    fn a_subscription_that_is_gone_is_mended_and_looked_at_again() {
        let provider = Provider::new();
        listed(&provider, &json!([{"id": "9", "subscribed_fields": ["messages"]}]));
        provider.on("POST page /v26.0/100/subscribed_apps").answer(200, &json!({"success": true}));
        listed(&provider, &json!([{"id": "1", "subscribed_fields": ["messages"]}]));
        assert_eq!(mend(&GRAPH(), "100", Some("1"), &["messages"]), Ok(Found::Mended(vec!["messages".into()])));
        assert_eq!(provider.requests()[1].query[0].value, "messages");
    }

    #[test]
    fn what_stays_missing_is_told() {
        let provider = Provider::new();
        listed(&provider, &json!([]));
        provider.on("POST page /v26.0/100/subscribed_apps").answer(200, &json!({"success": true}));
        listed(&provider, &json!([{"app_id": "1", "subscribed_fields": ["messages"]}]));
        assert_eq!(mend(&GRAPH(), "100", Some("1"), &["messages", "standby"]), Ok(Found::Lacking(vec!["standby".into()])));
    }

    #[test]
    fn an_app_that_is_listed_by_another_id_is_set_again_and_found_whole() {
        let provider = Provider::new();
        let listing = || listed(&provider, &json!([{"app_id": "9", "subscribed_fields": ["messages"]}]));
        listing();
        provider.on("POST page /v26.0/100/subscribed_apps").answer(200, &json!({"success": true}));
        listing();
        assert_eq!(mend(&GRAPH(), "100", Some("1"), &["messages"]), Ok(Found::Whole));
    }

    #[test]
    fn a_whatsapp_business_account_names_the_app_in_an_object() {
        let apps = json!({"whatsapp_business_api_data": {"id": "1", "name": "x", "link": "y"}});
        assert_eq!(subscriber(&apps), Some(Subscriber { app_id: "1".into(), fields: Vec::new() }));
        assert_eq!(lacking(&[subscriber(&apps).unwrap()], Some("1"), &[]), None);
        assert_eq!(lacking(&[], Some("1"), &[]), Some(Vec::new()));
    }
}
