//! What `conformance.json` can't say: the requests as they leave, and the events whole.

use patchbay_plugin::messages::{Action, Button, Choices, Command, Content, Interactive, Outbound, Text};
use patchbay_plugin::testing::{self, Provider, fixtures};
use patchbay_plugin::{Channel, Failure};
use serde_json::{Value, json};

use crate::AcmeChat;

const MESSAGES: &str = "POST api /messages";

fn message(content: Content) -> Outbound {
    testing::outbound("user_7", Command::Message(vec![content]))
}

fn text(body: &str) -> Outbound {
    message(Content::Text(Text::plain(body)))
}

/// What was asked of the provider, once.
fn asked(settings: &Value, message: Outbound) -> Value {
    let provider = Provider::new();
    provider.on(MESSAGES).answer(201, &json!({"id": "msg_1"}));
    let sent = AcmeChat::send(&testing::call(Some("ws_42"), settings), message);
    assert_eq!(sent.failed, None);
    assert_eq!(sent.accepted[0].external_id.as_deref(), Some("msg_1"));
    provider.requests()[0].json()
}

#[test]
fn a_text_leaves_with_the_accounts_signature_below_it() {
    assert_eq!(asked(&json!({}), text("Hi")), json!({"to": "user_7", "text": "Hi"}));
    assert_eq!(asked(&json!({"signature": "Acme Shop"}), text("Hi")), json!({"to": "user_7", "text": "Hi\n\nAcme Shop"}));
}

#[test]
fn an_answer_names_what_it_answers() {
    let answer = Outbound { reply_to: Some("in_1".to_owned()), ..text("Yes") };
    assert_eq!(asked(&json!({}), answer)["reply_to"], "in_1");
}

#[test]
fn a_button_that_opens_a_page_is_named_as_the_one_that_is_wrong() {
    let button = |action| Button { title: "Go".to_owned(), action };
    let buttons = vec![button(Action::Reply("go".to_owned())), button(Action::Url("https://example.com".to_owned()))];
    let interactive = Interactive { header: None, body: "?".to_owned(), footer: None, choices: Choices::Buttons(buttons) };
    let sent = AcmeChat::send(&testing::call(None, &json!({})), message(Content::Interactive(interactive)));
    let Some(Failure::Invalid(problems)) = sent.failed else { panic!("{:?}", sent.failed) };
    assert_eq!(problems[0].pointer, "/content/0/buttons/1");
}

#[test]
fn a_connection_that_breaks_after_the_request_is_a_doubt() {
    let provider = Provider::new();
    provider.on(MESSAGES).broken("reset").not_sent("no such host");
    let sends = || AcmeChat::send(&testing::call(None, &json!({})), text("Hi")).failed;
    assert!(matches!(sends(), Some(Failure::Uncertain(_))));
    assert!(matches!(sends(), Some(Failure::Unavailable(_))));
}

#[test]
fn webhooks_become_the_events_of_the_fixtures() -> std::io::Result<()> {
    let account = testing::account(Some("ws_42"), &json!({}));
    assert_eq!(fixtures::check::<AcmeChat>(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"), &account)?, 9);
    Ok(())
}
