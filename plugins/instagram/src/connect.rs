//! Bringing an Instagram account into service, by either door.

use patchbay_meta::login::{self, Choosing, Chosen, Page, Person};
use patchbay_meta::{Graph, Json as _, checks, subscription};
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Step};
use patchbay_plugin::{Call, Failure, Field, Fields as _, crypto, log};
use serde_json::{Map, Value};

use crate::renewal;
use crate::settings::{INSTAGRAM, LoginType, Settings};

/// Without these nothing works, by the door of Facebook.
const SCOPES: [&str; 4] = ["instagram_basic", "instagram_manage_messages", "pages_show_list", "pages_manage_metadata"];
/// What the Page's token has to carry.
pub(crate) const PAGE_SCOPES: [&str; 2] = ["instagram_basic", "instagram_manage_messages"];
const INSTAGRAM_FIELD: &str = "id,name,instagram_business_account{id,username,name,profile_picture_url}";

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    let settings: Settings = call.settings()?;
    if matches!(input.step, Step::Disconnect) {
        return disconnect(call, &settings);
    }
    match settings.login_type {
        LoginType::Facebook => by_facebook(call, &settings, input),
        LoginType::Instagram if crypto::has("access_token") => by_instagram(call, &settings),
        LoginType::Instagram => {
            Err(Failure::unauthorized("not_authorized", "authorise the account at Instagram, or type in an access_token"))
        }
    }
}

fn by_facebook(call: &Call, settings: &Settings, input: &Connecting) -> Result<Outcome, Failure> {
    if let Step::Answers(answers) = &input.step {
        let choosing = login::resume(input.state.as_deref())?;
        let chosen = answers.value(login::QUESTION).ok_or_else(|| Failure::invalid("/answers/page", "say which account"))?;
        return authorized(call, settings, &choosing, Some(chosen));
    }
    if crypto::has("access_token") {
        let person = login::person(call, &settings.graph_version, &SCOPES)?;
        let found = login::pages(&settings.graph_version, "instagram_manage_messages")?;
        let bare = !found.is_empty();
        let pages: Vec<Page> = found.into_iter().filter(|page| page.instagram_id.is_some()).collect();
        if pages.is_empty() && bare {
            return Err(Failure::forbidden(
                "no_instagram_account",
                "none of the Pages has a professional Instagram account: link it in the Page's settings, and make it a Business or Creator account first",
            ));
        }
        return authorized(call, settings, &Choosing { person, pages }, settings.account(call).or(settings.page_id.as_deref()));
    }
    if !crypto::has("page_token") {
        return Err(Failure::unauthorized("not_authorized", "authorise the account at Facebook, or type in page_id and page_token"));
    }
    let page = Graph::new(login::PAGE, &settings.graph_version).get("me").query("fields", "id").send()?;
    let page = page.id("id").ok_or_else(|| Failure::unavailable("not_understood", "/me told no id"))?;
    if let Some(wanted) = settings.page_id.as_deref().filter(|wanted| *wanted != page) {
        return Err(Failure::invalid("/page_id", format!("the token is Page {page}'s, and not {wanted}'s")));
    }
    finish(call, settings, &page, None)
}

fn authorized(call: &Call, settings: &Settings, choosing: &Choosing, wanted: Option<&str>) -> Result<Outcome, Failure> {
    let note = |page: &Page| page.instagram_username.as_ref().map(|username| format!("@{username}"));
    match login::choose(choosing, wanted, note)? {
        Chosen::Ask(question) => Ok(question),
        Chosen::Page(page) => {
            login::take_page_token(&settings.graph_version, &page.id)?;
            finish(call, settings, &page.id, Some(&choosing.person))
        }
    }
}

/// The Page is known and its token there: the account is what hangs on it.
fn finish(call: &Call, settings: &Settings, page: &str, person: Option<&Person>) -> Result<Outcome, Failure> {
    let graph = Graph::new(login::PAGE, &settings.graph_version);
    let told = graph.get(page).query("fields", INSTAGRAM_FIELD).send()?;
    let account = told.object("instagram_business_account");
    let Some((account, id)) = account.and_then(|account| Some((account, account.id("id")?))) else {
        return Err(Failure::forbidden(
            "no_instagram_account",
            "the Page has no professional Instagram account: link one in the Page's settings",
        ));
    };
    same_account(call, settings, &id)?;
    subscribe(&graph, page, login::app_id(call), settings)?;
    let mut facts = profile(account);
    facts.push(Field::new("page_id", page));
    facts.extend(told.text("name").map(|name| Field::new("page_name", name)));
    let mut users: Vec<String> = person.map(|person| person.id.clone()).into_iter().collect();
    if let Some(person) = person {
        facts.extend(person.name.as_ref().map(|name| Field::new("authorized_by", name)));
        facts.push(Field::new("permissions", person.granted.join(",")));
    }
    if login::app_id(call).is_some() {
        let token = login::page_token(&settings.graph_version)?;
        facts.extend(checks::token_facts(&token));
        users.extend(token.user_id.filter(|_| users.is_empty()));
    }
    connected(call, &id, account, Some(page), facts, users)
}

fn by_instagram(call: &Call, settings: &Settings) -> Result<Outcome, Failure> {
    renewal::exchange(settings, checks::now_ms(call).unwrap_or_default())?;
    let graph = Graph::new(INSTAGRAM, &settings.graph_version);
    let me = graph.get("me").query("fields", "user_id,id,username,name,account_type,profile_picture_url").send()?;
    let me = unwrapped(&me);
    let kind = me.text("account_type").unwrap_or_default();
    if kind.eq_ignore_ascii_case("PERSONAL") {
        return Err(Failure::rejected(
            "personal_account",
            "the account is a personal one, which has no API: in the Instagram app choose Settings, Account type, Switch to professional account, then connect again",
        ));
    }
    // `id` is the app's own name for the account, and no webhook has it.
    let id = me.id("user_id").ok_or_else(|| Failure::unavailable("not_understood", "/me told no user_id"))?;
    same_account(call, settings, &id)?;
    subscribe(&graph, &id, login::app_id(call), settings)?;
    let mut facts = profile(me);
    facts.extend(me.text("account_type").map(|kind| Field::new("account_type", kind)));
    // Which of its two names a deauthorisation carries isn't settled.
    let users = me.id("id").into_iter().chain([id.clone()]).collect();
    connected(call, &id, me, None, facts, users)
}

/// Some answers are wrapped in a list.
pub(crate) fn unwrapped(answer: &Value) -> &Value {
    answer.list("data").first().unwrap_or(answer)
}

fn same_account(call: &Call, settings: &Settings, id: &str) -> Result<(), Failure> {
    match settings.account(call).filter(|wanted| *wanted != id) {
        Some(wanted) => Err(Failure::invalid("/ig_account_id", format!("the token is account {id}'s, and not {wanted}'s"))),
        None => Ok(()),
    }
}

/// A Page may be subscribed for Messenger already: what is there stays.
fn subscribe(graph: &Graph<'_>, node: &str, app_id: Option<&str>, settings: &Settings) -> Result<(), Failure> {
    match subscription::mend(graph, node, app_id, &settings.fields())? {
        subscription::Found::Lacking(missing) => {
            Err(Failure::unavailable("subscription", format!("it was subscribed, and Meta doesn't list: {}", missing.join(", "))))
        }
        subscription::Found::Whole | subscription::Found::Mended(_) => Ok(()),
    }
}

fn profile(account: &Value) -> Vec<Field> {
    let mut facts = Vec::new();
    for name in ["username", "name", "profile_picture_url"] {
        facts.extend(account.text(name).map(|told| Field::new(name, told)));
    }
    facts
}

fn connected(
    call: &Call,
    id: &str,
    account: &Value,
    page: Option<&str>,
    facts: Vec<Field>,
    users: Vec<String>,
) -> Result<Outcome, Failure> {
    let name = account.text("username").map(|username| format!("@{username}"));
    // What is sent goes to the Page, which only the settings can keep.
    let mut settings: Map<String, Value> = patchbay_plugin::hooks::parse_settings(&call.account.settings)?;
    let known = settings.get("page_id").and_then(Value::as_str);
    let settings = match page.filter(|page| known != Some(*page)) {
        Some(page) => {
            settings.insert("page_id".into(), page.into());
            Some(Value::Object(settings).to_string())
        }
        None => None,
    };
    Ok(Outcome::connected(Connected {
        external_id: id.to_owned(),
        display_name: name.unwrap_or_else(|| id.to_owned()),
        settings,
        facts,
        routes: users.into_iter().map(|user| format!("user:{user}")).collect(),
    }))
}

/// A Page's subscription serves Messenger, too, and stays; without the account nothing comes of it.
fn disconnect(call: &Call, settings: &Settings) -> Result<Outcome, Failure> {
    let node = settings.node(call).filter(|_| settings.login_type == LoginType::Instagram && crypto::has("access_token"));
    if let Some(node) = node {
        match subscription::unsubscribe(&Graph::new(INSTAGRAM, &settings.graph_version), node).map_err(Failure::from) {
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
