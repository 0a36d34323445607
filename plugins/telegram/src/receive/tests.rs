use super::*;
use crate::Telegram;
use patchbay_plugin::Channel as _;
use patchbay_plugin::messages::{Command, Content, Inbound};
use patchbay_plugin::testing::{self, fixtures};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

fn account(settings: &Value) -> Account {
    testing::account(Some("700100"), settings)
}

fn receive(update: &Value) -> Vec<Event> {
    Telegram::parse_inbound(testing::webhook(account(&json!({})), update.to_string())).unwrap().events
}

fn message(update: &Value) -> Inbound {
    match receive(update).remove(0).what {
        Happening::Message(inbound) => inbound,
        other => panic!("not a message: {other:?}"),
    }
}

#[test]
fn every_kind_of_update_gives_its_events() {
    assert!(fixtures::check::<Telegram>(FIXTURES, &account(&json!({}))).unwrap() > 40);
}

#[test]
fn an_update_that_is_delivered_again_has_the_same_keys() {
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let keys = || receive(&fixture["body"]).into_iter().map(|event| event.dedupe_key).collect::<Vec<_>>();
        let unique: std::collections::BTreeSet<_> = keys().into_iter().collect();
        assert_eq!(keys(), keys());
        assert_eq!(unique.len(), keys().len());
        assert!(keys().iter().all(|key| key.starts_with("tg:700100:")));
    }
}

#[test]
fn both_sides_of_a_migration_tell_one_fact() {
    let old = json!({"update_id": 8, "message": {"message_id": 1, "date": 1, "chat": {"id": -5001, "type": "group"}, "migrate_to_chat_id": -100_500_i64}});
    let new = json!({"update_id": 9, "message": {"message_id": 1, "date": 1, "chat": {"id": -100_500, "type": "supergroup"}, "migrate_from_chat_id": -5001}});
    assert_eq!(receive(&old)[0].dedupe_key, receive(&new)[0].dedupe_key);
    assert_eq!(receive(&old)[0].what, receive(&new)[0].what);
}

#[test]
fn a_press_is_answered_at_once_unless_the_application_does_it() {
    let update = json!({"update_id": 1, "callback_query": {"id": "7", "from": {"id": 5, "first_name": "A"}, "data": "x"}});
    let Some(Command::Custom(answer)) = receive(&update).remove(0).follow_up else { panic!("no answer") };
    assert_eq!((answer.kind.as_str(), answer.json.as_str()), ("callback_answer", r#"{"callback_query_id":"7"}"#));
    let manual = account(&json!({"answer_callbacks": "manual"}));
    let events = Telegram::parse_inbound(testing::webhook(manual, update.to_string())).unwrap().events;
    assert_eq!(events[0].follow_up, None);
}

#[test]
fn ids_beyond_32_and_53_bits_stay_exact() {
    let update = json!({"update_id": 1, "message": {"message_id": 3_000_000_000_u64, "date": 1,
        "chat": {"id": -1_009_007_199_254_740_993_i64, "type": "supergroup"}, "from": {"id": 9_007_199_254_740_993_u64, "first_name": "A"}, "text": "x"}});
    let inbound = message(&update);
    assert_eq!(inbound.external_id, "-1009007199254740993:3000000000");
    assert_eq!(inbound.sender.identities[0].value, "9007199254740993");
}

#[test]
fn the_bots_own_words_are_echoes() {
    let update = json!({"update_id": 1, "message": {"message_id": 3, "date": 1, "chat": {"id": 5, "type": "private"}, "from": {"id": 700100, "first_name": "B"}, "text": "x"}});
    assert!(message(&update).echo);
}

#[test]
fn what_is_not_an_update_is_refused_and_any_object_is_taken() {
    let body = |body: &str| Telegram::parse_inbound(testing::webhook(account(&json!({})), body));
    for wrong in ["", "hello", "[]", "7", "null", "{\"update_id\":"] {
        assert!(matches!(body(wrong), Err(Failure::Invalid(_))), "{wrong}");
    }
    for odd in
        ["{}", r#"{"update_id":1}"#, r#"{"update_id":1,"message":null}"#, r#"{"message":{}}"#, r#"{"update_id":{},"message":{"chat":[]}}"#]
    {
        assert_eq!(body(odd).unwrap().events.len(), 1, "{odd}");
    }
}

#[test]
fn a_field_that_is_new_does_not_hide_the_kind_that_is_known() {
    let update = json!({"update_id": 1, "aaa_new": {"a": 1},
        "message": {"message_id": 3, "date": 1, "chat": {"id": 5, "type": "private"}, "text": "x"}});
    assert_eq!(message(&update).external_id, "5:3");
}

#[test]
fn the_general_topic_is_the_group_itself() {
    let topic = |id: i64| {
        let update = json!({"update_id": 1, "message": {"message_id": 3, "date": 1, "chat": {"id": -100, "type": "supergroup"},
            "message_thread_id": id, "is_topic_message": true, "text": "x"}});
        message(&update).conversation.external_id
    };
    assert_eq!((topic(1), topic(9)), ("-100".to_owned(), "-100#9".to_owned()));
}

#[test]
fn a_chat_that_votes_is_the_voter_and_not_its_stand_in() {
    let update = json!({"update_id": 1, "poll_answer": {"poll_id": "5", "option_ids": [0],
        "voter_chat": {"id": -100, "type": "channel", "title": "News"}, "user": {"id": 136_817_688, "first_name": "Channel"}}});
    assert_eq!(receive(&update)[0].actor.as_ref().unwrap().identities[0].value, "-100");
}

#[test]
fn pressing_start_in_a_private_chat_also_opts_in() {
    let events = |text: &str, kind: &str| {
        let update = json!({"update_id": 1, "message": {"message_id": 3, "date": 1, "chat": {"id": 5, "type": kind},
            "from": {"id": 5, "first_name": "A"}, "text": text}});
        receive(&update)
    };
    for text in ["/start", "/start campaign_42"] {
        let events = events(text, "private");
        assert_eq!(events.len(), 2, "{text}");
        assert_eq!((events[1].dedupe_key.as_str(), &events[1].what), ("tg:700100:1:1", &Happening::OptedIn));
        assert!(events[1].actor.is_some() && events[1].conversation.is_some());
    }
    assert_eq!((events("/started", "private").len(), events("/start", "group").len()), (1, 1));
}

#[test]
fn a_message_without_its_ids_is_ignored_and_not_lost() {
    for kind in ["message", "edited_message"] {
        for odd in [json!({"text": "x"}), json!({"message_id": 3, "chat": {}, "text": "x"}), json!({"chat": {"id": 5}, "text": "x"})] {
            let update = json!({"update_id": 1, kind: odd});
            assert!(matches!(&receive(&update)[0].what, Happening::Custom(custom) if custom.kind == "ignored"), "{update}");
        }
    }
}

#[test]
fn a_quiz_keeps_its_answers_and_what_is_not_known_its_caption() {
    let content = |field: &str, value: Value| {
        let mut update =
            json!({"update_id": 1, "message": {"message_id": 3, "date": 1, "chat": {"id": 5, "type": "private"}, "caption": "look"}});
        update["message"][field] = value;
        message(&update).content.remove(0)
    };
    let Content::Poll(quiz) =
        content("poll", json!({"id": "7", "question": "Q", "type": "quiz", "options": [], "correct_option_ids": [0, 2]}))
    else {
        panic!("no poll")
    };
    assert!(quiz.extras.iter().any(|field| field.name == "correct_option_ids" && field.value == "0,2"));
    let Content::Poll(quiz) = content("poll", json!({"id": "7", "question": "Q", "type": "quiz", "options": [], "correct_option_id": 1}))
    else {
        panic!("no poll")
    };
    assert!(quiz.extras.iter().any(|field| field.name == "correct_option_id" && field.value == "1"));
    let Content::Custom(other) = content("hologram", json!({"a": 1})) else { panic!("known") };
    assert_eq!(other.json, r#"{"caption":"look","raw":{"a":1},"type":"hologram"}"#);
}

/// Every fixture, with each of its values in turn left out or replaced by one of another type, and its text cut anywhere.
#[test]
fn garbled_updates_never_panic_and_are_never_lost() {
    let mut tried = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        let body = &fixture["body"];
        for pointer in pointers(body, "") {
            for odd in [Value::Null, json!(-1), json!(1e300), json!("😀"), json!([]), json!([null, 7, {}]), json!({}), json!(true)] {
                let mut garbled = body.clone();
                *garbled.pointer_mut(&pointer).unwrap() = odd;
                if garbled.is_object() {
                    assert!(!receive(&garbled).is_empty());
                    tried += 1;
                }
            }
        }
        let text = body.to_string();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(Telegram::parse_inbound(testing::webhook(account(&json!({})), &text[..end])).is_err());
        }
    }
    assert!(tried > 1000);
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let mut all = vec![at.to_owned()];
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| all.extend(pointers(field, &format!("{at}/{name}")))),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| all.extend(pointers(item, &format!("{at}/{index}")))),
        _ => {}
    }
    all
}
