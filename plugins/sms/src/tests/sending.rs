//! Every request as it goes out, and what becomes of every answer.

use super::*;
use crate::Sms;
use patchbay_plugin::Channel as _;
use patchbay_plugin::messages::Sent;

fn send(call: &Call, message: Outbound) -> Sent {
    Sms::send(call, message)
}

fn hello(settings: &Value) -> Sent {
    send(&call(settings), message(NUMBER, "Hi"))
}

fn ids(sent: &Sent) -> Vec<Option<&str>> {
    assert_eq!(sent.failed, None);
    sent.accepted.iter().map(|accepted| accepted.external_id.as_deref()).collect()
}

fn extras(sent: &Sent) -> Vec<(&str, &str)> {
    sent.accepted[0].extras.iter().map(|extra| (extra.name.as_str(), extra.value.as_str())).collect()
}

fn failure(sent: Sent) -> Failure {
    assert_eq!(sent.accepted, []);
    sent.failed.unwrap()
}

// ---- VictoryLink ----

#[test]
fn a_message_goes_out_under_our_id_and_asks_for_receipts() {
    let provider = Provider::new();
    answers(&provider, SEND_WITH_RECEIPTS, &["0"]);
    let sent = send(&call(&victorylink()), message("01001383533", "Hello €"));
    assert_eq!(ids(&sent), [Some(OURS)]);
    assert_eq!(
        provider.requests()[0].json(),
        json!({"UserName": "acme", "SMSText": "Hello €", "SMSLang": "E", "SMSSender": "ACME", "SMSReceiver": "201001383533", "SMSID": OURS,
            "DLRURL": WEBHOOK})
    );
    assert_eq!(
        extras(&sent),
        [
            ("delivery_receipts", "true"),
            ("conversation", NUMBER),
            ("encoding", "GSM-7"),
            ("chars", "7"),
            ("units", "8"),
            ("parts", "1"),
            ("remaining_in_part", "152")
        ]
    );
}

#[test]
fn whatever_the_alphabet_cannot_write_is_sent_as_arabic() {
    for (text, language) in [("Hi", "E"), ("مرحبا", "A"), ("Hi 😀", "A"), ("`", "A"), ("[ok]", "E")] {
        let provider = Provider::new();
        answers(&provider, SEND_WITH_RECEIPTS, &["0"]);
        ids(&send(&call(&victorylink()), message(NUMBER, text)));
        assert_eq!(provider.requests()[0].json()["SMSLang"], language, "{text}");
    }
}

#[test]
fn without_an_address_for_them_no_receipts_are_asked_for() {
    let provider = Provider::new();
    answers(&provider, SEND, &["0"]);
    let mut campaign = message(NUMBER, "Hi");
    campaign.extras = vec![Field::new("campaign_id", "c1")];
    let sent = send(&testing::call(None, &victorylink()), campaign);
    assert_eq!((ids(&sent), extras(&sent)[0]), (vec![Some(OURS)], ("delivery_receipts", "false")));
    let request = provider.requests()[0].json();
    assert_eq!((request.get("DLRURL"), &request["CampaignID"]), (None, &json!("c1")));
}

#[test]
fn an_account_that_may_not_ask_for_receipts_sends_without_them_once() {
    let provider = Provider::new();
    answers(&provider, SEND_WITH_RECEIPTS, &["-16"]);
    answers(&provider, SEND, &["-10"]);
    let sent = hello(&victorylink());
    assert_eq!(ids(&sent), [Some(OURS)]);
    assert_eq!(extras(&sent)[..2], [("delivery_receipts", "false"), ("code", "-10")]);
    let requests = provider.requests();
    assert_eq!((requests[1].json().get("DLRURL"), &requests[1].json()["SMSID"]), (None, &json!(OURS)));
    answers(&provider, SEND_WITH_RECEIPTS, &["-16"]);
    answers(&provider, SEND, &["-16"]);
    assert_eq!(code(&failure(hello(&victorylink()))), "receipts_not_allowed");
}

#[test]
fn the_number_is_read_however_it_is_wrapped() {
    let wrapped =
        ["0", "\"0\"", " 0\n", "<int>0</int>", "<?xml version=\"1.0\"?><int xmlns=\"http://tempuri.org/\">0</int>", "-10", "\"-10\""];
    for body in wrapped {
        let provider = Provider::new();
        answers(&provider, SEND_WITH_RECEIPTS, &[body]);
        assert_eq!(ids(&hello(&victorylink())), [Some(OURS)], "{body}");
    }
}

#[test]
fn every_code_has_its_class() {
    for (number, expected, ours) in [
        (-1, "unauthorized", "credentials"),
        (-2, "unauthorized", "ip_not_allowed"),
        (-3, "recipient", "blacklisted"),
        (-5, "forbidden", "out_of_credit"),
        (-6, "unavailable", "database_down"),
        (-7, "unauthorized", "account_inactive"),
        (-11, "unauthorized", "account_expired"),
        (-12, "rejected", "empty_text"),
        (-13, "rejected", "invalid_sender"),
        (-14, "unavailable", "try_again"),
        (-18, "recipient", "invalid_number"),
        (-19, "rejected", "duplicate_id"),
        (-21, "unauthorized", "invalid_account"),
        (-22, "rejected", "not_validated"),
        (-23, "rejected", "invalid_sender"),
        (-25, "limited", "limited"),
        (-26, "rejected", "bad_message_id"),
        (-29, "unauthorized", "credentials"),
        (-30, "rejected", "empty_sender"),
        (-100, "unavailable", "other"),
        (-77, "rejected", "unknown_code"),
        (3, "unavailable", "unknown_code"),
    ] {
        let provider = Provider::new();
        answers(&provider, SEND_WITH_RECEIPTS, &[&number.to_string()]);
        let failure = failure(hello(&victorylink()));
        assert_eq!((class(&failure), code(&failure)), (expected, ours), "{number}");
        let detail = failure.detail().unwrap();
        assert!(detail.message.ends_with(&format!("({number})")) && detail.message.len() > 20, "{}", detail.message);
        assert_eq!(detail.extras, [Field::new("code", number.to_string())]);
        if let Failure::Limited(retry) = failure {
            assert_eq!(retry.after_ms, Some(30_000.0));
        }
    }
}

#[test]
fn a_status_that_is_no_success_says_what_happens_next() {
    for (status, body, expected) in [
        (401, "", "unauthorized"),
        (403, "{\"Message\":\"denied\"}", "unauthorized"),
        (429, "", "limited"),
        (400, "{\"Message\":\"The request is invalid.\"}", "rejected"),
        (404, "<html>not here</html>", "rejected"),
        (500, "<html>error</html>", "unavailable"),
        (503, "", "unavailable"),
        (400, "-13", "rejected"),
        (500, "\"-1\"", "unauthorized"),
    ] {
        let provider = Provider::new();
        provider.on(SEND_WITH_RECEIPTS).answer_bytes(status, "text/html", body);
        assert_eq!(class(&failure(hello(&victorylink()))), expected, "{status} {body}");
    }
}

#[test]
fn a_message_that_broke_off_is_sent_again_and_known_is_then_accepted() {
    let provider = Provider::new();
    provider.on(SEND_WITH_RECEIPTS).broken("reset");
    assert_eq!(class(&failure(hello(&victorylink()))), "unavailable", "the id makes it safe to repeat");
    answers(&provider, SEND_WITH_RECEIPTS, &["-19"]);
    let again = Call { attempt: 2, ..call(&victorylink()) };
    let sent = send(&again, message(NUMBER, "Hi"));
    assert_eq!((ids(&sent), extras(&sent)[1]), (vec![Some(OURS)], ("code", "-19")));
}

#[test]
fn a_doubt_is_remembered_even_where_the_attempts_are_counted_anew() {
    let provider = Provider::new();
    answers(&provider, SEND_WITH_RECEIPTS, &["<html>", "-19", "-19"]);
    assert_eq!(class(&failure(hello(&victorylink()))), "unavailable", "a success that isn't understood");
    assert_eq!(ids(&hello(&victorylink())), [Some(OURS)]);
    assert_eq!(code(&failure(hello(&victorylink()))), "duplicate_id", "and forgotten once it is settled");
}

#[test]
fn a_refusal_leaves_no_doubt() {
    let provider = Provider::new();
    answers(&provider, SEND_WITH_RECEIPTS, &["-25", "-19", "-5", "-19"]);
    for _ in 0..2 {
        failure(hello(&victorylink()));
        assert_eq!(class(&failure(hello(&victorylink()))), "rejected", "that id was another message's");
    }
}

// ---- Appgain ----

#[test]
fn appgain_gets_exactly_one_receiver() {
    let provider = Provider::new();
    provider.on(NOTIFY).answer(200, &json!({"status": "success", "message": "queued"}));
    let sent = send(&call(&appgain()), message("+20 0100 138 3533", "مرحبا"));
    assert_eq!(ids(&sent), [Some(OURS)]);
    assert_eq!(
        provider.requests()[0].json(),
        json!({"SMS": {"message": "مرحبا", "receivers": [{"userID": "201001383533", "mobileNum": "201001383533"}], "client_ref": OURS}})
    );
    assert_eq!(extras(&sent)[..3], [("conversation", NUMBER), ("encoding", "UCS-2"), ("chars", "5")]);
}

#[test]
fn a_campaign_and_a_user_are_named_where_they_are_known() {
    let mut settings = appgain();
    settings["campaign_name"] = json!("autumn");
    let request = |extras: Vec<Field>| {
        let provider = Provider::new();
        provider.on(NOTIFY).answer(200, &json!({"id": "n-1"}));
        assert_eq!(ids(&send(&call(&settings), Outbound { extras, ..message(NUMBER, "Hi") })), [Some("n-1")]);
        provider.requests()[0].json()
    };
    assert_eq!(request(vec![])["campaign_name"], "autumn");
    let named = request(vec![Field::new("campaign_name", "winter"), Field::new("user_id", "u7")]);
    assert_eq!((&named["campaign_name"], &named["SMS"]["receivers"][0]["userID"]), (&json!("winter"), &json!("u7")));
}

#[test]
fn an_id_of_appgains_stands_beside_our_reference() {
    let provider = Provider::new();
    provider.on(NOTIFY).answer(200, &json!({"data": {"id": "n-1"}}));
    let sent = hello(&appgain());
    assert_eq!((ids(&sent), extras(&sent)[0]), (vec![Some("n-1")], ("ref", OURS)));
}

#[test]
fn what_appgain_refuses_says_what_happens_next() {
    for (status, body, expected) in [
        (500, wrong_key(), "unauthorized"),
        (401, json!({"message": "app API key or user authentication required"}), "unauthorized"),
        (200, json!({"status": "Failed", "message": "no receivers"}), "rejected"),
        (400, json!({"message": "message is required"}), "rejected"),
        (429, json!({"retry_after": 9}), "limited"),
        (500, json!({"status": "Failed", "message": "something went wrong"}), "unavailable"),
        (502, json!("Bad Gateway"), "uncertain"),
    ] {
        let provider = Provider::new();
        provider.on(NOTIFY).answer(status, &body);
        assert_eq!(class(&failure(hello(&appgain()))), expected, "{status} {body}");
    }
    let provider = Provider::new();
    provider.on(NOTIFY).broken("reset");
    provider.on(NOTIFY).not_sent("dns");
    assert_eq!([(); 2].map(|()| class(&failure(hello(&appgain())))), ["uncertain", "unavailable"], "Appgain knows no id of ours");
}

// ---- both ----

#[test]
fn what_is_wrong_is_refused_before_anybody_is_asked() {
    let _nobody = Provider::new();
    for settings in [victorylink(), appgain()] {
        let wrong = |to: &str, text: &str| failure(send(&call(&settings), message(to, text)));
        assert_eq!(pointers(&wrong("1234567", "Hi")), ["/to"]);
        assert_eq!(pointers(&wrong("1234567890123456", "Hi")), ["/to"]);
        assert_eq!(pointers(&wrong("", "Hi")), ["/to"]);
        assert_eq!(pointers(&wrong(NUMBER, "")), ["/content/0/text"]);
        assert_eq!(pointers(&wrong(NUMBER, &"a".repeat(1601))), ["/content/0/text"]);
    }
}

#[test]
fn plain_punctuation_goes_out_where_it_is_asked_for() {
    for (smart, text) in [(true, "It's \"on\"..."), (false, "It’s “on”…")] {
        let mut settings = victorylink();
        settings["smart_encoding"] = json!(smart);
        let provider = Provider::new();
        answers(&provider, SEND_WITH_RECEIPTS, &["0"]);
        ids(&send(&call(&settings), message(NUMBER, "It’s “on”…")));
        assert_eq!(provider.requests()[0].json()["SMSText"], text);
    }
}
