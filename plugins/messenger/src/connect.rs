//! Bringing a Page into service: by a person's authorisation, or by a Page's token that was typed in.

use patchbay_meta::login::{self, Choosing, Chosen, Page, Person};
use patchbay_meta::{Graph, Json as _, checks, subscription};
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::{Call, Failure, Field, Fields as _, crypto, log};

use crate::settings::Settings;

/// Without these nothing works.
pub(crate) const SCOPES: [&str; 3] = ["pages_show_list", "pages_messaging", "pages_manage_metadata"];
/// What the Page's token has to carry.
pub(crate) const PAGE_SCOPES: [&str; 2] = ["pages_messaging", "pages_manage_metadata"];

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    let settings: Settings = call.settings()?;
    match &input.step {
        Step::Disconnect => disconnect(call, &settings),
        Step::Answers(answers) => {
            let choosing = login::resume(input.state.as_deref())?;
            let chosen = answers.value(login::QUESTION);
            let page = chosen.ok_or_else(|| Failure::invalid("/answers/page", "say which Page"))?;
            authorized(call, &settings, &choosing, Some(page))
        }
        Step::Start | Step::Tick | Step::Refresh if crypto::has("access_token") => {
            let person = login::person(call, &settings.graph_version, &SCOPES)?;
            let pages = login::pages(&settings.graph_version, "pages_messaging")?;
            authorized(call, &settings, &Choosing { person, pages }, settings.page(call))
        }
        Step::Start | Step::Tick | Step::Refresh if crypto::has("page_token") => typed(call, &settings),
        Step::Start | Step::Tick | Step::Refresh => {
            Err(Failure::unauthorized("not_authorized", "authorise the account at Facebook, or type in page_id and page_token"))
        }
    }
}

fn authorized(call: &Call, settings: &Settings, choosing: &Choosing, wanted: Option<&str>) -> Result<Outcome, Failure> {
    let note = |page: &Page| page.category.clone();
    let page = match login::choose(choosing, wanted, note)? {
        Chosen::Page(page) => page,
        Chosen::Ask(question) => return Ok(question),
    };
    login::take_page_token(&settings.graph_version, &page.id)?;
    finish(call, settings, &page.id, &page.name, page.category.as_deref(), Some(&choosing.person))
}

/// The token tells its own Page.
fn typed(call: &Call, settings: &Settings) -> Result<Outcome, Failure> {
    let page = Graph::new(login::PAGE, &settings.graph_version).get("me").query("fields", "id,name,category").send()?;
    let id = page.id("id").ok_or_else(|| Failure::unavailable("not_understood", "/me told no id"))?;
    if let Some(wanted) = settings.page(call).filter(|wanted| *wanted != id) {
        return Err(Failure::invalid("/page_id", format!("the token is Page {id}'s, and not {wanted}'s")));
    }
    finish(call, settings, &id, page.text("name").unwrap_or(&id), page.text("category"), None)
}

fn finish(
    call: &Call,
    settings: &Settings,
    id: &str,
    name: &str,
    category: Option<&str>,
    person: Option<&Person>,
) -> Result<Outcome, Failure> {
    let graph = Graph::new(login::PAGE, &settings.graph_version);
    let app_id = login::app_id(call);
    subscription::subscribe(&graph, id, &settings.fields())?;
    let subscribers = subscription::read(&graph, id)?;
    if let Some(missing) = subscription::lacking(&subscribers, app_id, &settings.fields()) {
        return Err(Failure::unavailable(
            "subscription",
            format!("the Page was subscribed, and Meta doesn't list: {}", missing.join(", ")),
        ));
    }
    let mut facts = vec![Field::new("page_id", id), Field::new("page_name", name)];
    facts.extend(category.map(|category| Field::new("category", category)));
    let mut user = person.map(|person| person.id.clone());
    if let Some(person) = person {
        facts.extend(person.name.as_ref().map(|name| Field::new("authorized_by", name)));
        facts.push(Field::new("permissions", person.granted.join(",")));
    }
    // Without an app nobody can be asked about the token.
    if app_id.is_some() {
        let token = login::page_token(&settings.graph_version)?;
        facts.extend(checks::token_facts(&token));
        user = user.or(token.user_id);
    }
    Ok(Outcome::connected(Connected {
        external_id: id.to_owned(),
        display_name: name.to_owned(),
        settings: None,
        facts,
        routes: user.map(|user| format!("user:{user}")).into_iter().collect(),
    }))
}

/// A token that is dead already gets no webhooks.
fn disconnect(call: &Call, settings: &Settings) -> Result<Outcome, Failure> {
    if let Some(page) = settings.page(call).filter(|_| crypto::has("page_token")) {
        match subscription::unsubscribe(&Graph::new(login::PAGE, &settings.graph_version), page).map_err(Failure::from) {
            Ok(()) => {}
            Err(Failure::Unauthorized(detail) | Failure::Forbidden(detail) | Failure::Rejected(detail)) => {
                log::info("the subscription was left, because the token can't end it", &[("code", &detail.code)]);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Outcome::connected(Connected {
        external_id: String::new(),
        display_name: String::new(),
        settings: None,
        facts: Vec::new(),
        routes: Vec::new(),
    }))
}
