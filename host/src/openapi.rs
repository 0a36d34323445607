//! The description of the API: `/openapi.json`, OpenAPI 3.1. An operation stands at its handler, which can't be reached without it
//! (`rest.rs`); what every operation has is added here. What depends on the plugins that run (`channel_settings.rs`) is made when it
//! is asked for, and kept until something else runs.

#![expect(clippy::indexing_slicing, reason = "members of objects that are written right here")]

mod answers;
mod channel_settings;
mod examples;
pub(crate) mod page;
mod parameters;
mod rows;
pub(crate) mod schemas;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ring::digest;
use serde_json::{Map, Value, json};
use utoipa::openapi::{
    Info, License, OpenApi,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    server::Server,
};

use crate::{app::App, error::ErrorBody, manifest::Manifest};

const TITLE: &str = "Patchbay";
const DESCRIPTION: &str = "A gateway between your application and the messaging channels of many organisations: it keeps what comes in, \
    sends what goes out, holds the credentials and watches the connections.\n\n\
    Lists speak PostgREST's query language, so that supabase-js and postgrest-js are clients of it: filters like `eq.`, `select`, \
    `order`, `limit`, `offset`, `Range`, `Prefer`. A plain value is an equality: `?is_active=true`.\n\n\
    Every error has the keys `code` (a word for programs), `message`, `details` and `hint` (the way out); `errors` names each bad \
    field by a JSON pointer. A POST with an `Idempotency-Key` that is made again is answered as the first time, and does nothing.";
/// What the operations are about, in the order of the page.
const TAGS: &[(&str, &str)] = &[
    ("channel_types", "The types of channels that can be connected: what their plugins need and can do."),
    ("channel_accounts", "A bot, number, page or mailbox of an organisation: made, connected, watched, taken out of service."),
    ("messages", "What people exchange: sent, received, and where each message stands."),
    ("people", "Conversations and contacts: the thread, and the other side with its identities."),
    ("subscriptions", "Devices that take notifications."),
    ("media", "Files, kept by the gateway."),
    ("dead_letters", "Messages that went wrong for good, with the way out."),
    ("channel_account_stats", "Statistics of accounts by hour, day, week or month."),
    ("account_logs", "What happened to an account, line by line."),
    ("webhook_deliveries", "What providers sent, and what became of it."),
    ("events", "What happens, as it happens."),
    ("endpoints", "Who gets the events, and what was delivered."),
    ("api_keys", "Who may do what."),
    ("plugins", "Versions of plugins: brought, looked at, rolled out, taken back. For the operator."),
    ("apps", "The operator's registrations at providers, shared by many accounts. For the operator."),
    ("operations", "Whether the gateway is well, which nodes it has, who changed what."),
];

/// The document, made once for what runs.
pub(crate) struct Document {
    /// What doesn't depend on the plugins.
    fixed: Value,
    made: ArcSwapOption<Made>,
}

struct Made {
    /// The channel types whose settings it tells of, with these.
    of: Vec<(String, Value)>,
    bytes: Bytes,
    etag: HeaderValue,
}

impl Made {
    fn is_of(&self, manifests: &[Arc<Manifest>]) -> bool {
        let run = manifests.iter().map(|manifest| (&manifest.channel_type, &manifest.settings_schema));
        self.of.iter().map(|(channel_type, settings)| (channel_type, settings)).eq(run)
    }
}

impl Document {
    pub(crate) fn new(api: OpenApi, public_url: &str) -> Document {
        Document { fixed: complete(api, public_url), made: ArcSwapOption::empty() }
    }

    /// The document as an answer: none of it where the client has it already.
    pub(crate) fn answer(&self, app: &App, asked: &HeaderMap) -> Response {
        let made = self.made(app);
        let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let is_known =
            known.map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == made.etag.as_bytes());
        let headers = [
            (header::ETAG, made.etag.clone()),
            // It may change whenever a plugin does; to ask costs nothing.
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            // It holds no secrets: tools on other pages may read it.
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        ];
        if is_known {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(header::CONTENT_TYPE, "application/json")], made.bytes.clone()).into_response()
    }

    fn made(&self, app: &App) -> Arc<Made> {
        let manifests = app.plugins.manifests();
        if let Some(made) = self.made.load_full()
            && made.is_of(&manifests)
        {
            return made;
        }
        let of = manifests.iter().map(|manifest| (manifest.channel_type.clone(), manifest.settings_schema.clone())).collect();
        let mut document = self.fixed.clone();
        channel_settings::describe(&mut document, &manifests);
        let bytes = Bytes::from(document.to_string());
        let hash = hex::encode(digest::digest(&digest::SHA256, &bytes));
        let etag = HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        let made = Arc::new(Made { of, bytes, etag });
        self.made.store(Some(Arc::clone(&made)));
        made
    }
}

/// Everything but what the plugins say.
fn complete(mut api: OpenApi, public_url: &str) -> Value {
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    // Without this it is utoipa's own.
    api.info = Info::new(TITLE, env!("CARGO_PKG_VERSION"));
    api.info.description = Some(DESCRIPTION.to_owned());
    api.info.license = Some(license);
    api.servers = Some(vec![Server::new(public_url)]);
    let components = api.components.get_or_insert_default();
    let key = ApiKeyValue::with_description("apikey", "An API key, as PostgREST's clients send it.");
    components.add_security_scheme("apikey", SecurityScheme::ApiKey(ApiKey::Header(key)));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key, or a JSON Web Token of yours."));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    // An OpenAPI document is plain data: its JSON can't fail.
    let mut document = serde_json::to_value(&api).unwrap_or_default();
    document["security"] = json!([{"apikey": []}, {"bearer": []}]);
    document["tags"] = TAGS.iter().map(|(name, description)| json!({"name": name, "description": description})).collect();
    // No operation names it: it is every error's.
    schemas::of_answer::<ErrorBody>();
    let (mut all, names) = schemas::all();
    names.settle(&mut document);
    all.extend(rows::schemas(&all));
    document["components"]["schemas"] = Value::Object(all);
    document["components"]["responses"] = answers::shared();
    document["components"]["headers"] = answers::headers();
    for operation in operations(&mut document) {
        rows::complete(&operation.path, operation.method, operation.fields);
        parameters::complete(&operation.path, operation.method, operation.fields);
        answers::complete(&operation.path, operation.fields);
        examples::complete(operation.fields);
    }
    document
}

struct Operation<'a> {
    path: String,
    method: &'a str,
    fields: &'a mut Map<String, Value>,
}

/// Every operation of the document.
fn operations(document: &mut Value) -> impl Iterator<Item = Operation<'_>> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object_mut().into_iter().flatten();
        methods.filter_map(move |(method, fields)| Some(Operation { path: path.clone(), method, fields: fields.as_object_mut()? }))
    })
}
