//! How chats and messages are named: a conversation is `<chat id>` or `<chat id>#<topic id>`, a message `<chat id>:<message id>`,
//! because a message id is unique only inside of its chat.

use patchbay_plugin::Failure;
use serde_json::Value;

/// The topic that every forum has. Inbound it carries no topic id or 1; sending with 1 is refused.
const GENERAL_TOPIC: i64 = 1;

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chat {
    /// A number, or `@name`.
    pub(crate) id: String,
    pub(crate) topic: Option<i64>,
}

impl Chat {
    pub(crate) fn parse(to: &str) -> Result<Self, Failure> {
        let (id, topic) = to.split_once('#').map_or((to, None), |(id, topic)| (id, Some(topic)));
        let named = id.strip_prefix('@').is_some_and(|name| !name.is_empty());
        if id.starts_with('+') {
            return Err(Failure::invalid(
                "/to",
                "bots can't address phone numbers: give the chat id that the person's first message brought",
            ));
        }
        if !named && number(id).is_none() {
            return Err(Failure::invalid("/to", "a chat id, @channelname, or <chat id>#<topic id> is expected"));
        }
        let topic = match topic.map(number) {
            None | Some(Some(GENERAL_TOPIC)) => None,
            Some(Some(topic)) => Some(topic),
            Some(None) => return Err(Failure::invalid("/to", "the topic id after # has to be a number")),
        };
        Ok(Self { id: id.to_owned(), topic })
    }

    pub(crate) fn id_value(&self) -> Value {
        id_value(&self.id)
    }
}

/// A number where it is one: some servers take no text there.
pub(crate) fn id_value(id: &str) -> Value {
    number(id).map_or_else(|| Value::from(id), Value::from)
}

/// `-?[0-9]+`. What else Rust reads as a number, `+20…`, is a phone's, and as an id it would be a stranger's.
fn number(id: &str) -> Option<i64> {
    if id.starts_with('+') { None } else { id.parse().ok() }
}

/// The topic that a conversation is named by: none for the General one, which is the group itself.
pub(crate) fn topic(id: String) -> Option<String> {
    if number(&id) == Some(GENERAL_TOPIC) { None } else { Some(id) }
}

pub(crate) fn message(chat: &str, id: &str) -> String {
    format!("{chat}:{id}")
}

pub(crate) fn conversation(chat: &str, topic: Option<&str>) -> String {
    topic.map_or_else(|| chat.to_owned(), |topic| format!("{chat}#{topic}"))
}

/// A message that is acted upon: one of a chat, or one that was sent through inline mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Message { chat: String, id: i64 },
    Inline(String),
}

impl Target {
    pub(crate) fn parse(external_id: &str, pointer: &str) -> Result<Self, Failure> {
        match external_id.split_once(':') {
            Some((chat, id)) => match number(id) {
                Some(id) if !chat.is_empty() => Ok(Self::Message { chat: chat.to_owned(), id }),
                _ => Err(Failure::invalid(pointer, "a message is named <chat id>:<message id>")),
            },
            None if external_id.is_empty() => Err(Failure::invalid(pointer, "no message is named")),
            None => Ok(Self::Inline(external_id.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_a_number_or_a_name_with_or_without_a_topic() {
        let chat = |id: &str, topic| Ok(Chat { id: id.into(), topic });
        assert_eq!(Chat::parse("70010001"), chat("70010001", None));
        assert_eq!(Chat::parse("-1002000000001#9"), chat("-1002000000001", Some(9)));
        assert_eq!(Chat::parse("-1002000000001#1"), chat("-1002000000001", None));
        assert_eq!(Chat::parse("@news"), chat("@news", None));
        for wrong in ["", "@", "Mona", "5#x", "5#+7", "+4912345x", "+201001234567"] {
            assert!(matches!(Chat::parse(wrong), Err(Failure::Invalid(_))), "{wrong}");
        }
    }

    #[test]
    fn a_phone_number_is_no_chat_and_the_words_say_so() {
        let Err(Failure::Invalid(problems)) = Chat::parse("+201001234567") else { panic!("not invalid") };
        assert_eq!(problems[0].pointer, "/to");
        assert!(problems[0].message.contains("phone numbers"));
        assert_eq!(id_value("+201001234567"), Value::from("+201001234567"));
    }

    #[test]
    fn a_target_is_a_message_or_an_inline_message() {
        assert_eq!(Target::parse("-100:7", "/target"), Ok(Target::Message { chat: "-100".into(), id: 7 }));
        assert_eq!(Target::parse("AAQ_x", "/target"), Ok(Target::Inline("AAQ_x".into())));
        assert!(Target::parse("5:x", "/target").is_err());
        assert!(Target::parse("", "/target").is_err());
    }
}
