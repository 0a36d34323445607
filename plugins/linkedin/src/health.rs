//! What LinkedIn knows against the account: the token, the version of its API, the member's role, the subscription.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Field, Fields as _, kv, log};

use crate::api::{self, Trouble};
use crate::connect::MEMBER;
use crate::lookup;
use crate::settings::Settings;
use crate::subscription::Subscription;
use crate::urn;

/// Days before its end from which a token is told of.
const AHEAD_DAYS: f64 = 7.0;
/// When LinkedIn was last asked who the member is.
const ASKED: &str = "userinfo";
const HOUR_MS: f64 = 60.0 * 60.0 * 1000.0;

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let settings = Settings::of(call)?;
    let author = call.account.external_id.as_deref().filter(|urn| !urn.is_empty());
    let author = author.ok_or_else(|| Failure::unauthorized("not_connected", "the account has no page yet: connect it"))?;
    let mut checks = vec![token(call)];
    let mut facts: Vec<Field> = Vec::new();
    facts.extend(lookup::days_left(call).map(|days| Field::new("days_until_reauthorisation", days.to_string())));
    checks.extend(member(call, &settings, author)?);
    let access = access(call, &settings, author, &mut facts)?;
    let version_is_there = access.iter().all(|check| check.ok || check.name != "api_version");
    checks.extend(access);
    if version_is_there && urn::is_organization(author) {
        checks.push(events(call, &settings, author, &mut facts)?);
    }
    Ok(Report { checks, facts })
}

fn token(call: &Call) -> Check {
    match lookup::days_left(call) {
        Some(days) if days < AHEAD_DAYS => {
            let ends = if days < 0.0 { "has ended".to_owned() } else { format!("ends in {days} days") };
            let words =
                format!("the authorisation {ends} and LinkedIn doesn't renew it by itself: connect the account again and authorise it");
            Check::failed("token", Detail::new("token_ends", words).with("days", days.to_string()))
        }
        _ => Check::ok("token"),
    }
}

/// At most once an hour, however often somebody looks.
fn member(call: &Call, settings: &Settings, author: &str) -> Result<Option<Check>, Failure> {
    let now = api::now_ms(call);
    let asked = kv::get_json::<f64>(ASKED);
    if now.zip(asked).is_some_and(|(now, asked)| (0.0..HOUR_MS).contains(&(now - asked))) {
        return Ok(None);
    }
    let member = match lookup::member(settings) {
        Ok(member) => member,
        // Used up, it says nothing of the token.
        Err(Trouble::Refused(refusal)) if refusal.status == 429 => return Ok(None),
        Err(trouble) => return Err(trouble.on(call)),
    };
    if let Some(now) = now
        && let Err(failure) = kv::set_json(ASKED, &now, Some(3600))
    {
        log::warn("when the member was asked about could not be kept", &[("failure", &failure.to_string())]);
    }
    let other = match kv::get_json::<String>(MEMBER) {
        Some(known) => known != member.urn,
        None => {
            // The subscription is in the member's name.
            kv::set_json(MEMBER, &member.urn, None)?;
            urn::kind(author) == "person" && author != member.urn
        }
    };
    if other {
        let words = format!("{} has authorised the account, and somebody else had connected it: connect it again", member.name);
        return Ok(Some(Check::failed("member", Detail::new("other_member", words))));
    }
    Ok(Some(Check::ok("member")))
}

/// A call of the versioned API that the account needs.
fn access(call: &Call, settings: &Settings, author: &str, facts: &mut Vec<Field>) -> Result<Vec<Check>, Failure> {
    let organization = urn::is_organization(author);
    let told = if organization {
        lookup::organization(settings, author).map(|told| facts.extend(told.facts()))
    } else {
        lookup::administered(settings).map(drop)
    };
    let refusal = match told {
        Ok(()) => None,
        Err(Trouble::Refused(refusal)) if refusal.is_version() || matches!(refusal.status, 403 | 404) => Some(refusal),
        Err(trouble) => return Err(trouble.on(call)),
    };
    let Some(refusal) = refusal else {
        return Ok(if organization { vec![Check::ok("api_version"), Check::ok("organization")] } else { vec![Check::ok("api_version")] });
    };
    let failure = refusal.failure(None, call.attempt);
    let detail = failure.detail().cloned().unwrap_or_else(|| Detail::new("refused", "LinkedIn refuses it"));
    Ok(if refusal.is_version() {
        vec![Check::failed("api_version", detail)]
    } else if organization {
        vec![Check::ok("api_version"), Check::failed("organization", detail)]
    } else {
        // A profile needs no page.
        vec![Check::ok("api_version")]
    })
}

/// A subscription that is gone is set again.
fn events(call: &Call, settings: &Settings, organization: &str, facts: &mut Vec<Field>) -> Result<Check, Failure> {
    let failed = |detail: Detail| Check::failed("events", detail);
    let member = kv::get_json::<String>(MEMBER);
    let Some(subscription) = member.as_deref().and_then(|member| Subscription::of(settings, member, organization)) else {
        let words = "comments and reactions aren't subscribed: set application_id of the app and connect the account again";
        return Ok(failed(Detail::new("not_subscribed", words)));
    };
    let ours = call.extras.value("webhook_url");
    let standing = subscription.read().map_err(|trouble| trouble.on(call));
    let result = match (standing, ours) {
        (Ok(Some(url)), Some(ours)) if !url.is_empty() && url != ours => {
            subscription.set(ours).map(|()| "the subscription led elsewhere and was set again")
        }
        (Ok(Some(_)), _) => Ok("subscribed"),
        (Ok(None), Some(ours)) => subscription.set(ours).map(|()| "the subscription was gone and was set again"),
        (Ok(None), None) => Ok("not subscribed"),
        // It can be set and not be read, by some versions.
        (Err(Failure::Forbidden(_) | Failure::Rejected(_)), _) => Ok("LinkedIn doesn't tell"),
        (Err(failure), _) => return Err(failure),
    };
    match result.map_err(|trouble| trouble.on(call)) {
        Ok(words) => {
            facts.push(Field::new("events", words));
            Ok(Check { name: "events".into(), ok: true, detail: (words != "subscribed").then(|| Detail::new("events", words)) })
        }
        Err(Failure::Forbidden(detail) | Failure::Rejected(detail) | Failure::Recipient(detail)) => {
            facts.push(Field::new("events", format!("not subscribed: {}", detail.message)));
            Ok(failed(detail))
        }
        Err(failure) => Err(failure),
    }
}

/// For tests: what a check says.
#[cfg(test)]
pub(crate) fn words(report: &Report) -> serde_json::Value {
    report.checks.iter().map(|check| (check.name.clone(), check.ok.into())).collect::<serde_json::Map<_, _>>().into()
}
