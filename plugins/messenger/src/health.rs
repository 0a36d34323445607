//! What Meta knows against the account. A subscription that is gone is set again.

use patchbay_meta::{Graph, Json as _, Trouble, checks, login};
use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Field};
use serde_json::Value;

use crate::connect::PAGE_SCOPES;
use crate::settings::Settings;

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let settings: Settings = call.settings()?;
    let page = settings.page(call).ok_or_else(|| Failure::unauthorized("not_connected", "the account has no Page yet: connect it"))?;
    let (mut checks, mut facts) = (Vec::new(), Vec::new());
    if login::app_id(call).is_some() {
        let token = login::page_token(&settings.graph_version)?;
        checks.extend([Check::ok("token"), checks::expiry(&token, checks::now_ms(call)), checks::permissions(&token.scopes, &PAGE_SCOPES)]);
        facts.extend(checks::token_facts(&token));
    }
    let graph = Graph::new(login::PAGE, &settings.graph_version);
    match graph.get(page).query("fields", "id,name,is_published,messaging_feature_status,has_added_app").send() {
        Ok(told) => {
            checks.push(self::page(&told, page));
            facts.extend(page_facts(&told));
        }
        Err(Trouble::Refused(refusal)) if !is_passing(&refusal) => checks.push(checks::refused("page", &refusal)?),
        Err(trouble) => return Err(trouble.into()),
    }
    checks.push(checks::subscription(&graph, page, login::app_id(call), &settings.fields())?);
    Ok(Report { checks, facts })
}

/// A limit or a fault of Meta's says nothing about the Page.
fn is_passing(refusal: &patchbay_meta::Refusal) -> bool {
    matches!(refusal.failure(), Failure::Limited(_) | Failure::Unavailable(_))
}

fn page(told: &Value, page: &str) -> Check {
    let other = told.id("id").filter(|id| id != page);
    if let Some(other) = other {
        return Check::failed("page", Detail::new("other_page", format!("the token is of Page {other}, and the account of {page}")));
    }
    if told.get("is_published").and_then(Value::as_bool) == Some(false) {
        return Check::failed("page", Detail::new("page_unpublished", "the Page isn't published: nobody can write to it"));
    }
    Check::ok("page")
}

fn page_facts(told: &Value) -> Vec<Field> {
    let mut facts: Vec<Field> = told.text("name").map(|name| Field::new("page_name", name)).into_iter().collect();
    for name in ["is_published", "has_added_app"] {
        facts.extend(told.get(name).and_then(Value::as_bool).map(|flag| Field::new(name, flag.to_string())));
    }
    let status = told.get("messaging_feature_status").filter(|status| !status.is_null());
    facts.extend(
        status.map(|status| Field::new("messaging_feature_status", status.as_str().map_or_else(|| status.to_string(), str::to_owned))),
    );
    facts
}
