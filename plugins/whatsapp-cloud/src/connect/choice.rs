//! Which business account and which number, of those that the person has let the app have. Ids are never taken on trust.

use patchbay_meta::Json as _;
use patchbay_meta::token::Token;
use patchbay_plugin::hooks::{OptionItem, Question};
use patchbay_plugin::{Failure, log};
use serde_json::Value;

use super::State;
use super::token::NEEDED;
use crate::settings::Settings;

/// What is asked about each number of a business account.
pub(super) const FIELDS: &str = "id,display_phone_number,verified_name,status,platform_type,code_verification_status,quality_rating";
/// Most business accounts whose names are looked up, and most businesses that are asked for theirs.
const ACCOUNTS_MAX: usize = 20;
const BUSINESSES_MAX: usize = 5;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub(super) waba_id: String,
    pub(super) phone_number_id: String,
}

pub(super) enum Found {
    One(Chosen),
    Ask(Vec<Question>, State),
}

pub(super) fn of(settings: &Settings, token: Option<&Token>, state: &State) -> Result<Found, Failure> {
    let mut accounts = granted(token);
    if accounts.is_empty() {
        accounts = listed(settings)?;
    }
    if accounts.is_empty() {
        // Granted for all, and nobody may list them: what is set is tried.
        accounts.extend(settings.waba_id.clone().map(|id| (id, None)));
    }
    let waba_id = match (accounts.as_slice(), &state.waba_id) {
        ([], _) => {
            let words = "the login grants no WhatsApp business account: log in again and choose one, or set `waba_id`";
            return Err(Failure::forbidden("no_business_account", words));
        }
        ([(only, _)], _) => only.clone(),
        (accounts, Some(wanted)) if accounts.iter().any(|(id, _)| id == wanted) => wanted.clone(),
        (accounts, _) => return Ok(Found::Ask(vec![which_account(settings, accounts)], State { waba_id: None, ..state.clone() })),
    };
    let numbers = settings.graph().list(&format!("{waba_id}/phone_numbers"), &[("fields", FIELDS), ("limit", "100")])?;
    let ids: Vec<String> = numbers.iter().filter_map(|number| number.id("id")).collect();
    match (ids.as_slice(), &state.phone_number_id) {
        ([], _) => Err(Failure::rejected(
            "no_number",
            format!("the business account {waba_id} has no number: add one in WhatsApp Manager > Phone numbers"),
        )),
        ([only], _) => Ok(Found::One(Chosen { waba_id, phone_number_id: only.clone() })),
        (ids, Some(wanted)) if ids.contains(wanted) => Ok(Found::One(Chosen { waba_id, phone_number_id: wanted.clone() })),
        _ => Ok(Found::Ask(vec![which_number(&numbers)], State { waba_id: Some(waba_id), phone_number_id: None })),
    }
}

/// The business accounts that were ticked. None: all of them, or nobody knows.
fn granted(token: Option<&Token>) -> Vec<(String, Option<String>)> {
    let targets = token.and_then(|token| NEEDED.iter().map(|scope| token.targets(scope)).find(|targets| !targets.is_empty()));
    targets.unwrap_or_default().iter().map(|id| (id.clone(), None)).collect()
}

/// Those of the person's businesses. The permission to list them may be missing, which is no reason to stop.
fn listed(settings: &Settings) -> Result<Vec<(String, Option<String>)>, Failure> {
    let graph = settings.graph();
    let businesses = match graph.list("me/businesses", &[("fields", "id,name")]) {
        Ok(businesses) => businesses,
        Err(trouble) => match Failure::from(trouble) {
            dead @ (Failure::Unauthorized(_) | Failure::Unavailable(_) | Failure::Limited(_)) => return Err(dead),
            other => {
                log::warn("the businesses of the login can't be listed", &[("why", &format!("{other:?}"))]);
                return Ok(Vec::new());
            }
        },
    };
    let mut accounts: Vec<(String, Option<String>)> = Vec::new();
    for business in businesses.iter().filter_map(|business| business.id("id")).take(BUSINESSES_MAX) {
        for edge in ["owned_whatsapp_business_accounts", "client_whatsapp_business_accounts"] {
            for account in graph.list(&format!("{business}/{edge}"), &[("fields", "id,name")]).unwrap_or_default() {
                if let Some(id) = account.id("id").filter(|id| !accounts.iter().any(|(known, _)| known == id)) {
                    accounts.push((id, account.text("name").map(str::to_owned)));
                }
            }
        }
    }
    Ok(accounts)
}

fn which_account(settings: &Settings, accounts: &[(String, Option<String>)]) -> Question {
    let graph = settings.graph();
    let name = |id: &str| graph.get(id).query("fields", "id,name").send().ok()?.text("name").map(str::to_owned);
    let options = accounts.iter().enumerate().map(|(place, (id, known))| {
        let known = known.clone().or_else(|| if place < ACCOUNTS_MAX { name(id) } else { None });
        OptionItem { id: id.clone(), title: known.unwrap_or_else(|| id.clone()), note: Some(id.clone()) }
    });
    Question { id: "waba_id".into(), title: "Which WhatsApp business account?".into(), options: options.collect() }
}

fn which_number(numbers: &[Value]) -> Question {
    let options = numbers.iter().filter_map(|number| {
        let id = number.id("id")?;
        let title = number.text("display_phone_number").unwrap_or(&id).to_owned();
        let notes = ["verified_name", "status", "quality_rating"].iter().filter_map(|field| number.text(field));
        let note = notes.collect::<Vec<_>>().join(", ");
        Some(OptionItem { id, title, note: Some(note).filter(|note| !note.is_empty()) })
    });
    Question { id: "phone_number_id".into(), title: "Which number?".into(), options: options.collect() }
}
