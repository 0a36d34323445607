//! What a hook is called with. A message is kept as the gateway's API writes it, the rest as the contract does.

use patchbay_sandbox::{
    contract::{channel, messages, types},
    services::Field,
};
use serde::{Deserialize, Serialize};

use super::kept::Kept;
use crate::{domain::message::Command, plugins::convert};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "hook", rename_all = "snake_case")]
pub enum Input {
    Configure { settings: String },
    Connect { call: Call, step: Step, webhook_url: String, state: Option<Kept> },
    Send { call: Call, message: Box<Message> },
    Parse { webhook: Webhook },
    Preview { account: Account, message: Box<Message> },
    Health { call: Call },
    Poll { call: Call, cursor: Option<Kept> },
    Download { call: Call, provider_ref: String },
    ListTemplates { call: Call, cursor: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub external_id: Option<String>,
    /// A JSON object.
    pub settings: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub account: Account,
    pub attempt: u32,
    pub deadline_ms: f64,
    pub extras: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Start,
    Answers(Vec<Field>),
    Tick,
    Refresh,
    Disconnect,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    pub account: Option<Account>,
    pub method: String,
    pub path: String,
    pub query: Vec<Field>,
    pub headers: Vec<Field>,
    pub body: Kept,
    pub verified_by: Option<String>,
    pub extras: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub to: String,
    pub conversation: Option<String>,
    pub reply_to: Option<String>,
    pub command: Command,
    pub reply_context: Option<Kept>,
    pub subscriptions: Vec<Device>,
    pub extras: Vec<Field>,
}

/// Where a message goes that is pushed to devices: its endpoint and keys are blanked in a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub id: String,
    pub endpoint: String,
    pub keys: Vec<Field>,
    pub active: bool,
    pub extras: Vec<Field>,
}

fn fields_in(fields: &[types::Field]) -> Vec<Field> {
    fields.iter().map(|types::Field { name, value }| Field { name: name.clone(), value: value.clone() }).collect()
}

fn fields_out(fields: &[Field]) -> Vec<types::Field> {
    fields.iter().map(|Field { name, value }| types::Field { name: name.clone(), value: value.clone() }).collect()
}

impl Input {
    /// The word of the metrics and logs.
    pub fn hook(&self) -> &'static str {
        match self {
            Input::Configure { .. } => "configure",
            Input::Connect { .. } => "connect",
            Input::Send { .. } => "send",
            Input::Parse { .. } => "parse",
            Input::Preview { .. } => "preview",
            Input::Health { .. } => "health",
            Input::Poll { .. } => "poll",
            Input::Download { .. } => "download",
            Input::ListTemplates { .. } => "list_templates",
        }
    }

    pub fn connect(call: &types::Call, input: &channel::Connecting) -> Input {
        let step = match &input.step {
            channel::Step::Start => Step::Start,
            channel::Step::Answers(answers) => Step::Answers(fields_in(answers)),
            channel::Step::Tick => Step::Tick,
            channel::Step::Refresh => Step::Refresh,
            channel::Step::Disconnect => Step::Disconnect,
        };
        Input::Connect { call: call.into(), step, webhook_url: input.webhook_url.clone(), state: input.state.clone().map(Kept::whole) }
    }

    pub fn parse(webhook: &channel::Webhook) -> Input {
        let channel::Webhook { account, method, path, query, headers, body, verified_by, extras } = webhook;
        Input::Parse {
            webhook: Webhook {
                account: account.as_ref().map(Account::from),
                method: method.clone(),
                path: path.clone(),
                query: fields_in(query),
                headers: fields_in(headers),
                body: Kept::whole(body.clone()),
                verified_by: verified_by.clone(),
                extras: fields_in(extras),
            },
        }
    }
}

impl Step {
    fn given(&self) -> channel::Step {
        match self {
            Step::Start => channel::Step::Start,
            Step::Answers(answers) => channel::Step::Answers(fields_out(answers)),
            Step::Tick => channel::Step::Tick,
            Step::Refresh => channel::Step::Refresh,
            Step::Disconnect => channel::Step::Disconnect,
        }
    }

    /// As the plugin gets it.
    pub fn connecting(&self, webhook_url: &str, state: Option<&Kept>) -> channel::Connecting {
        channel::Connecting { step: self.given(), webhook_url: webhook_url.to_owned(), state: state.and_then(Kept::to_vec) }
    }
}

impl From<&types::Account> for Account {
    fn from(account: &types::Account) -> Account {
        Account { id: account.id.clone(), external_id: account.external_id.clone(), settings: account.settings.clone() }
    }
}

impl Account {
    pub fn given(&self) -> types::Account {
        types::Account { id: self.id.clone(), external_id: self.external_id.clone(), settings: self.settings.clone() }
    }
}

impl From<&types::Call> for Call {
    fn from(call: &types::Call) -> Call {
        let types::Call { account, attempt, deadline_ms, extras } = call;
        Call { account: account.into(), attempt: *attempt, deadline_ms: *deadline_ms, extras: fields_in(extras) }
    }
}

impl Call {
    pub fn given(&self) -> types::Call {
        types::Call {
            account: self.account.given(),
            attempt: self.attempt,
            deadline_ms: self.deadline_ms,
            extras: fields_out(&self.extras),
        }
    }
}

impl Webhook {
    /// None where its body isn't there.
    pub fn given(&self) -> Option<channel::Webhook> {
        Some(channel::Webhook {
            account: self.account.as_ref().map(Account::given),
            method: self.method.clone(),
            path: self.path.clone(),
            query: fields_out(&self.query),
            headers: fields_out(&self.headers),
            body: self.body.to_vec()?,
            verified_by: self.verified_by.clone(),
            extras: fields_out(&self.extras),
        })
    }
}

impl From<&messages::Outbound> for Message {
    fn from(message: &messages::Outbound) -> Message {
        let device = |device: &messages::Subscription| Device {
            id: device.id.clone(),
            endpoint: device.endpoint.clone(),
            keys: fields_in(&device.keys),
            active: device.active,
            extras: fields_in(&device.extras),
        };
        Message {
            id: message.id.clone(),
            to: message.to.clone(),
            conversation: message.conversation.clone(),
            reply_to: message.reply_to.clone(),
            command: convert::command_in(message.command.clone()),
            reply_context: message.reply_context.clone().map(Kept::whole),
            subscriptions: message.subscriptions.iter().map(device).collect(),
            extras: fields_in(&message.extras),
        }
    }
}

impl Message {
    pub fn given(&self) -> messages::Outbound {
        let subscription = |device: &Device| messages::Subscription {
            id: device.id.clone(),
            endpoint: device.endpoint.clone(),
            keys: fields_out(&device.keys),
            active: device.active,
            extras: fields_out(&device.extras),
        };
        messages::Outbound {
            id: self.id.clone(),
            to: self.to.clone(),
            conversation: self.conversation.clone(),
            reply_to: self.reply_to.clone(),
            command: convert::command_out(&self.command),
            reply_context: self.reply_context.as_ref().and_then(Kept::to_vec),
            subscriptions: self.subscriptions.iter().map(subscription).collect(),
            extras: fields_out(&self.extras),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn again(input: &Input) -> Input {
        serde_json::from_str(&json!(input).to_string()).unwrap()
    }

    #[test]
    fn a_message_comes_back_as_the_plugin_got_it() {
        let contents = [
            json!({"type": "text", "text": "Hi", "format": "markdown"}),
            json!({"type": "media", "kind": "image", "media_id": "f", "caption": "c"}),
            json!({"type": "interactive", "body": "b", "quick_replies": [{"id": "1", "title": "One"}]}),
            json!({"type": "notification", "title": "t", "body": "b", "data": {"b": 1, "a": [2]}}),
            json!({"type": "custom", "kind": "dice", "data": {"sides": 6}}),
        ];
        for content in contents {
            let command: Command = serde_json::from_value(json!({"message": [content]})).unwrap();
            let outbound = messages::Outbound {
                id: "m".to_owned(),
                to: "70".to_owned(),
                conversation: Some("70".to_owned()),
                reply_to: None,
                command: convert::command_out(&command),
                reply_context: Some(vec![0, 255]),
                subscriptions: Vec::new(),
                extras: vec![types::Field { name: "n".to_owned(), value: "v".to_owned() }],
            };
            let call = Call {
                account: Account { id: "a".to_owned(), external_id: None, settings: "{}".to_owned() },
                attempt: 2,
                deadline_ms: 1.0,
                extras: Vec::new(),
            };
            let Input::Send { message, .. } = again(&Input::Send { call, message: Box::new(Message::from(&outbound)) }) else { panic!() };
            assert_eq!(format!("{:?}", message.given()), format!("{outbound:?}"));
        }
    }

    #[test]
    fn a_webhook_comes_back_byte_for_byte() {
        let webhook = channel::Webhook {
            account: None,
            method: "POST".to_owned(),
            path: "/webhooks/1".to_owned(),
            query: Vec::new(),
            headers: vec![types::Field { name: "x-a".to_owned(), value: "1".to_owned() }],
            body: vec![b'{', 0xff, 0],
            verified_by: Some("hmac".to_owned()),
            extras: vec![types::Field { name: "received_ms".to_owned(), value: "1".to_owned() }],
        };
        let input = Input::parse(&webhook);
        assert_eq!(json!(input)["hook"], Value::from(input.hook()));
        let Input::Parse { webhook: back } = again(&input) else { panic!() };
        assert_eq!(format!("{:?}", back.given().unwrap()), format!("{webhook:?}"));
    }
}
