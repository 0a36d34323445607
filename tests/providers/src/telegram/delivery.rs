//! Updates on their way to the webhook: in order within a chat, again and again until it takes them.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};

use crate::post::Posted;
use crate::telegram::bots::Bot;
use crate::telegram::chats::ChatState;
use crate::telegram::methods;
use crate::telegram::params::Params;
use crate::telegram::server::Server;
use crate::telegram::updates::{Delivery, Lane};

const SECRET_HEADER: HeaderName = HeaderName::from_static("x-telegram-bot-api-secret-token");
/// Seconds between attempts: at once, then 2, doubling up to this. (The real server draws from 60 to 120.)
const DELAY_MAX: u32 = 60;
const RETRY_AFTER_MAX: u64 = 3600;
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Who pushes an update doesn't wait longer for its first attempt.
const FIRST_ATTEMPT_WITHIN: Duration = Duration::from_secs(10);

/// Queues an update and starts its delivery. The answer comes after the first attempt.
pub(crate) async fn push(server: &Arc<Server>, bot: &Arc<Bot>, update: Map<String, Value>) -> Delivery {
    learn(server, bot, &update);
    let Some(accepted) = bot.feed.accept(update) else { return Delivery::pending(0, "ignored: not among the bot's allowed_updates") };
    start(server, bot, accepted.start);
    match accepted.attempt {
        None => Delivery::pending(accepted.update_id, "queued for getUpdates"),
        Some(attempt) => match timeout(FIRST_ATTEMPT_WITHIN, attempt).await {
            Ok(Ok(delivery)) => delivery,
            _ => Delivery::pending(accepted.update_id, "waiting behind another update of its chat"),
        },
    }
}

/// Queues an update that the server itself makes.
pub(crate) fn emit(server: &Arc<Server>, bot: &Arc<Bot>, update: Map<String, Value>) {
    start(server, bot, bot.feed.accept(update).and_then(|accepted| accepted.start));
}

pub(crate) fn start(server: &Arc<Server>, bot: &Arc<Bot>, lanes: impl IntoIterator<Item = Lane>) {
    for lane in lanes {
        let (server, bot) = (Arc::clone(server), Arc::clone(bot));
        tokio::spawn(async move { server.stop.run_until_cancelled(drain(&server, &bot, &lane)).await.is_some() });
    }
}

/// Boxed, because a webhook's answer may call a method that makes updates.
fn drain<'a>(server: &'a Arc<Server>, bot: &'a Arc<Bot>, lane: &'a Lane) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let (webhook, _) = lane;
        let mut failed = 0_u32;
        let mut gone_since: Option<Instant> = None;
        while let Some((update_id, update)) = bot.feed.head(lane) {
            let answer = {
                let _permit = webhook.permits.acquire().await;
                let secret = HeaderValue::from_str(&webhook.secret_token).ok().filter(|secret| !secret.is_empty());
                let headers: Vec<_> = secret.map(|secret| (SECRET_HEADER, secret)).into_iter().collect();
                server.poster.post(&webhook.url, &headers, Bytes::from(update.to_string()), ANSWER_WITHIN).await
            };
            let retry_after = match answer {
                Ok(posted) => {
                    let status = posted.status;
                    let delivered = status.is_success();
                    bot.feed.attempted(lane, Delivery { update_id, delivered, status: Some(status.as_u16()), note: None });
                    if delivered {
                        (failed, gone_since) = (0, None);
                        answer_with_method(server, bot, &posted).await;
                        continue;
                    }
                    if status == StatusCode::GONE {
                        let since = *gone_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > server.options.webhook_gone_after {
                            bot.feed.give_up(webhook);
                        }
                    } else {
                        gone_since = None;
                    }
                    posted.retry_after_s().unwrap_or_default().min(RETRY_AFTER_MAX)
                }
                Err(error) => {
                    bot.feed.attempted(lane, Delivery { update_id, delivered: false, status: None, note: Some(error) });
                    0
                }
            };
            sleep(server.options.webhook_second.mul_f64(delay(failed, retry_after))).await;
            failed += 1;
        }
    })
}

/// Seconds before the next attempt, after so many failed before this one.
fn delay(failed: u32, retry_after: u64) -> f64 {
    match (u32::try_from(retry_after), failed) {
        (Ok(retry_after), _) if retry_after > 0 => f64::from(retry_after),
        (_, 0) => 0.0,
        (_, failed) => f64::from(2_u32.saturating_pow(failed).min(DELAY_MAX)),
    }
}

/// A webhook may answer with a method to be called; its result is told to nobody.
async fn answer_with_method(server: &Arc<Server>, bot: &Arc<Bot>, posted: &Posted) {
    let Ok(Value::Object(values)) = serde_json::from_slice::<Value>(&posted.body) else { return };
    let Some(name) = values.get("method").and_then(Value::as_str).map(str::to_ascii_lowercase) else { return };
    let refused = matches!(name.as_str(), "deletewebhook" | "setwebhook" | "close" | "logout") || name.starts_with("get");
    let Some(method) = methods::Method::named(&name).filter(|_| !refused) else { return };
    let params = Params::of(values);
    let entry = server.recorder.record(&bot.id, method.name(), || params.as_json());
    let outcome = methods::call(server, bot, method, &params).await;
    if let Some(entry) = entry {
        entry.answered(outcome.as_ref().map_or_else(|refusal| refusal.error_code, |_| 200));
    }
}

/// What an update tells of chats, messages, files and presses is true for this server from then on.
fn learn(server: &Arc<Server>, bot: &Arc<Bot>, update: &Map<String, Value>) {
    for (kind, payload) in update {
        let chat = payload["chat"].as_object();
        if let Some(chat) = chat {
            server.chats.learn(chat);
        }
        let id = chat.and_then(|chat| chat["id"].as_i64()).unwrap_or_default();
        match kind.as_str() {
            "message" | "edited_message" | "channel_post" | "edited_channel_post" => {
                if let Some(message_id) = payload["message_id"].as_i64() {
                    server.chats.with(bot.id, id, |conversation| conversation.keep(message_id, payload.clone()));
                }
                if let Some(migrate_to_chat_id) = payload["migrate_to_chat_id"].as_i64() {
                    server.chats.set_state(id, ChatState::Migrated { migrate_to_chat_id });
                }
            }
            "callback_query" => bot.expect_answer(payload["id"].as_str().unwrap_or_default()),
            "my_chat_member" => {
                let out = matches!(payload["new_chat_member"]["status"].as_str(), Some("kicked" | "left"));
                let state = match (out, id > 0) {
                    (true, true) => ChatState::Blocked,
                    (true, false) => ChatState::Kicked,
                    (false, _) => ChatState::Active,
                };
                server.chats.set_state(id, state);
            }
            _ => {}
        }
        server.files.learn(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_at_once_then_after_doubling_delays() {
        let delays: Vec<f64> = (0..8).map(|failed| delay(failed, 0)).collect();
        assert_eq!(delays, [0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert!((delay(5, 7) - 7.0).abs() < f64::EPSILON);
    }
}
