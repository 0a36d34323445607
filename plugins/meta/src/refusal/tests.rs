use super::*;
use patchbay_plugin::testing::Provider;
use serde_json::json;

use crate::graph::Graph;

fn refusal(code: i64, subcode: i64, status: u16) -> Refusal {
    let mut refusal =
        Refusal::of_error(&json!({"message": "(#1) words", "type": "OAuthException", "code": code, "error_subcode": subcode}));
    refusal.status = status;
    refusal
}

fn case(failure: &Failure) -> &'static str {
    match failure {
        Failure::Invalid(_) => "invalid",
        Failure::Unauthorized(_) => "unauthorized",
        Failure::Forbidden(_) => "forbidden",
        Failure::Limited(retry) if retry.detail.code == CONVERSATION_LIMITED => "conversation-limited",
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
fn every_code_has_its_class() {
    let classes: [(&str, &[(i64, i64)]); 8] = [
        (
            "unauthorized",
            &[(0, 0), (190, 0), (190, 458), (190, 459), (190, 460), (190, 463), (190, 464), (190, 467), (190, 492), (190, 7), (102, 0)],
        ),
        ("forbidden", &[(3, 0), (10, 0), (10, 5), (200, 0), (210, 0), (230, 0), (299, 0), (131_005, 0), (131_031, 0), (368, 0)]),
        (
            "limited",
            &[
                (4, 0),
                (17, 0),
                (32, 0),
                (613, 0),
                (80_001, 0),
                (80_002, 0),
                (80_006, 0),
                (80_007, 0),
                (80_008, 0),
                (341, 0),
                (130_429, 0),
                (131_048, 0),
                (131_064, 0),
                (133_016, 0),
                (132_069, 0),
                (138_013, 0),
                (10, 1_893_063),
            ],
        ),
        ("conversation-limited", &[(131_056, 0)]),
        (
            "recipient",
            &[
                (131_026, 0),
                (131_021, 0),
                (131_030, 0),
                (130_497, 0),
                (131_062, 0),
                (137_000, 0),
                (131_050, 0),
                (100, 2_018_001),
                (100, 2_534_014),
                (551, 0),
                (551, 1_545_041),
                (200, 1_545_041),
                (10, 2_018_108),
                (200, 2_018_028),
            ],
        ),
        (
            "window-closed",
            &[(131_047, 0), (131_047, 2_494_010), (470, 0), (10, 2_018_278), (10, 2_018_065), (10, 2_534_022), (10, 2_018_300)],
        ),
        (
            "rejected",
            &[
                (1, 1_357_046),
                (1, 99),
                (2500, 0),
                (33, 0),
                (100, 0),
                (100, 33),
                (100, 2_018_047),
                (100, 2_018_109),
                (803, 0),
                (131_008, 0),
                (131_009, 0),
                (131_051, 0),
                (131_052, 0),
                (131_037, 0),
                (131_042, 0),
                (131_045, 0),
                (130_472, 0),
                (131_049, 0),
                (131_063, 0),
                (132_000, 0),
                (132_001, 0),
                (132_005, 0),
                (132_007, 0),
                (132_008, 0),
                (132_012, 0),
                (132_015, 0),
                (132_016, 0),
                (132_068, 0),
                (133_005, 0),
                (133_006, 0),
                (133_008, 0),
                (133_009, 0),
                (133_010, 0),
                (133_015, 0),
                (139_001, 0),
                (2_388_023, 0),
                (2, 2_018_344),
                (2_534_122, 0),
                (100, 2_534_029),
            ],
        ),
        ("unavailable", &[(1, 0), (2, 0), (1200, 0), (131_000, 0), (131_016, 0), (131_057, 0), (133_004, 0), (135_000, 0), (2_494_100, 0)]),
    ];
    for (expected, codes) in classes {
        for (code, subcode) in codes {
            assert_eq!(case(&refusal(*code, *subcode, 400).failure()), expected, "{code}/{subcode}");
        }
    }
}

#[test]
fn the_code_comes_before_the_status_and_then_is_transient_and_then_the_status() {
    assert_eq!(case(&refusal(131_026, 0, 500).failure()), "recipient");
    let transient = Refusal::of_error(&json!({"code": 987_654, "is_transient": true}));
    assert_eq!(case(&transient.failure()), "unavailable");
    for (status, expected) in [
        (400, "rejected"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "rejected"),
        (429, "limited"),
        (500, "unavailable"),
        (504, "unavailable"),
    ] {
        let bare = Refusal { status, ..Refusal::of_error(&Value::Null) };
        assert_eq!(case(&bare.failure()), expected, "{status}");
        assert_eq!(bare.failure().detail().map(|detail| detail.code.clone()), Some(format!("http_{status}")));
    }
}

#[test]
fn an_invalid_number_is_the_recipients_fault() {
    let error =
        json!({"code": 100, "message": "(#100) Invalid parameter", "error_data": {"details": "Parameter 'to' is not a phone number"}});
    assert_eq!(case(&Refusal::of_error(&error).failure()), "recipient");
}

#[test]
fn the_words_tell_what_meta_said_and_what_to_do() {
    let error = json!({"message": "(#131047) Re-engagement message", "type": "OAuthException", "code": 131_047, "error_data": {"details": "too late"},
        "error_user_title": "Sorry", "error_user_msg": "write again", "fbtrace_id": "AbC"});
    let Failure::WindowClosed(detail) = Refusal::of_error(&error).failure() else { panic!("not closed") };
    assert_eq!(detail.code, "131047");
    assert!(detail.message.contains("Re-engagement") && detail.message.contains("24 hours") && detail.message.contains("too late"));
    let extras: Vec<&str> = detail.extras.iter().map(|field| field.value.as_str()).collect();
    assert_eq!(extras, ["Sorry: write again", "OAuthException", "AbC"]);
    assert_eq!(Refusal::of_error(&json!({"code": 1, "error_data": "plain"})).details, "plain");
}

fn wait(failure: &Failure) -> Option<f64> {
    match failure {
        Failure::Limited(retry) => retry.after_ms,
        other => panic!("not limited: {other:?}"),
    }
}

#[test]
fn a_limit_without_a_header_waits_longer_each_time() {
    let _world = Provider::new();
    let again = |code| wait(&refusal(code, 0, 400).on(Occasion::default()));
    assert_eq!([4, 4, 4, 4, 4, 4, 4].map(again), [30e3, 60e3, 120e3, 240e3, 480e3, 900e3, 900e3].map(Some));
    assert_eq!(again(131_048), Some(3_600e3));
    let pair = |recipient| wait(&refusal(131_056, 0, 400).on(Occasion { attempt: 1, recipient }));
    assert_eq!(["a", "a", "b", "a"].map(pair), [4e3, 16e3, 4e3, 64e3].map(Some));
}

#[test]
fn a_header_says_how_long() {
    let provider = Provider::new();
    let usage = r#"{"123": [{"type": "messenger", "call_count": 100, "estimated_time_to_regain_access": 3}, {"estimated_time_to_regain_access": "7"}]}"#;
    assert_eq!(wait::business_usage_ms(usage), Some(7.0 * 60e3));
    assert_eq!(["", "[]", "{}", r#"{"1": [{"estimated_time_to_regain_access": 0}]}"#].map(wait::business_usage_ms), [None; 4]);
    provider.on("GET graph /v26.0/x").answer(400, &json!({"error": {"code": 4}}));
    assert_eq!(Graph::new("graph", "v26.0").get("x").send().map_err(|trouble| wait(&trouble.into())), Err(Some(30e3)));
}

#[test]
fn what_may_be_tried_once_more_is_tried_once() {
    let _world = Provider::new();
    let tried = |attempt| case(&refusal(135_000, 0, 400).on(Occasion { attempt, recipient: "" }));
    assert_eq!([1, 2].map(tried), ["unavailable", "rejected"]);
}

#[test]
fn an_error_of_any_shape_is_read() {
    for odd in [
        json!(null),
        json!([]),
        json!("no"),
        json!(7),
        json!({"code": "190"}),
        json!({"code": 1e300, "error_data": []}),
        json!({"message": {}}),
    ] {
        let _ = Refusal::of_error(&odd).failure();
    }
    assert_eq!(Refusal::of_error(&json!({"code": "190"})).code, 190);
    assert_eq!(
        Refusal::of_error(&json!({"error_type": "OAuthException", "code": 400, "error_message": "Invalid code"})).message,
        "Invalid code"
    );
}
