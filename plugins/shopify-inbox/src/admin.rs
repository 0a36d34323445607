//! The Admin API: small GraphQL documents, typed answers.

use patchbay_plugin::Failure;
use patchbay_plugin::http::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::access::Access;
use crate::refusal::{self, Place};

/// What was asked for, and the version that Shopify answered with.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) data: T,
    pub(crate) version: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Envelope {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Value,
    #[serde(default)]
    extensions: Value,
}

/// Only documents that may be carried out twice.
pub(crate) fn ask<T: DeserializeOwned>(access: &Access<'_>, document: &str, variables: &Value) -> Result<Answer<T>, Failure> {
    let path = format!("/admin/api/{}/graphql.json", access.settings.api_version);
    let body = json!({"query": document, "variables": variables});
    let response = access.ask(|| Ok(Request::post("admin", path.as_str()).json(&body)?.repeatable()))?;
    if !response.is_success() {
        return Err(refusal::of_status(Place::Admin, &response));
    }
    let version = response.header("x-shopify-api-version").map(str::to_owned);
    let envelope: Envelope = response.json()?;
    match &envelope.errors {
        Value::Null => {}
        Value::Array(errors) if errors.is_empty() => {}
        Value::Array(errors) => return Err(refusal::of_graphql(errors, &envelope.extensions)),
        other => return Err(refusal::of_graphql(std::slice::from_ref(other), &envelope.extensions)),
    }
    let data = T::deserialize(envelope.data).map_err(|error| response.not_understood(&error.to_string()))?;
    Ok(Answer { data, version })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shop {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) myshopify_domain: String,
}

/// The shop of the token, and what the app may do there.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) shop: Shop,
    pub(crate) scopes: Vec<String>,
    pub(crate) version: Option<String>,
}

const STANDING: &str = "query { shop { id name myshopifyDomain } currentAppInstallation { accessScopes { handle } } }";

pub(crate) fn standing(access: &Access<'_>) -> Result<Standing, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        shop: Shop,
        current_app_installation: Option<Installation>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Installation {
        access_scopes: Vec<Scope>,
    }
    #[derive(Deserialize)]
    struct Scope {
        handle: String,
    }
    let answer: Answer<Data> = ask(access, STANDING, &json!({}))?;
    let scopes = answer.data.current_app_installation.map(|app| app.access_scopes).unwrap_or_default();
    Ok(Standing { shop: answer.data.shop, scopes: scopes.into_iter().map(|scope| scope.handle).collect(), version: answer.version })
}
