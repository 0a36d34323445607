//! Facebook Login: from the person's token to a Page and its token. The order matters: a Page's token lives as long as the person's
//! from which it was made, so that one is exchanged for a long one first.
//!
//! The manifests that use this name their egress targets alike: [`EXCHANGE`], [`USER`], [`DEBUG_USER`], [`PAGE`], [`DEBUG_PAGE`].

use patchbay_plugin::hooks::{OptionItem, Outcome, Progress, Question};
use patchbay_plugin::{Call, Failure, Fields as _, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::graph::{Graph, Trouble};
use crate::json::Json as _;
use crate::refusal::Class;
use crate::token::{self, Token};

/// Exchanges the person's token; its target adds the app's secret and the token.
pub const EXCHANGE: &str = "exchange";
/// Asks with the person's token.
pub const USER: &str = "user";
/// Asks about the person's token with the app's.
pub const DEBUG_USER: &str = "debug_user";
/// Asks with the Page's token.
pub const PAGE: &str = "page";
/// Asks about the Page's token with the app's.
pub const DEBUG_PAGE: &str = "debug_page";

/// The question which Page it is.
pub const QUESTION: &str = "page";
const PAGE_FIELDS: &str = "id,name,tasks,category,instagram_business_account{id,username}";
/// Businesses whose Pages are looked at: a call has a bound on its requests.
const BUSINESSES_MAX: usize = 2;

/// Who has authorised the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The person's id, which is the app's alone.
    pub id: String,
    /// Their name.
    pub name: Option<String>,
    /// What they have granted.
    pub granted: Vec<String>,
}

/// A Page that the person may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub category: Option<String>,
    /// The id of its Instagram account.
    pub instagram_id: Option<String>,
    /// That account's name.
    pub instagram_username: Option<String>,
    /// What the person may do there; none where Meta doesn't tell.
    tasks: Vec<String>,
}

/// What is kept between the question and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choosing {
    /// Who has authorised.
    pub person: Person,
    /// What they can choose from.
    pub pages: Vec<Page>,
}

impl Page {
    fn read(row: &Value) -> Option<Self> {
        let instagram = row.object("instagram_business_account");
        let id = row.id("id")?;
        Some(Self {
            name: row.text("name").unwrap_or(&id).to_owned(),
            id,
            category: row.text("category").map(str::to_owned),
            instagram_id: instagram.and_then(|account| account.id("id")),
            instagram_username: instagram.and_then(|account| account.text("username").map(str::to_owned)),
            tasks: row.ids("tasks"),
        })
    }

    fn may_message(&self) -> bool {
        let enough = |task: &String| matches!(task.as_str(), "MESSAGING" | "PROFILE_PLUS_MESSAGING" | "PROFILE_PLUS_FULL_CONTROL");
        self.tasks.is_empty() || self.tasks.iter().any(enough)
    }
}

/// The app's id, where the account has an app.
#[must_use]
pub fn app_id(call: &Call) -> Option<&str> {
    call.extras.value("app.client_id").filter(|id| !id.is_empty())
}

/// Makes the person's token a long one, and asks who it is and what they have granted.
///
/// # Errors
/// [`Failure::Forbidden`] where a needed permission is missing: which.
pub fn person(call: &Call, version: &str, needed: &[&str]) -> Result<Person, Failure> {
    exchange(call, version)?;
    let user = Graph::new(USER, version);
    let me = user.get("me").query("fields", "id,name").send()?;
    let id = me.id("id").ok_or_else(|| Failure::unavailable("not_understood", "/me told no id"))?;
    let granted = token::granted(&user)?;
    let missing = token::missing(&granted, needed);
    if !missing.is_empty() {
        return Err(Failure::forbidden(
            "permissions_missing",
            format!("not granted: {}. Connect again, and leave every box ticked in Facebook's dialogue", missing.join(", ")),
        ));
    }
    Ok(Person { id, name: me.text("name").map(str::to_owned), granted })
}

fn exchange(call: &Call, version: &str) -> Result<(), Failure> {
    let client_id =
        app_id(call).ok_or_else(|| Failure::forbidden("app_missing", "the account has no app: connecting by Facebook needs one"))?;
    let ask = Graph::new(EXCHANGE, version).get("oauth/access_token");
    let ask = ask.query("grant_type", "fb_exchange_token").query("client_id", client_id).capture("/access_token", "access_token");
    let trouble = match ask.send() {
        Ok(_) => return Ok(()),
        Err(trouble) => trouble,
    };
    // Tokens of system users don't end and can't be exchanged.
    let final_word = trouble.refusal().is_some_and(|refusal| refusal.class() == Class::Rejected);
    if final_word && token::debug(&Graph::new(DEBUG_USER, version)).is_ok_and(|token| token.valid && token.expires_ms.is_none()) {
        log::info("the token doesn't end, and isn't exchanged", &[]);
        return Ok(());
    }
    Err(trouble.into())
}

/// The Pages that the person may use. Pages that are held through a business alone aren't in the person's own list, though they
/// are granted: the token names them, or the businesses do.
///
/// # Errors
/// Where Meta refuses it, or doesn't answer.
pub fn pages(version: &str, scope: &str) -> Result<Vec<Page>, Failure> {
    let user = Graph::new(USER, version);
    let mut rows = user.list("me/accounts", &[("fields", PAGE_FIELDS), ("limit", "100")])?;
    let known = |rows: &[Value], id: &str| rows.iter().any(|row| row.id("id").as_deref() == Some(id));
    match token::debug(&Graph::new(DEBUG_USER, version)) {
        Ok(token) => {
            let more: Vec<&str> = token.targets(scope).iter().map(String::as_str).filter(|id| !known(&rows, id)).take(50).collect();
            rows.extend(named(&user, &more)?);
        }
        Err(trouble) => log::warn("the token's targets could not be read", &[("failure", &Failure::from(trouble).to_string())]),
    }
    if rows.is_empty() {
        rows.extend(of_businesses(&user));
    }
    let mut pages: Vec<Page> = Vec::new();
    for page in rows.iter().filter_map(Page::read) {
        if !pages.iter().any(|known| known.id == page.id) {
            pages.push(page);
        }
    }
    Ok(pages)
}

/// Several nodes at once: `{"<id>": {…}}`.
fn named(user: &Graph<'_>, ids: &[&str]) -> Result<Vec<Value>, Trouble> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // A Page has no tasks of its own: they are the person's.
    let fields = PAGE_FIELDS.replace("tasks,", "");
    match user.get("").query("ids", ids.join(",")).query("fields", fields).send() {
        Ok(Value::Object(nodes)) => Ok(nodes.into_iter().map(|(_, node)| node).collect()),
        Ok(_) => Ok(Vec::new()),
        // One of them that may not be seen spoils all.
        Err(Trouble::Refused(refusal)) if refusal.class() != Class::Unauthorized => Ok(Vec::new()),
        Err(trouble) => Err(trouble),
    }
}

/// As far as the person has let us see them.
fn of_businesses(user: &Graph<'_>) -> Vec<Value> {
    let businesses = user.list("me/businesses", &[("fields", "id,name")]).unwrap_or_default();
    let mut rows = Vec::new();
    for id in businesses.iter().filter_map(|business| business.id("id")).take(BUSINESSES_MAX) {
        for list in ["owned_pages", "client_pages"] {
            let fields = PAGE_FIELDS.replace("tasks,", "");
            rows.extend(user.list(&format!("{id}/{list}"), &[("fields", &fields), ("limit", "100")]).unwrap_or_default());
        }
    }
    rows
}

/// The one Page, or the question which. `wanted` is the Page of an account that is connected again, or that the settings name.
///
/// # Errors
/// Where there is none to choose from, or not that one.
pub fn choose(choosing: &Choosing, wanted: Option<&str>, note: fn(&Page) -> Option<String>) -> Result<Chosen, Failure> {
    let able: Vec<&Page> = choosing.pages.iter().filter(|page| page.may_message()).collect();
    if let Some(wanted) = wanted {
        return match able.iter().find(|page| page.id == wanted || page.instagram_id.as_deref() == Some(wanted)) {
            Some(page) => Ok(Chosen::Page((*page).clone())),
            None => Err(Failure::forbidden(
                "page_missing",
                format!("{wanted} isn't among what was granted, or the person may not send messages there: connect again and tick it"),
            )),
        };
    }
    match able.as_slice() {
        [] if choosing.pages.is_empty() => Err(Failure::forbidden(
            "no_page",
            "the person has granted no Page: connect again and tick one. Pages of a business portfolio need the permission business_management",
        )),
        [] => Err(Failure::forbidden(
            "no_messaging_task",
            "the person may not send messages for any of the Pages: a Page's administrator can change that",
        )),
        [page] => Ok(Chosen::Page((*page).clone())),
        several => {
            let options =
                several.iter().map(|page| OptionItem { id: page.id.clone(), title: page.name.clone(), note: note(page) }).collect();
            let question = Question { id: QUESTION.into(), title: "Which Page?".into(), options };
            let state = serde_json::to_vec(choosing).map_err(|error| Failure::fault("encoding", error.to_string()))?;
            Ok(Chosen::Ask(Outcome { progress: Progress::Ask(vec![question]), state: Some(state) }))
        }
    }
}

/// A Page, or a question.
#[derive(Debug)]
pub enum Chosen {
    /// It is clear which.
    Page(Page),
    /// Somebody has to say.
    Ask(Outcome),
}

/// What was kept with the question.
///
/// # Errors
/// Where nothing was, which is so after a new authorisation: begin again.
pub fn resume(state: Option<&[u8]>) -> Result<Choosing, Failure> {
    state
        .and_then(|state| serde_json::from_slice(state).ok())
        .ok_or_else(|| Failure::invalid("/answers", "nothing was asked: start connecting again"))
}

/// Lifts the Page's own token into the secret `page_token`.
///
/// # Errors
/// [`Failure::Forbidden`] where Meta doesn't give it.
pub fn take_page_token(version: &str, page: &str) -> Result<(), Failure> {
    let ask = Graph::new(USER, version).get(page).query("fields", "id,name,access_token").capture("/access_token", "page_token");
    let answer = ask.send()?;
    if answer.text("access_token").is_none() {
        return Err(Failure::forbidden(
            "page_token_missing",
            "Meta gives no token of the Page: the person needs the task of messaging there",
        ));
    }
    Ok(())
}

/// What the app's token tells about the Page's.
///
/// # Errors
/// [`Failure::Unauthorized`] where the token is dead.
pub fn page_token(version: &str) -> Result<Token, Failure> {
    let token = token::debug(&Graph::new(DEBUG_PAGE, version))?;
    if token.valid {
        return Ok(token);
    }
    Err(match token.refusal {
        Some(refusal) => match refusal.failure() {
            Failure::Unauthorized(detail) => Failure::Unauthorized(detail),
            other => Failure::unauthorized(refusal.code_words(), other.detail().map_or_else(String::new, |detail| detail.message.clone())),
        },
        None => Failure::unauthorized("190", "the Page's token isn't valid: connect again"),
    })
}
