use super::*;
use crate::Sms;
use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::Report;

fn report(settings: &Value) -> Result<Report, Failure> {
    Sms::health(&call(settings))
}

fn checks(report: &Report) -> Vec<(&str, bool)> {
    report.checks.iter().map(|check| (check.name.as_str(), check.ok)).collect()
}

#[test]
fn credit_is_a_fact_and_none_is_a_failed_check() {
    let provider = Provider::new();
    answers(&provider, CREDIT, &["<int xmlns=\"http://tempuri.org/\">99</int>", "12.5", "0"]);
    for (credit, ok) in [("99", true), ("12.5", true), ("0", false)] {
        let report = report(&victorylink()).unwrap();
        assert_eq!(checks(&report), [("credentials", true), ("credit", ok)]);
        assert_eq!(report.facts, [Field::new("credit", credit)]);
    }
}

#[test]
fn a_dead_credential_is_a_failure_and_no_check() {
    let provider = Provider::new();
    answers(&provider, CREDIT, &["-1", "-6", "NaN", "soon"]);
    provider.on(PROBE).answer(401, &json!({}));
    provider.on(PROBE).answer(429, &json!({"retry_after": 9}));
    assert_eq!(
        [(); 4].map(|()| class(&report(&victorylink()).unwrap_err())),
        ["unauthorized", "unavailable", "unavailable", "unavailable"]
    );
    assert_eq!([(); 2].map(|()| class(&report(&appgain()).unwrap_err())), ["unauthorized", "limited"]);
}

#[test]
fn appgain_is_well_when_it_takes_the_key() {
    let provider = Provider::new();
    provider.on(PROBE).answer(404, &json!({"message": "no such user"}));
    assert_eq!(checks(&report(&appgain()).unwrap()), [("credentials", true)]);
}
