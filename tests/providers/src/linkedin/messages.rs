//! Messages to members: for approved partners, to first-degree connections and in threads that are there.

use serde_json::{Value, json};

use crate::linkedin::answer::{Outcome, Refusal, Reply};
use crate::linkedin::ask::Ask;
use crate::linkedin::posts::text;
use crate::linkedin::server::{Server, magic};
use crate::linkedin::world::Message;

pub(crate) fn send(server: &Server, ask: &Ask) -> Outcome {
    let body = ask.json()?;
    if !server.knobs().messaging {
        return Err(Refusal::denied("POST /v2/messages"));
    }
    let wrong = |words: &str| Err(Refusal::invalid(words));
    let words = text(&body, "body");
    if words.is_empty() {
        return wrong("ERROR :: /body :: field is required but not found and has no default value");
    }
    if is_markup(words) {
        return wrong("ERROR :: /body :: HTML isn't allowed");
    }
    if text(&body, "messageType") != "MEMBER_TO_MEMBER" {
        return wrong("ERROR :: /messageType :: has to be MEMBER_TO_MEMBER");
    }
    magic(words)?;
    let recipients: Vec<String> = match &body["recipients"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let thread = text(&body, "thread");
    if recipients.is_empty() == thread.is_empty() {
        return wrong("Either recipients or thread has to be there, and not both");
    }
    magic(thread)?;
    recipients.iter().try_for_each(|recipient| magic(recipient))?;
    let mut world = server.world.lock();
    if !thread.is_empty() && !world.seen.contains(thread) {
        return Err(Refusal::of(404));
    }
    for recipient in &recipients {
        let Some(id) = recipient.strip_prefix("urn:li:person:") else {
            return wrong("ERROR :: /recipients :: has to be URNs of persons");
        };
        match world.members.iter().find(|member| member.id == id) {
            None => return Err(Refusal::of(404)),
            Some(member) if !member.connected => {
                return Err(Refusal::unprocessable(format!("{recipient} isn't a first-degree connection")));
            }
            Some(_) => {}
        }
    }
    let number = server.next_number();
    let id = format!("urn:li:message:{number}");
    let thread = if thread.is_empty() { format!("urn:li:messageThread:2-{number}") } else { thread.to_owned() };
    world.seen.insert(thread.clone());
    let subject = text(&body, "subject").to_owned();
    world.messages.push(Message { id: id.clone(), thread, recipients, subject, body: words.to_owned() });
    Ok(Reply::created(&id))
}

fn is_markup(words: &str) -> bool {
    words
        .split('<')
        .skip(1)
        .any(|rest| rest.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/') && rest.contains('>'))
}

impl Server {
    /// The gateway's own proposal of a webhook for what members write.
    pub(crate) fn message_created(&self, to: &str, from: &str, words: &str) -> Value {
        let world = self.world.lock();
        let owner = if to.starts_with("urn:li:person:") { "owner" } else { "organizationalEntity" };
        let id = from.strip_prefix("urn:li:person:").unwrap_or(from);
        let name = world.members.iter().find(|member| member.id == id).map(|member| member.name.clone());
        let mut message =
            json!({"id": format!("urn:li:message:{}", self.next_number()), "from": from, "body": words, "createdAt": self.now_ms()});
        if let Some(name) = name {
            message["fromName"] = name.into();
        }
        json!({"type": "MESSAGE_CREATED", "notifications": [{"notificationId": self.next_number() % 1_000_000_000, owner: to,
            "thread": format!("urn:li:messageThread:2-{id}"), "message": message}]})
    }
}
