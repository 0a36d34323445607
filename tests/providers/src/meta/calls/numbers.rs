//! WhatsApp numbers: listed, added, registered, their callbacks and profiles.

use axum::http::Method;
use serde_json::{Value, json};

use crate::meta::accounts::Number;
use crate::meta::answer::{GraphError, Outcome, success};
use crate::meta::ask::Ask;
use crate::meta::calls::nodes;
use crate::meta::fields::{paged, select};
use crate::meta::params::text_of;
use crate::meta::pusher::challenge;
use crate::meta::server::Server;

const MANAGE: &[&str] = &["whatsapp_business_management"];
/// In 72 hours, as the real one counts; here since the start.
const REGISTER_MAX: u32 = 10;

pub(crate) fn list(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, MANAGE)?;
    let world = server.world.lock();
    let waba = world.waba(&ask.account).ok_or_else(|| ask.unsupported())?;
    let usual = &["verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput"];
    let fields = ask.params.text("fields");
    let rows: Vec<_> = waba.numbers.iter().map(|number| select(&nodes::number(&world, waba, number), &fields, usual)).collect();
    let url = format!("https://graph.facebook.com{}", ask.path);
    Ok(paged(&rows, &ask.params.text("after"), &ask.params.text("limit"), &url).into())
}

pub(crate) fn add(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, MANAGE)?;
    let display = format!("+{} {}", ask.params.needed("cc")?, ask.params.needed("phone_number")?);
    let verified_name = ask.params.needed("verified_name")?;
    let id = format!("9{:014}", server.next_number());
    let number = Number { id: id.clone(), display_phone_number: display, verified_name, registered: false, ..Number::default() };
    if let Some(waba) = server.world.lock().wabas.iter_mut().find(|waba| waba.id == ask.account) {
        waba.numbers.push(number);
    }
    Ok(json!({ "id": id }).into())
}

fn pin(ask: &Ask) -> Result<String, GraphError> {
    let pin = ask.params.text("pin");
    let six = pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit());
    if six { Ok(pin) } else { Err(GraphError::of(100).saying("(#100) Param pin must be 6 characters long.")) }
}

/// `register`, `deregister`, `request_code`, `verify_code`.
pub(crate) fn register(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, MANAGE)?;
    let mut world = server.world.lock();
    match ask.edge.as_str() {
        "register" => {
            product(ask)?;
            let pin = pin(ask)?;
            let attempts = world.register_attempts.entry(ask.account.clone()).or_default();
            *attempts += 1;
            if *attempts > REGISTER_MAX {
                return Err(GraphError::of(133_016));
            }
            let number = world.number_mut(&ask.account).ok_or_else(|| ask.unsupported())?;
            if number.pin.as_ref().is_some_and(|known| *known != pin) {
                return Err(GraphError::of(133_005));
            }
            number.pin = Some(pin);
            number.registered = true;
            success()
        }
        "deregister" => {
            world.number_mut(&ask.account).ok_or_else(|| ask.unsupported())?.registered = false;
            success()
        }
        "request_code" => {
            let method = ask.params.text("code_method");
            if method == "SMS" || method == "VOICE" { success() } else { Err(GraphError::of(136_024)) }
        }
        _ if ask.params.text("code") == "123456" => Ok(json!({"success": true, "id": ask.account}).into()),
        _ => Err(GraphError::of(136_025)),
    }
}

/// Every WhatsApp call says that it is one.
pub(crate) fn product(ask: &Ask) -> Result<(), GraphError> {
    match ask.params.text("messaging_product").as_str() {
        "whatsapp" => Ok(()),
        "" => Err(GraphError::of(100).saying("(#100) The parameter messaging_product is required.")),
        _ => Err(GraphError::of(100).saying("(#100) Param messaging_product must be one of {WHATSAPP}")),
    }
}

/// A new PIN, or a callback of the number's own.
pub(crate) async fn change(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, MANAGE)?;
    let webhook = ask.params.get("webhook_configuration");
    if !webhook.is_null() {
        let url = text_of(&webhook["override_callback_uri"]);
        if url.is_empty() {
            server.world.lock().number_urls.remove(&ask.account);
        } else {
            challenge(server, &url, &text_of(&webhook["verify_token"])).await?;
            server.world.lock().number_urls.insert(ask.account.clone(), url);
        }
    }
    if ask.params.has("pin") {
        let pin = pin(ask)?;
        server.world.lock().number_mut(&ask.account).ok_or_else(|| ask.unsupported())?.pin = Some(pin);
    }
    success()
}

pub(crate) fn profile(server: &Server, ask: &Ask) -> Outcome {
    const TEXTS: &[(&str, usize)] = &[("about", 139), ("address", 256), ("description", 512), ("email", 128)];
    ask.caller_with(server, &["whatsapp_business_management", "whatsapp_business_messaging"])?;
    let mut world = server.world.lock();
    let profile = world.business_profiles.entry(ask.account.clone()).or_default();
    if ask.method == Method::GET {
        let mut node = Value::Object(profile.clone());
        node["messaging_product"] = "whatsapp".into();
        return Ok(json!({"data": [select(&node, &ask.params.text("fields"), &["messaging_product"])]}).into());
    }
    product(ask)?;
    for (name, max) in TEXTS {
        if ask.params.text(name).chars().count() > *max {
            return Err(GraphError::of(100).saying(format!("(#100) Param {name} must be at most {max} characters long.")));
        }
    }
    if ask.params.get("websites").as_array().is_some_and(|websites| websites.len() > 2) {
        return Err(GraphError::of(100).saying("(#100) Param websites can contain at most 2 elements."));
    }
    let known = ["about", "address", "description", "email", "websites", "vertical", "profile_picture_handle"];
    profile.extend(known.iter().filter(|name| ask.params.has(name)).map(|name| ((*name).to_owned(), ask.params.get(name).clone())));
    success()
}
