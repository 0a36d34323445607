//! How a bot gets its updates: a webhook, or `getUpdates`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::telegram::answer::{Outcome, Refusal, Success};
use crate::telegram::bots::Bot;
use crate::telegram::delivery;
use crate::telegram::media::is_loopback;
use crate::telegram::methods::done;
use crate::telegram::params::Params;
use crate::telegram::server::Server;

const SECRET_MAX: usize = 256;
const PORTS: [u16; 4] = [443, 80, 88, 8443];
const CONNECTIONS_DEFAULT: i64 = 40;
const CONNECTIONS_MAX: i64 = 100;
const UPDATES_MAX: i64 = 100;
const POLL_S_MAX: i64 = 50;

pub(crate) fn set(server: &Arc<Server>, bot: &Arc<Bot>, params: &Params) -> Outcome {
    let url = params.text("url");
    if url.is_empty() {
        return delete(bot, params);
    }
    check_url(&url)?;
    let secret_token = params.text("secret_token");
    if secret_token.len() > SECRET_MAX {
        return Err(Refusal::bad("secret token is too long"));
    }
    if !secret_token.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-')) {
        return Err(Refusal::bad("secret token contains unallowed characters"));
    }
    let max_connections = params.number("max_connections").unwrap_or(CONNECTIONS_DEFAULT).clamp(1, CONNECTIONS_MAX);
    let max_connections = usize::try_from(max_connections).unwrap_or(1);
    let ip_address = params.has("ip_address").then(|| params.text("ip_address").into_owned());
    bot.feed.allow(allowed_updates(params)?);
    if params.flag("drop_pending_updates") {
        bot.feed.drop_pending();
    }
    let unchanged = bot
        .feed
        .webhook()
        .is_some_and(|webhook| webhook.url == url && webhook.secret_token == secret_token && webhook.max_connections == max_connections);
    if unchanged {
        return Ok(Success { result: Value::Bool(true), description: Some("Webhook is already set") });
    }
    let lanes = bot.feed.set_webhook(&url, &secret_token, max_connections, ip_address);
    delivery::start(server, bot, lanes);
    Ok(Success { result: Value::Bool(true), description: Some("Webhook was set") })
}

/// HTTPS on one of four ports, or anything on loopback, as a Bot API server in local mode takes it.
fn check_url(text: &str) -> Result<(), Refusal> {
    let bad = |why: &str| Err(Refusal::bad(&format!("bad webhook: {why}")));
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let Ok(url) = url::Url::parse(&with_scheme) else { return Err(Refusal::bad("invalid webhook URL specified")) };
    let Some(host) = url.host() else { return Err(Refusal::bad("invalid webhook URL specified")) };
    if is_loopback(&host) && matches!(url.scheme(), "http" | "https") {
        return Ok(());
    }
    if url.scheme() != "https" {
        return bad("An HTTPS URL must be provided for webhook");
    }
    if url.port_or_known_default().is_none_or(|port| !PORTS.contains(&port)) {
        return bad("Webhook can be set up only on ports 80, 88, 443 or 8443");
    }
    if let url::Host::Ipv4(address) = host
        && (address.is_private() || address.is_link_local() || address.is_unspecified())
    {
        return bad(&format!("IP address {address} is reserved"));
    }
    Ok(())
}

fn allowed_updates(params: &Params) -> Result<Option<Vec<String>>, Refusal> {
    let list = params.json("allowed_updates").map_err(|_| Refusal::bad("can't parse allowed_updates JSON object"))?;
    match list.as_deref() {
        None => Ok(None),
        Some(Value::Array(kinds)) => Ok(Some(kinds.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect())),
        Some(_) => Err(Refusal::bad("expected an Array of String as allowed_updates")),
    }
}

pub(crate) fn delete(bot: &Bot, params: &Params) -> Outcome {
    if params.flag("drop_pending_updates") {
        bot.feed.drop_pending();
    }
    let description = if bot.feed.delete_webhook() { "Webhook was deleted" } else { "Webhook is already deleted" };
    Ok(Success { description: Some(description), ..done()? })
}

pub(crate) async fn updates(bot: &Bot, params: &Params) -> Outcome {
    bot.feed.allow(allowed_updates(params)?);
    let limit = usize::try_from(params.number("limit").unwrap_or(UPDATES_MAX).clamp(1, UPDATES_MAX)).unwrap_or(1);
    let timeout = u64::try_from(params.number("timeout").unwrap_or(0).clamp(0, POLL_S_MAX)).unwrap_or(0);
    let updates = bot.feed.poll(params.number("offset").unwrap_or(0), limit, Duration::from_secs(timeout)).await?;
    Ok(Value::Array(updates).into())
}
