//! The Admin API: small GraphQL documents, typed answers.

use patchbay_plugin::Failure;
use patchbay_plugin::http::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::access::Access;
use crate::json::Json as _;
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
#[serde(from = "Value")]
pub(crate) struct Shop {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) myshopify_domain: String,
}

impl From<Value> for Shop {
    /// Only the domain counts: the rest is shown.
    fn from(told: Value) -> Self {
        let text = |name: &str| told.text(name).unwrap_or_default().to_owned();
        let id = told.get("id").and_then(|id| id.as_str().map(str::to_owned).or_else(|| id.is_number().then(|| id.to_string())));
        let myshopify_domain = text("myshopifyDomain");
        let name = told.text("name").unwrap_or(&myshopify_domain).to_owned();
        Self { id: id.unwrap_or_default(), name, myshopify_domain }
    }
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
        access_scopes: Option<Vec<Scope>>,
    }
    #[derive(Deserialize)]
    struct Scope {
        handle: String,
    }
    let answer: Answer<Data> = ask(access, STANDING, &json!({}))?;
    let scopes = answer.data.current_app_installation.and_then(|app| app.access_scopes).unwrap_or_default();
    if answer.data.shop.myshopify_domain.is_empty() {
        return Err(Failure::unavailable("not_understood", "Shopify doesn't tell which shop it is"));
    }
    Ok(Standing { shop: answer.data.shop, scopes: scopes.into_iter().map(|scope| scope.handle).collect(), version: answer.version })
}
