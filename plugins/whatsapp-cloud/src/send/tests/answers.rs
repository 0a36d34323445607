//! What Meta answers, and what becomes of it.

use super::*;

fn one(status: u16, answer: &Value) -> Sent {
    let provider = Provider::new();
    provider.on(ROUTE).answer(status, answer);
    sent(message(vec![text("x")]))
}

fn case(sent: &Sent) -> &'static str {
    match sent.failed.as_ref().unwrap() {
        Failure::Invalid(_) => "invalid",
        Failure::Unauthorized(_) => "unauthorized",
        Failure::Forbidden(_) => "forbidden",
        Failure::Limited(_) => "limited",
        Failure::Unavailable(_) => "unavailable",
        Failure::Uncertain(_) => "uncertain",
        Failure::Recipient(_) => "recipient",
        Failure::WindowClosed(_) => "window_closed",
        Failure::Rejected(_) => "rejected",
        Failure::Unsupported(_) => "unsupported",
        Failure::Fault(_) => "fault",
    }
}

#[test]
fn each_refusal_has_its_class_whatever_the_status() {
    for (status, code, expected) in [
        (400, 131_047, "window_closed"),
        (400, 131_026, "recipient"),
        (400, 131_030, "recipient"),
        (400, 130_429, "limited"),
        (400, 131_056, "limited"),
        (400, 131_048, "limited"),
        (429, 80_007, "limited"),
        (401, 190, "unauthorized"),
        (403, 10, "forbidden"),
        (403, 131_005, "forbidden"),
        (400, 131_008, "rejected"),
        (404, 132_001, "rejected"),
        (400, 133_010, "rejected"),
        (500, 131_000, "unavailable"),
        (503, 2, "unavailable"),
    ] {
        let sent = one(status, &refusal(code));
        assert_eq!((case(&sent), sent.accepted.len()), (expected, 0), "{code}");
    }
}

#[test]
fn a_connection_that_breaks_is_a_doubt_and_one_that_never_was_is_none() {
    let provider = Provider::new();
    provider.on(ROUTE).broken("reset");
    assert_eq!(case(&sent(message(vec![text("x")]))), "uncertain");
    provider.on(ROUTE).not_sent("dns");
    assert_eq!(case(&sent(message(vec![text("x")]))), "unavailable");
    provider.on(ROUTE).answer_bytes(502, "text/html", "<html>");
    assert_eq!(case(&sent(message(vec![text("x")]))), "unavailable");
}

#[test]
fn a_number_that_is_known_by_other_digits_names_its_conversation() {
    let sent = |to: &str, wa_id: &str| {
        let provider = Provider::new();
        let answer = json!({"contacts": [{"input": to, "wa_id": wa_id, "user_id": "BR.1"}], "messages": [{"id": "wamid.1", "message_status": "held_for_quality_assessment"}]});
        provider.on(ROUTE).answer(200, &answer);
        let mut message = message(vec![text("x")]);
        message.to = to.into();
        sent(message).accepted.remove(0).extras
    };
    let extras = sent("5511987654321", "551187654321");
    assert_eq!(extras.value("conversation"), Some("551187654321"));
    assert_eq!((extras.value("bsuid"), extras.value("message_status")), (Some("BR.1"), Some("held_for_quality_assessment")));
    assert_eq!(sent("+55 11 87654321", "551187654321").value("conversation"), Some("551187654321"));
    assert_eq!(sent("551187654321", "551187654321").value("conversation"), None);
    assert_eq!(sent("BR.1", "551187654321").value("conversation"), None, "the conversation of a hidden number is the id's");
}

#[test]
fn who_wants_no_marketing_is_opted_out() {
    let sent = one(400, &refusal(131_050));
    assert_eq!((case(&sent), sent.events.len()), ("recipient", 1));
    assert!(matches!(sent.events[0].what, Happening::OptedOut(_)));
    assert_eq!(sent.events[0].actor.as_ref().unwrap().identities, [Identity::new("wa_id", TO)]);
}

#[test]
fn an_account_that_was_never_connected_says_so() {
    let sent = WhatsAppCloud::send(&testing::call(None, &json!({})), message(vec![text("x")]));
    assert_eq!(pointer(&sent.failed.unwrap()), "/phone_number_id");
}

#[test]
fn answers_of_any_shape_are_taken() {
    for odd in
        [json!({}), json!({"messages": 7}), json!({"messages": [null], "contacts": [[]]}), json!([]), json!({"messages": [{"id": 5}]})]
    {
        assert_eq!(one(200, &odd).failed, None, "{odd}");
    }
}
