//! Who the member is, and what they may speak for.

use patchbay_plugin::{Call, Field, Fields as _, crypto};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{self, Trouble};
use crate::json::Json as _;
use crate::settings::Settings;
use crate::urn;

const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;

/// Who has authorised the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) urn: String,
    pub(crate) name: String,
    pub(crate) picture: Option<String>,
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Organization {
    pub(crate) urn: String,
    pub(crate) name: String,
    pub(crate) vanity_name: Option<String>,
    pub(crate) logo: Option<String>,
}

/// It takes from a daily quota that all accounts of the app share.
pub(crate) fn member(settings: &Settings) -> Result<Member, Trouble> {
    let told = api::read(settings, "/v2/userinfo", &[])?;
    let id = told.id("sub").ok_or_else(|| {
        let reason = "no sub".to_owned();
        Trouble::Http(patchbay_plugin::http::Error::NotUnderstood { status: 200, reason, repeatable: true })
    })?;
    let urn = if urn::kind(&id) == "person" { id.clone() } else { format!("urn:li:person:{id}") };
    Ok(Member { urn, name: told.text("name").unwrap_or(&id).to_owned(), picture: told.text("picture").map(str::to_owned) })
}

/// The pages that the member is an administrator of.
pub(crate) fn administered(settings: &Settings) -> Result<Vec<String>, Trouble> {
    let query = [("q", "roleAssignee"), ("role", "ADMINISTRATOR"), ("state", "APPROVED"), ("count", "100")];
    let told = api::read(settings, "/rest/organizationAcls", &query)?;
    let is_ours = |entry: &&Value| {
        entry.text("role").is_none_or(|role| role == "ADMINISTRATOR") && entry.text("state").is_none_or(|state| state == "APPROVED")
    };
    let mut urns: Vec<String> = Vec::new();
    for entry in told.list("elements").iter().filter(is_ours) {
        let urn = ["organization", "organizationTarget", "organizationalTarget"].iter().find_map(|name| entry.text(name));
        let urn = urn.filter(|urn| urn::is_organization(urn));
        if let Some(urn) = urn.filter(|urn| !urns.iter().any(|known| known == urn)) {
            urns.push(urn.to_owned());
        }
    }
    Ok(urns)
}

pub(crate) fn organization(settings: &Settings, urn: &str) -> Result<Organization, Trouble> {
    let told = api::read(settings, format!("/rest/organizations/{}", urn::encoded(urn::key(urn))), &[])?;
    let logo = told.object("logoV2");
    // Decorated, it has addresses; else it is a URN.
    let address = || logo?.pointer("/original~/elements/0/identifiers/0/identifier")?.as_str();
    let name = told.text("localizedName").or_else(|| told.text("name")).unwrap_or(urn).to_owned();
    Ok(Organization {
        urn: urn.to_owned(),
        name,
        vanity_name: told.text("vanityName").map(str::to_owned),
        logo: address().or_else(|| logo?.text("original")).map(str::to_owned),
    })
}

impl Organization {
    pub(crate) fn facts(&self) -> Vec<Field> {
        let known = [("name", Some(&self.name)), ("vanity_name", self.vanity_name.as_ref()), ("logo", self.logo.as_ref())];
        known.into_iter().filter_map(|(name, value)| Some(Field::new(name, value?))).collect()
    }
}

/// Whole days until somebody has to authorise the account again; none where nobody knows.
pub(crate) fn days_left(call: &Call) -> Option<f64> {
    let at = |name: &str| call.extras.value(name)?.parse::<f64>().ok();
    // While it can be refreshed the access token is the gateway's care.
    let renewed = crypto::has("refresh_token");
    let ends = at("refresh_expires_ms").or_else(|| at("token_expires_ms").filter(|_| !renewed))?;
    Some(((ends - api::now_ms(call)?) / DAY_MS).floor())
}
