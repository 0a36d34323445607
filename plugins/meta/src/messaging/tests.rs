use super::*;
use patchbay_plugin::messages::{Content, Inbound, ReceiptTarget};
use serde_json::json;

const PAGE: &str = "100";
const PERSON: &str = "200";

fn item(mut fields: Value) -> Value {
    let item = fields.as_object_mut().unwrap();
    item.entry("sender").or_insert(json!({"id": PERSON}));
    item.entry("recipient").or_insert(json!({"id": PAGE}));
    item.entry("timestamp").or_insert(json!(1_790_000_000_500_i64));
    fields
}

fn of(item: &Value) -> Vec<Event> {
    events(MESSENGER, &json!({"object": "page", "entry": [{"id": PAGE, "time": 1_790_000_001_000_i64, "messaging": [item]}]}))
}

fn message(fields: &Value) -> Inbound {
    match of(&item(json!({"message": fields}))).remove(0).what {
        Happening::Message(inbound) => inbound,
        other => panic!("not a message: {other:?}"),
    }
}

#[test]
fn an_echo_of_ours_gives_our_id_back_and_another_apps_does_not() {
    let echo = |metadata: &str| {
        let fields = json!({"sender": {"id": PAGE}, "recipient": {"id": PERSON}, "message": {"mid": "m_1", "is_echo": true, "app_id": 7, "metadata": metadata, "text": "x"}});
        let event = of(&item(fields)).remove(0);
        assert_eq!((event.account.as_deref(), event.actor), (Some(PAGE), None));
        let Happening::Message(inbound) = event.what else { panic!("no message") };
        assert!(inbound.echo);
        assert_eq!((inbound.conversation.external_id.as_str(), inbound.sender.identities[0].value.as_str()), (PERSON, PAGE));
        inbound.extras.iter().find(|field| field.name == "message_id").map(|field| field.value.clone())
    };
    assert_eq!(echo("019a0000-0000-7000-8000-0000000000aa").as_deref(), Some("019a0000-0000-7000-8000-0000000000aa"));
    assert_eq!(echo("outbox-78"), None);
}

#[test]
fn a_sticker_in_both_forms_is_one() {
    let both = json!([{"type": "image", "payload": {"url": "https://x.fbcdn.net/s", "sticker_id": 7}}, {"type": "sticker", "payload": {"url": "https://x.fbcdn.net/s", "sticker_id": "7"}}]);
    let content = message(&json!({"mid": "m_1", "attachments": both})).content;
    assert!(matches!(content.as_slice(), [Content::Sticker(sticker)] if sticker.extras[0].value == "7"));
}

#[test]
fn what_cannot_be_shown_is_a_placeholder() {
    for attachments in
        [json!([{"type": "ephemeral"}]), json!([{"type": "hologram", "payload": {"x": 1}}]), json!([{"type": "image"}]), json!([])]
    {
        let content = message(&json!({"mid": "m_1", "attachments": attachments})).content;
        assert!(matches!(content.as_slice(), [Content::Custom(custom)] if custom.kind == "unsupported"), "{content:?}");
    }
    let fallback = message(&json!({"mid": "m_1", "text": "see this", "attachments": [{"type": "fallback"}]})).content;
    assert!(matches!(fallback.as_slice(), [Content::Text(_)]));
}

#[test]
fn a_fact_that_is_delivered_again_has_the_same_key_and_other_facts_have_others() {
    let items = [
        item(json!({"message": {"mid": "m_1", "text": "a"}})),
        item(json!({"message": {"mid": "m_1", "is_deleted": true}})),
        item(json!({"message_edit": {"mid": "m_1", "text": "b", "num_edit": 1}})),
        item(json!({"message_edit": {"mid": "m_1", "text": "c", "num_edit": "2"}})),
        item(json!({"reaction": {"mid": "m_1", "action": "react", "reaction": "love"}})),
        item(json!({"reaction": {"mid": "m_1", "action": "unreact"}})),
        item(json!({"postback": {"title": "A", "payload": "A"}})),
        item(json!({"postback": {"title": "B", "payload": "B"}})),
        item(json!({"delivery": {"watermark": 1_790_000_000_400_i64}})),
        item(json!({"read": {"watermark": 1_790_000_000_400_i64}})),
        item(json!({"read": {"mid": "m_9"}})),
        item(json!({"referral": {"ref": "a"}})),
        item(json!({"new_kind": {"a": 1}})),
        item(json!({"new_kind": {"a": 2}})),
    ];
    let keys = || items.iter().flat_map(of).map(|event| event.dedupe_key).collect::<Vec<_>>();
    let unique: std::collections::BTreeSet<_> = keys().into_iter().collect();
    assert_eq!(keys(), keys());
    assert_eq!(unique.len(), keys().len());
}

#[test]
fn a_message_in_the_changes_form_is_the_same_message() {
    let value = item(json!({"message": {"mid": "m_1", "text": "a"}}));
    let changes = json!({"entry": [{"id": PAGE, "changes": [{"field": "messages", "value": value}]}]});
    assert_eq!(events(MESSENGER, &changes), of(&value));
    let feed = json!({"entry": [{"id": PAGE, "changes": [{"field": "feed", "value": {"item": "post"}}]}]});
    assert!(
        matches!(&events(MESSENGER, &feed)[0].what, Happening::Custom(custom) if custom.kind == "ignored" && custom.json.contains("feed"))
    );
}

#[test]
fn an_instagram_read_reads_what_was_sent_before() {
    let events = of(&item(json!({"read": {"mid": "m_9"}})));
    let target = |event: &Event| match &event.what {
        Happening::Receipt(receipt) => receipt.target.clone(),
        other => panic!("no receipt: {other:?}"),
    };
    let targets: Vec<_> = events.iter().map(target).collect();
    assert_eq!(targets, [ReceiptTarget::Messages(vec!["m_9".into()]), ReceiptTarget::UpToMs(1_789_999_999_500.0)]);
}

#[test]
fn a_block_by_policy_degrades_the_account() {
    let blocked = of(&item(json!({"policy_enforcement": {"action": "block", "reason": "spam"}})));
    assert!(matches!(&blocked[0].what, Happening::Account(status) if status.state == "degraded" && status.detail.message.contains("spam")));
    assert_eq!(blocked[0].conversation, None);
}

#[test]
fn a_batch_names_each_account() {
    let value = |mid: &str| item(json!({"message": {"mid": mid, "text": "a"}}));
    let batch = json!({"entry": [{"id": "100", "messaging": [value("1")]}, {"id": 101, "messaging": [value("2"), value("3")]}]});
    let accounts: Vec<_> = events(INSTAGRAM, &batch).into_iter().filter_map(|event| event.account).collect();
    assert_eq!(accounts, ["100", "101", "101"]);
}

#[test]
fn only_metas_networks_are_known_as_such() {
    for (url, known) in [
        ("https://lookaside.fbsbx.com/x?y", true),
        ("https://scontent.xx.fbcdn.net/a", true),
        ("https://scontent.cdninstagram.com", true),
        ("https://evilfbcdn.net/", false),
        ("https://fbcdn.net.evil.example/", false),
        ("https://x@fbcdn.net:1/", false),
        ("http://lookaside.fbsbx.com/", false),
    ] {
        assert_eq!(is_media_host(url), known, "{url}");
    }
}
