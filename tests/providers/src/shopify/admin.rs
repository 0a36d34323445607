//! Admin GraphQL: the shop, what the app may, its webhook subscriptions.

use serde_json::{Map, Value, json};

use crate::shopify::answer::Answer;
use crate::shopify::graphql::{self, Field, WORD, pick};
use crate::shopify::server::{Ask, Server};
use crate::shopify::shops::{Shop, Standing, Subscription};

/// Versions that are served; another is answered by the oldest.
const VERSIONS: [&str; 5] = ["2025-07", "2025-10", "2026-01", "2026-04", "2026-07"];

/// Topics, with the scope that each takes.
const TOPICS: [(&str, &str); 10] = [
    ("APP_UNINSTALLED", ""),
    ("APP_SCOPES_UPDATE", ""),
    ("SHOP_UPDATE", ""),
    ("CUSTOMERS_CREATE", "read_customers"),
    ("CUSTOMERS_UPDATE", "read_customers"),
    ("CUSTOMERS_DELETE", "read_customers"),
    ("ORDERS_CREATE", "read_orders"),
    ("ORDERS_UPDATED", "read_orders"),
    ("PRODUCTS_CREATE", "read_products"),
    ("PRODUCTS_UPDATE", "read_products"),
];

const COST: f64 = 10.0;
const BUCKET: f64 = 2000.0;
const RESTORE: f64 = 100.0;

/// Whether the shop can be reached, and the token is good there.
pub(crate) fn entered(server: &Server, ask: &Ask) -> Result<Shop, Answer> {
    let world = server.world.lock();
    let shop = world.shop(&ask.shop).cloned();
    match shop.as_ref().map(|shop| shop.standing) {
        Some(Standing::Gone) => return Err(Answer::of_status(404)),
        Some(Standing::Frozen) => return Err(Answer::of_status(402)),
        Some(Standing::Locked) => return Err(Answer::of_status(423)),
        // Without a shop there is no token that is good.
        Some(Standing::Open) | None => {}
    }
    let owner = world.shop_of_token(&ask.token, server.now_ms()).map(|shop| &shop.domain);
    shop.filter(|shop| owner == Some(&shop.domain)).ok_or_else(Answer::unauthorized)
}

/// `POST /admin/api/{version}/graphql.json`.
pub(crate) fn graphql(server: &Server, ask: &Ask) -> Answer {
    let version = ask.path.trim_start_matches("/admin/api/").trim_end_matches("/graphql.json");
    let is_version = version == "unstable"
        || version.split_once('-').is_some_and(|(year, month)| {
            year.len() == 4 && month.len() == 2 && year.bytes().chain(month.bytes()).all(|byte| byte.is_ascii_digit())
        });
    if !is_version {
        return Answer::error(404, "Not Found");
    }
    let served = if version == "unstable" || VERSIONS.contains(&version) { version } else { VERSIONS.first().copied().unwrap_or(version) };
    let answer = match entered(server, ask) {
        Ok(shop) => run(server, ask, &shop),
        Err(refused) => refused,
    };
    answer.with("x-shopify-api-version", served)
}

fn run(server: &Server, ask: &Ask, shop: &Shop) -> Answer {
    if !ask.is_json() {
        return Answer::error(400, "Required parameter missing or invalid: the body has to be application/json");
    }
    let body = ask.json();
    let Some(query) = body["query"].as_str() else { return Answer::error(400, "Required parameter missing or invalid: query") };
    {
        let mut knobs = server.knobs.lock();
        if knobs.throttle > 0 {
            knobs.throttle -= 1;
            return throttled(COST * 2.0, 0.0, RESTORE);
        }
    }
    let result = graphql::parse(query, &body["variables"]).and_then(|operation| {
        let mut data = Map::new();
        for field in &operation.fields {
            let (value, type_name) = if operation.mutation { mutate(server, shop, field)? } else { read(server, shop, field)? };
            data.insert(field.alias.clone(), if value.is_null() { Value::Null } else { pick(&value, type_name, &field.fields)? });
        }
        Ok(data)
    });
    match result {
        Ok(data) => Answer::of(200, json!({"data": data, "extensions": cost(COST, BUCKET - COST, RESTORE)})),
        Err(words) => Answer::of(200, json!({"errors": [{"message": words, "locations": [{"line": 1, "column": 1}], "path": []}]})),
    }
}

fn cost(requested: f64, available: f64, restore_rate: f64) -> Value {
    json!({"cost": {"requestedQueryCost": requested, "actualQueryCost": requested,
        "throttleStatus": {"maximumAvailable": BUCKET, "currentlyAvailable": available, "restoreRate": restore_rate}}})
}

/// Too much was asked for: the status is 200 all the same.
pub(crate) fn throttled(requested: f64, available: f64, restore_rate: f64) -> Answer {
    let mut extensions = cost(requested, available, restore_rate);
    extensions["cost"]["actualQueryCost"] = Value::Null;
    let errors = json!([{"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"}}]);
    Answer::of(200, json!({"errors": errors, "extensions": extensions}))
}

fn read(server: &Server, shop: &Shop, field: &Field) -> Result<(Value, &'static str), String> {
    match field.name.as_str() {
        "shop" => Ok((
            json!({"id": format!("gid://shopify/Shop/{}", shop.id), "name": shop.name, "myshopifyDomain": shop.domain,
                "email": format!("owner@{}", shop.domain), "currencyCode": "EUR", "ianaTimezone": "Europe/Berlin",
                "primaryDomain": {"__typename": "Domain", "host": shop.domain, "url": format!("https://{}", shop.domain)},
                "plan": {"__typename": "ShopPlan", "displayName": "Basic", "partnerDevelopment": false}}),
            "Shop",
        )),
        "currentAppInstallation" => {
            let scopes: Vec<Value> = shop.scopes.iter().map(|scope| json!({"handle": scope, "description": ""})).collect();
            let app = json!({"__typename": "App", "id": "gid://shopify/App/1", "title": "Patchbay", "handle": "patchbay", "apiKey": shop.client_id});
            Ok((json!({"id": "gid://shopify/AppInstallation/1", "accessScopes": scopes, "app": app}), "AppInstallation"))
        }
        "webhookSubscriptions" => list(server, shop, field),
        "webhookSubscription" => {
            let id =
                field.arguments.get("id").and_then(Value::as_str).ok_or("Field 'webhookSubscription' is missing required arguments: id")?;
            let world = server.world.lock();
            let found = world.subscriptions.iter().find(|subscription| subscription.id == id && subscription.shop == shop.domain);
            Ok((found.map_or(Value::Null, told), "WebhookSubscription"))
        }
        "__typename" => Ok((Value::Null, "QueryRoot")),
        other => Err(format!("Field '{other}' doesn't exist on type 'QueryRoot'")),
    }
}

fn list(server: &Server, shop: &Shop, field: &Field) -> Result<(Value, &'static str), String> {
    let count = |name: &str| field.arguments.get(name).and_then(Value::as_u64).map(|count| usize::try_from(count).unwrap_or(250));
    let Some(most) = count("first").or_else(|| count("last")) else {
        return Err("you must provide one of first or last".into());
    };
    if most == 0 || most > 250 {
        return Err("first must be between 1 and 250".into());
    }
    let topics: Option<Vec<String>> = match field.arguments.get("topics") {
        None | Some(Value::Null) => None,
        Some(Value::Array(topics)) => Some(topics.iter().map(topic).collect::<Result<_, _>>()?),
        Some(one) => Some(vec![topic(one)?]),
    };
    let after = field.arguments.get("after").and_then(Value::as_str);
    let world = server.world.lock();
    let fits = |subscription: &&Subscription| {
        subscription.shop == shop.domain && topics.as_ref().is_none_or(|topics| topics.contains(&subscription.topic))
    };
    let behind = |subscription: &&Subscription| after.is_some_and(|after| subscription.id.as_str() != after);
    let fitting: Vec<&Subscription> = world.subscriptions.iter().filter(fits).collect();
    // A cursor is the id of the last one.
    let skipped = if after.is_some() { fitting.iter().take_while(|subscription| behind(subscription)).count() + 1 } else { 0 };
    let page: Vec<Value> = fitting.iter().skip(skipped).take(most).map(|subscription| told(subscription)).collect();
    let edges: Vec<Value> =
        page.iter().map(|node| json!({"__typename": "WebhookSubscriptionEdge", "node": node, "cursor": node["id"]})).collect();
    let last = page.last().map_or(Value::Null, |node| node["id"].clone());
    let more = fitting.len() > skipped + page.len();
    let info = json!({"__typename": "PageInfo", "hasNextPage": more, "hasPreviousPage": skipped > 0, "endCursor": last});
    Ok((json!({"nodes": page, "edges": edges, "pageInfo": info}), "WebhookSubscriptionConnection"))
}

fn told(subscription: &Subscription) -> Value {
    json!({"__typename": "WebhookSubscription", "id": subscription.id, "topic": subscription.topic, "uri": subscription.uri,
        "callbackUrl": subscription.uri, "format": "JSON", "createdAt": subscription.created_at, "updatedAt": subscription.created_at,
        "includeFields": [], "endpoint": {"__typename": "WebhookHttpEndpoint", "callbackUrl": subscription.uri}})
}

/// An enum in the query is a word, in the variables text.
fn topic(value: &Value) -> Result<String, String> {
    let word = value.as_str().or_else(|| value.get(WORD).and_then(Value::as_str)).unwrap_or_default();
    match TOPICS.iter().find(|(topic, _)| *topic == word) {
        Some((topic, _)) => Ok((*topic).to_owned()),
        None => Err(format!("Argument 'topic' has an invalid value ({value}). Expected type 'WebhookSubscriptionTopic!'.")),
    }
}

fn mutate(server: &Server, shop: &Shop, field: &Field) -> Result<(Value, &'static str), String> {
    match field.name.as_str() {
        "webhookSubscriptionCreate" => create(server, shop, field).map(|value| (value, "WebhookSubscriptionCreatePayload")),
        "webhookSubscriptionDelete" => delete(server, shop, field).map(|value| (value, "WebhookSubscriptionDeletePayload")),
        "webhookSubscriptionUpdate" => update(server, shop, field).map(|value| (value, "WebhookSubscriptionUpdatePayload")),
        other => Err(format!("Field '{other}' doesn't exist on type 'Mutation'")),
    }
}

fn wrong(place: &[&str], words: &str) -> Value {
    json!({"webhookSubscription": null, "userErrors": [{"__typename": "UserError", "field": place, "message": words}]})
}

/// The address of a subscription, or what is wrong with it.
fn address(input: &Value) -> Result<String, Value> {
    let (name, uri) = match (input["uri"].as_str(), input["callbackUrl"].as_str()) {
        (Some(uri), _) => ("uri", uri),
        (None, Some(url)) => ("callbackUrl", url),
        (None, None) => return Err(wrong(&["webhookSubscription", "callbackUrl"], "Address can't be blank")),
    };
    let at = |words: &str| Err(wrong(&["webhookSubscription", name], words));
    let Ok(parsed) = url::Url::parse(uri) else { return at("Address is invalid") };
    let loopback = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match parsed.scheme() {
        "https" => {}
        // As it is told to people who develop.
        "http" if loopback => {}
        other => return at(&format!("Address protocol {other}:// is not supported")),
    }
    if parsed.host_str().is_some_and(|host| host.ends_with(".myshopify.com")) {
        return at("Address cannot be a Shopify or an internal domain");
    }
    Ok(uri.to_owned())
}

fn create(server: &Server, shop: &Shop, field: &Field) -> Result<Value, String> {
    let missing = |name: &str| format!("Field 'webhookSubscriptionCreate' is missing required arguments: {name}");
    let topic = topic(field.arguments.get("topic").ok_or_else(|| missing("topic"))?)?;
    let input =
        field.arguments.get("webhookSubscription").filter(|input| input.is_object()).ok_or_else(|| missing("webhookSubscription"))?;
    if let Some(strange) = input.as_object().into_iter().flat_map(Map::keys).find(|key| !INPUT.contains(&key.as_str())) {
        return Err(format!("InputObject 'WebhookSubscriptionInput' doesn't accept argument '{strange}'"));
    }
    let needed = TOPICS.iter().find(|(name, _)| *name == topic).map_or("", |(_, scope)| scope);
    if !needed.is_empty() && !shop.scopes.iter().any(|scope| scope == needed) {
        return Ok(wrong(&["topic"], "You cannot create a webhook subscription with the specified topic"));
    }
    let uri = match address(input) {
        Ok(uri) => uri,
        Err(wrong) => return Ok(wrong),
    };
    let forget = server.knobs().forget_subscriptions;
    let (number, created_at) = (server.next_number(), server.now_text());
    let mut world = server.world.lock();
    let taken = |known: &Subscription| known.shop == shop.domain && known.topic == topic && known.uri == uri;
    if world.subscriptions.iter().any(taken) {
        return Ok(wrong(&["webhookSubscription", "callbackUrl"], "Address for this topic has already been taken"));
    }
    let made =
        Subscription { id: format!("gid://shopify/WebhookSubscription/{number}"), shop: shop.domain.clone(), topic, uri, created_at };
    let answer = json!({"webhookSubscription": told(&made), "userErrors": []});
    if !forget {
        world.subscriptions.push(made);
    }
    Ok(answer)
}

/// What the input of a subscription may hold.
const INPUT: [&str; 7] = ["uri", "callbackUrl", "format", "includeFields", "filter", "metafieldNamespaces", "metafields"];

fn delete(server: &Server, shop: &Shop, field: &Field) -> Result<Value, String> {
    let id =
        field.arguments.get("id").and_then(Value::as_str).ok_or("Field 'webhookSubscriptionDelete' is missing required arguments: id")?;
    let mut world = server.world.lock();
    let before = world.subscriptions.len();
    world.subscriptions.retain(|known| !(known.id == id && known.shop == shop.domain));
    if world.subscriptions.len() == before {
        let error = json!({"__typename": "UserError", "field": ["id"], "message": "Webhook subscription does not exist"});
        return Ok(json!({"deletedWebhookSubscriptionId": null, "userErrors": [error]}));
    }
    Ok(json!({"deletedWebhookSubscriptionId": id, "userErrors": []}))
}

fn update(server: &Server, shop: &Shop, field: &Field) -> Result<Value, String> {
    let missing = |name: &str| format!("Field 'webhookSubscriptionUpdate' is missing required arguments: {name}");
    let id = field.arguments.get("id").and_then(Value::as_str).ok_or_else(|| missing("id"))?;
    let uri = match address(field.arguments.get("webhookSubscription").ok_or_else(|| missing("webhookSubscription"))?) {
        Ok(uri) => uri,
        Err(wrong) => return Ok(wrong),
    };
    let mut world = server.world.lock();
    let Some(known) = world.subscriptions.iter_mut().find(|known| known.id == id && known.shop == shop.domain) else {
        return Ok(wrong(&["id"], "Webhook subscription does not exist"));
    };
    known.uri = uri;
    Ok(json!({"webhookSubscription": told(known), "userErrors": []}))
}
