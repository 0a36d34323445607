//! What the Bot API refuses, and what the gateway does then.

use patchbay_plugin::Failure;
use serde_json::Value;

use crate::json::Json as _;

/// `{"ok": false, …}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: i64,
    pub(crate) description: String,
    /// Seconds.
    retry_after: Option<u32>,
    /// The group is a supergroup now, with this id.
    pub(crate) migrate_to: Option<String>,
}

impl Refusal {
    pub(crate) fn new(envelope: &Value, status: u16) -> Self {
        let parameters = envelope.get("parameters").unwrap_or(&Value::Null);
        let description = envelope.text("description").unwrap_or_default().to_owned();
        Self {
            code: envelope.whole("error_code").unwrap_or_else(|| i64::from(status)),
            retry_after: parameters.count("retry_after").or_else(|| retry_after(&description)),
            migrate_to: parameters.id("migrate_to_chat_id"),
            description,
        }
    }

    pub(crate) fn says(&self, words: &str) -> bool {
        contains(&self.description, words)
    }

    pub(crate) fn is_markup(&self) -> bool {
        self.code == 400 && self.says("can't parse entities")
    }

    pub(crate) fn is_block(&self) -> bool {
        self.code == 403 && self.says("bot was blocked by the user")
    }

    pub(crate) fn is_limit(&self) -> bool {
        self.code == 429 || self.says("too many requests: retry after")
    }

    /// Which item of an album failed, counted from 1: those before it were delivered.
    pub(crate) fn failed_item(&self) -> Option<usize> {
        number_after(&self.description, "failed to send message #")
    }
}

fn contains(description: &str, words: &str) -> bool {
    description.to_lowercase().contains(&words.to_lowercase())
}

fn retry_after(description: &str) -> Option<u32> {
    number_after(description, "retry after ")
}

fn number_after<T: std::str::FromStr>(text: &str, words: &str) -> Option<T> {
    let (_, rest) = text.split_once(words)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What becomes of a refusal.
#[derive(Debug, Clone, Copy)]
enum Class {
    Unauthorized,
    Forbidden,
    Recipient,
    Rejected,
}

/// Code (0: any 400 or 403), words of the description, class, our code, what to do. The first row that fits counts.
const TABLE: &[(i64, &str, Class, &str, &str)] = &[
    (401, "", Class::Unauthorized, "token_revoked", "the bot token isn't valid: get one from @BotFather with /token"),
    (404, "method not found", Class::Rejected, "method_not_found", "this Bot API server is too old for that"),
    (404, "", Class::Unauthorized, "token_malformed", "the bot token isn't known: compare it with @BotFather's"),
    (421, "", Class::Unauthorized, "token_filtered", "this Bot API server doesn't serve the bot"),
    (
        409,
        "webhook is active",
        Class::Forbidden,
        "webhook_active",
        "a webhook is set: connect the account again, so that polling removes it",
    ),
    (409, "", Class::Forbidden, "other_poller", "another program asks for this bot's updates: stop it, or give it a bot of its own"),
    (413, "", Class::Rejected, "too_large", "the file is larger than a bot may send (50 MB, photos 10 MB)"),
    (0, "bot was blocked by the user", Class::Recipient, "blocked", "the user has blocked the bot and has to unblock it"),
    (0, "user is deactivated", Class::Recipient, "deactivated", "the user's account is deleted"),
    (0, "bot can't initiate conversation", Class::Recipient, "not_started", "the user has to press Start in the bot's chat first"),
    (0, "bots can't send messages to bots", Class::Recipient, "is_a_bot", "bots can't write to bots"),
    (0, "bot was kicked", Class::Recipient, "kicked", "the bot was removed: add it to the chat again"),
    (0, "bot is not a member", Class::Recipient, "not_a_member", "add the bot to the chat"),
    (0, "group chat was deleted", Class::Recipient, "chat_deleted", "the group is gone"),
    (0, "private chat not found", Class::Recipient, "chat_not_found", "the user has never written to the bot"),
    (0, "chat not found", Class::Recipient, "chat_not_found", "the bot isn't in that chat, or the user has never written to it"),
    (0, "PEER_ID_INVALID", Class::Recipient, "chat_not_found", "the bot doesn't know that chat"),
    (0, "chat_id is empty", Class::Recipient, "chat_not_found", "no chat was named"),
    (0, "group chat was upgraded to a supergroup", Class::Rejected, "chat_migrated", "the group has a new id"),
    (0, "message thread not found", Class::Rejected, "topic_not_found", "the topic is gone: send to the group without it"),
    (0, "TOPIC_CLOSED", Class::Rejected, "topic_closed", "the topic is closed: an administrator can open it"),
    (0, "TOPIC_DELETED", Class::Rejected, "topic_deleted", "the topic is gone: send to the group without it"),
    (0, "not enough rights", Class::Rejected, "no_rights", "give the bot the right to send this in the chat's settings"),
    (0, "have no rights to send", Class::Rejected, "no_rights", "give the bot the right to send in the chat's settings"),
    (0, "need administrator rights", Class::Rejected, "no_rights", "make the bot an administrator of the chat"),
    (0, "CHAT_WRITE_FORBIDDEN", Class::Rejected, "no_rights", "give the bot the right to send in the chat's settings"),
    (0, "VOICE_MESSAGES_FORBIDDEN", Class::Rejected, "voice_forbidden", "the user takes no voice messages: send a document or text"),
    (0, "message is too long", Class::Rejected, "too_long", "a message holds 4096 characters"),
    (0, "caption is too long", Class::Rejected, "caption_too_long", "a caption holds 1024 characters"),
    (0, "text is empty", Class::Rejected, "empty", "the text is empty"),
    (0, "failed to get HTTP URL content", Class::Rejected, "url_failed", "Telegram can't fetch that address: upload the file instead"),
    (
        0,
        "wrong type of the web page content",
        Class::Rejected,
        "url_type",
        "the address serves another kind of file: upload the file instead",
    ),
    (
        0,
        "wrong file identifier",
        Class::Rejected,
        "file_unknown",
        "the file reference is another bot's, or the address isn't public: upload the file instead",
    ),
    (
        0,
        "PHOTO_INVALID_DIMENSIONS",
        Class::Rejected,
        "photo_dimensions",
        "width and height of a photo may add up to 10000, at most 20:1: send it as a document",
    ),
    (0, "file is too big", Class::Rejected, "file_too_big", "bots get files of at most 20 MB"),
    (0, "can't parse entities", Class::Rejected, "markup", "the formatting isn't valid HTML of Telegram's kind"),
    (403, "", Class::Recipient, "forbidden", "Telegram doesn't let the bot write there"),
];

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let told = |advice: &str| match refusal.description.as_str() {
            "" => advice.to_owned(),
            description => format!("{description} ({advice})"),
        };
        // Also inside of a 400: the one item of an album that was too many.
        if refusal.is_limit() {
            let after_ms = refusal.retry_after.map(|seconds| f64::from(seconds) * 1000.0);
            return Failure::limited(after_ms, "limited", told("Telegram throttles the bot"));
        }
        // A whole answer, though of 5xx, is the server's word that it did nothing: what it accepts, it answers with the
        // message. Doubt is for connections that break, and those give no answer.
        if refusal.code >= 500 {
            return Failure::unavailable(refusal.code.to_string(), told("Telegram has a fault of its own"));
        }
        let row = TABLE.iter().find(|(code, words, ..)| {
            (*code == refusal.code || (*code == 0 && matches!(refusal.code, 400 | 403))) && contains(&refusal.description, words)
        });
        match row {
            Some((_, _, Class::Unauthorized, code, advice)) => Failure::unauthorized(*code, told(advice)),
            Some((_, _, Class::Forbidden, code, advice)) => Failure::forbidden(*code, told(advice)),
            Some((_, _, Class::Recipient, code, advice)) => Failure::recipient(*code, told(advice)),
            Some((_, _, Class::Rejected, code, advice)) => Failure::rejected(*code, told(advice)),
            None => Failure::rejected(refusal.code.to_string(), told("Telegram refuses it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failure(code: i64, description: &str) -> Failure {
        Refusal::new(&json!({"ok": false, "error_code": code, "description": description}), 200).into()
    }

    fn case(failure: &Failure) -> &'static str {
        match failure {
            Failure::Invalid(_) => "invalid",
            Failure::Unauthorized(_) => "unauthorized",
            Failure::Forbidden(_) => "forbidden",
            Failure::Limited(_) => "limited",
            Failure::Unavailable(_) => "unavailable",
            Failure::Uncertain(_) => "uncertain",
            Failure::Recipient(_) => "recipient",
            Failure::WindowClosed(_) => "window-closed",
            Failure::Rejected(_) => "rejected",
            Failure::Unsupported(_) => "unsupported",
            Failure::Fault(_) => "fault",
        }
    }

    #[test]
    fn every_refusal_has_its_class() {
        let rows = [
            (401, "Unauthorized", "unauthorized"),
            (401, "Unauthorized: invalid token specified", "unauthorized"),
            (404, "Not Found", "unauthorized"),
            (404, "Not Found: method not found", "rejected"),
            (421, "Misdirected Request", "unauthorized"),
            (429, "Too Many Requests: retry after 8", "limited"),
            (
                400,
                "Bad Request: group send failed: failed to send message #3 with the error message \"Too Many Requests: retry after 8\"",
                "limited",
            ),
            (403, "Forbidden: bot was blocked by the user", "recipient"),
            (403, "Forbidden: user is deactivated", "recipient"),
            (403, "Forbidden: bot can't initiate conversation with a user", "recipient"),
            (403, "Forbidden: bots can't send messages to bots", "recipient"),
            (403, "Forbidden: bot was kicked from the supergroup chat", "recipient"),
            (403, "Forbidden: bot was kicked from the channel chat", "recipient"),
            (403, "Forbidden: bot is not a member of the channel chat", "recipient"),
            (403, "Forbidden: the group chat was deleted", "recipient"),
            (400, "Bad Request: chat not found", "recipient"),
            (400, "Bad Request: PEER_ID_INVALID", "recipient"),
            (400, "Bad Request: private chat not found", "recipient"),
            (400, "Bad Request: chat_id is empty", "recipient"),
            (400, "Bad Request: message thread not found", "rejected"),
            (400, "Bad Request: TOPIC_CLOSED", "rejected"),
            (400, "Bad Request: TOPIC_DELETED", "rejected"),
            (400, "Bad Request: not enough rights to send photos to the chat", "rejected"),
            (400, "Bad Request: have no rights to send a message", "rejected"),
            (400, "Bad Request: CHAT_WRITE_FORBIDDEN", "rejected"),
            (403, "Forbidden: CHAT_WRITE_FORBIDDEN", "rejected"),
            (400, "Bad Request: VOICE_MESSAGES_FORBIDDEN", "rejected"),
            (400, "Bad Request: message is too long", "rejected"),
            (400, "Bad Request: message caption is too long", "rejected"),
            (400, "Bad Request: message text is empty", "rejected"),
            (400, "Bad Request: wrong file identifier/HTTP URL specified", "rejected"),
            (400, "Bad Request: failed to get HTTP URL content", "rejected"),
            (400, "Bad Request: wrong type of the web page content", "rejected"),
            (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", "rejected"),
            (400, "Bad Request: can't parse entities: unsupported start tag", "rejected"),
            (400, "Bad Request: something new", "rejected"),
            (413, "Request Entity Too Large", "rejected"),
            (409, "Conflict: terminated by other getUpdates request", "forbidden"),
            (500, "Internal Server Error", "unavailable"),
            (502, "Bad Gateway", "unavailable"),
        ];
        for (code, description, expected) in rows {
            assert_eq!(case(&failure(code, description)), expected, "{code} {description}");
        }
    }

    #[test]
    fn the_wait_is_read_from_the_parameters_or_else_from_the_words() {
        let told = Refusal::new(&json!({"error_code": 429, "description": "x", "parameters": {"retry_after": 7}}), 429);
        assert!(matches!(told.into(), Failure::Limited(retry) if retry.after_ms == Some(7000.0)));
        assert!(matches!(failure(429, "Too Many Requests: retry after 8"), Failure::Limited(retry) if retry.after_ms == Some(8000.0)));
        assert!(matches!(failure(429, "Too Many Requests"), Failure::Limited(retry) if retry.after_ms.is_none()));
    }

    #[test]
    fn the_bodys_code_is_trusted_before_the_status() {
        let refusal = Refusal::new(&json!({"error_code": 403, "description": "Forbidden: user is deactivated"}), 200);
        assert_eq!(refusal.code, 403);
        assert_eq!(Refusal::new(&Value::Null, 502).code, 502);
    }

    #[test]
    fn the_failed_item_of_an_album_is_counted_from_one() {
        let refusal = Refusal::new(&json!({"description": "failed to send message #3 with the error message \"x\""}), 400);
        assert_eq!(refusal.failed_item(), Some(3));
    }
}
