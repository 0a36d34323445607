//! Bringing a page, or a member's own profile, into service: who has authorised, what they may speak for, which of it it shall be.

use patchbay_plugin::hooks::{Connected, Connecting, OptionItem, Outcome, Progress, Question, Step};
use patchbay_plugin::{Call, Failure, Field, Fields as _, crypto, kv, log};
use serde::{Deserialize, Serialize};

use crate::api::Trouble;
use crate::lookup::{self, Member};
use crate::settings::Settings;
use crate::subscription::Subscription;
use crate::urn;

/// The question's id.
const QUESTION: &str = "author";
/// Most pages whose names are looked up: a call makes few requests.
const NAMES_MAX: usize = 10;
/// Where the member is kept for the health check.
pub(crate) const MEMBER: &str = "member";

/// What stands between the question and its answer.
#[derive(Debug, Serialize, Deserialize)]
struct Choosing {
    member: Member,
    organizations: Vec<String>,
}

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    let settings = Settings::of(call)?;
    match &input.step {
        Step::Disconnect => disconnect(call, &settings),
        Step::Answers(answers) => {
            let choosing: Choosing = input
                .state
                .as_deref()
                .and_then(|state| serde_json::from_slice(state).ok())
                .ok_or_else(|| Failure::rejected("nothing_asked", "the question was asked too long ago: connect the account again"))?;
            let chosen = answers.value(QUESTION).map(str::trim).filter(|answer| !answer.is_empty());
            let chosen = chosen.ok_or_else(|| Failure::invalid("/answers/author", "say which page, or the profile"))?;
            if chosen != choosing.member.urn && !choosing.organizations.iter().any(|urn| urn == chosen) {
                return Err(Failure::invalid("/answers/author", "is none of those that were asked about"));
            }
            finish(call, &settings, input, &choosing.member, chosen)
        }
        Step::Start | Step::Tick | Step::Refresh if crypto::has("access_token") => start(call, &settings, input),
        Step::Start | Step::Tick | Step::Refresh => Err(Failure::unauthorized("not_authorized", "authorise the account at LinkedIn")),
    }
}

fn start(call: &Call, settings: &Settings, input: &Connecting) -> Result<Outcome, Failure> {
    let member = lookup::member(settings).map_err(|trouble| trouble.on(call))?;
    let organizations = match lookup::administered(settings) {
        Ok(organizations) => organizations,
        // Without the permission there is the profile alone.
        Err(Trouble::Refused(refusal)) if refusal.status == 403 && !refusal.is_version() => {
            log::info("the member's pages can't be listed: the app lacks the permission", &[("code", &refusal.code)]);
            Vec::new()
        }
        Err(trouble) => return Err(trouble.on(call)),
    };
    // What is set counts, and an account that is connected again stays what it was.
    let known = settings.organization_urn.as_deref().or(call.account.external_id.as_deref()).filter(|urn| !urn.is_empty());
    if let Some(wanted) = known {
        if wanted == member.urn || organizations.iter().any(|urn| urn == wanted) {
            return finish(call, settings, input, &member, wanted);
        }
        if settings.organization_urn.is_some() {
            let words = format!(
                "{} isn't an administrator of {wanted}: give them that role on the page, or leave organization_urn out to choose",
                member.name
            );
            return Err(Failure::invalid("/organization_urn", words));
        }
    }
    if organizations.is_empty() {
        let urn = member.urn.clone();
        return finish(call, settings, input, &member, &urn);
    }
    let question = question(settings, &member, &organizations);
    let state = serde_json::to_vec(&Choosing { member, organizations }).map_err(|error| Failure::fault("encoding", error.to_string()))?;
    Ok(Outcome { progress: Progress::Ask(vec![question]), state: Some(state) })
}

fn question(settings: &Settings, member: &Member, organizations: &[String]) -> Question {
    let page = |(place, urn): (usize, &String)| {
        let known = if place < NAMES_MAX { lookup::organization(settings, urn).ok() } else { None };
        let title = known.as_ref().map_or_else(|| urn.clone(), |known| known.name.clone());
        OptionItem { id: urn.clone(), title, note: known.and_then(|known| known.vanity_name).or_else(|| Some(urn.clone())) }
    };
    let mut options: Vec<OptionItem> = organizations.iter().enumerate().map(page).collect();
    options.push(OptionItem { id: member.urn.clone(), title: "My own profile".into(), note: Some(member.name.clone()) });
    Question { id: QUESTION.into(), title: "Which page does the account speak for?".into(), options }
}

fn finish(call: &Call, settings: &Settings, input: &Connecting, member: &Member, chosen: &str) -> Result<Outcome, Failure> {
    kv::set_json(MEMBER, &member.urn, None)?;
    let mut facts =
        vec![Field::new("member", &member.name), Field::new("member_urn", &member.urn), Field::new("api_version", &settings.api_version)];
    let display_name = if urn::is_organization(chosen) {
        let organization = lookup::organization(settings, chosen).map_err(|trouble| trouble.on(call))?;
        facts.extend(organization.facts());
        facts.push(Field::new("organization_urn", chosen));
        facts.push(Field::new("events", subscribe(call, settings, input, member, chosen)?));
        organization.name
    } else {
        facts.push(Field::new("name", &member.name));
        facts.extend(member.picture.as_ref().map(|picture| Field::new("logo", picture)));
        facts.push(Field::new("events", "LinkedIn tells of an organisation's posts alone"));
        member.name.clone()
    };
    facts.extend(lookup::days_left(call).map(|days| Field::new("days_until_reauthorisation", days.to_string())));
    Ok(Outcome::connected(Connected {
        external_id: chosen.to_owned(),
        display_name,
        settings: None,
        facts,
        // Some events name the member alone.
        routes: vec![member.urn.clone()],
    }))
}

/// An account that only posts is in service without it: what is wrong is shown, and told by the health check.
fn subscribe(call: &Call, settings: &Settings, input: &Connecting, member: &Member, organization: &str) -> Result<String, Failure> {
    let Some(subscription) = Subscription::of(settings, &member.urn, organization) else {
        return Ok("not subscribed: set application_id of the app".into());
    };
    let words = |detail: &patchbay_plugin::failure::Detail| {
        log::warn("the page's comments and reactions couldn't be subscribed", &[("code", &detail.code)]);
        format!("not subscribed: {}", detail.message)
    };
    match subscription.set(&input.webhook_url).map_err(|trouble| trouble.on(call)) {
        Ok(()) => Ok("subscribed".into()),
        Err(Failure::Forbidden(detail) | Failure::Rejected(detail) | Failure::Recipient(detail)) => Ok(words(&detail)),
        Err(failure) => Err(failure),
    }
}

/// A token that is dead already gets no events.
fn disconnect(call: &Call, settings: &Settings) -> Result<Outcome, Failure> {
    let member = kv::get_json::<String>(MEMBER);
    let organization = call.account.external_id.as_deref().filter(|urn| urn::is_organization(urn));
    if let (Some(member), Some(organization)) = (member, organization)
        && crypto::has("access_token")
        && let Some(subscription) = Subscription::of(settings, &member, organization)
    {
        match subscription.end().map_err(|trouble| trouble.on(call)) {
            Ok(()) => {}
            Err(Failure::Unauthorized(detail) | Failure::Forbidden(detail) | Failure::Rejected(detail)) => {
                log::info("the subscription was left, because LinkedIn won't end it", &[("code", &detail.code)]);
            }
            Err(failure) => return Err(failure),
        }
    }
    kv::delete(MEMBER);
    Ok(Outcome::connected(Connected {
        external_id: String::new(),
        display_name: String::new(),
        settings: None,
        facts: Vec::new(),
        routes: Vec::new(),
    }))
}
