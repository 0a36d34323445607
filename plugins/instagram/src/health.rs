//! What Meta knows against the account. A subscription that is gone is set again; a token of Instagram's own login is renewed.

use patchbay_meta::{Graph, Json as _, Trouble, checks, login};
use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Field};
use serde_json::Value;

use crate::connect::{PAGE_SCOPES, unwrapped};
use crate::renewal;
use crate::settings::{LoginType, Settings};

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let settings: Settings = call.settings()?;
    let missing = || Failure::unauthorized("not_connected", "the account isn't known yet: connect it");
    let (account, node) = (settings.account(call).ok_or_else(missing)?, settings.node(call).ok_or_else(missing)?);
    let graph = Graph::new(settings.target(), &settings.graph_version);
    let (mut checks, mut facts) = (Vec::new(), Vec::new());
    match settings.login_type {
        LoginType::Facebook => {
            if login::app_id(call).is_some() {
                let token = login::page_token(&settings.graph_version)?;
                checks.extend([checks::expiry(&token, checks::now_ms(call)), checks::permissions(&token.scopes, &PAGE_SCOPES)]);
                facts.extend(checks::token_facts(&token));
            }
        }
        LoginType::Instagram => checks.push(renewal::check(checks::now_ms(call))?),
    }
    match identity(&settings, &graph, node) {
        Ok(told) => {
            let told_id = told.id("user_id").or_else(|| told.id("id"));
            checks.extend([Check::ok("token"), self::account(told_id.as_deref(), account)]);
            facts.extend(told.text("username").map(|username| Field::new("username", username)));
        }
        Err(Trouble::Refused(refusal)) if !matches!(refusal.failure(), Failure::Limited(_) | Failure::Unavailable(_)) => {
            checks.push(checks::refused("account", &refusal)?);
        }
        Err(trouble) => return Err(trouble.into()),
    }
    checks.push(checks::subscription(&graph, node, login::app_id(call), &settings.fields())?);
    Ok(Report { checks, facts })
}

/// The account, as the token tells it.
fn identity(settings: &Settings, graph: &Graph<'_>, node: &str) -> Result<Value, Trouble> {
    match settings.login_type {
        LoginType::Facebook => {
            let page = graph.get(node).query("fields", "id,name,instagram_business_account{id,username}").send()?;
            Ok(page.get("instagram_business_account").cloned().unwrap_or_default())
        }
        LoginType::Instagram => Ok(unwrapped(&graph.get("me").query("fields", "user_id,username").send()?).clone()),
    }
}

fn account(told: Option<&str>, account: &str) -> Check {
    match told {
        Some(told) if told == account => Check::ok("account"),
        Some(told) => {
            Check::failed("account", Detail::new("other_account", format!("the token is of account {told}, and this one is {account}")))
        }
        None => Check::failed("account", Detail::new("no_instagram_account", "the Page has no Instagram account any more: link it again")),
    }
}
