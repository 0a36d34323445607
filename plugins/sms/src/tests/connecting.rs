use super::*;
use crate::Sms;
use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Progress, Step};

fn run(step: Step, settings: &Value) -> Result<Outcome, Failure> {
    Sms::connect(&call(settings), Connecting { step, webhook_url: WEBHOOK.into(), state: None })
}

fn connected(settings: &Value) -> Connected {
    match run(Step::Start, settings).map(|outcome| outcome.progress) {
        Ok(Progress::Connected(connected)) => connected,
        other => panic!("not connected: {other:?}"),
    }
}

fn start(settings: &Value) -> Failure {
    run(Step::Start, settings).unwrap_err()
}

fn facts(connected: &Connected) -> Vec<(&str, &str)> {
    connected.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())).collect()
}

#[test]
fn victorylink_tells_the_credit_and_a_sender_is_an_account_of_its_own() {
    let provider = Provider::new();
    provider.secret("password", "pw");
    answers(&provider, CREDIT, &["\"1250\""]);
    let connected = connected(&victorylink());
    assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), ("acme/ACME", "ACME (VictoryLink)"));
    assert_eq!(facts(&connected), [("provider", "VictoryLink"), ("sender_id", "ACME"), ("credit", "1250")]);
    assert_eq!(provider.requests()[0].json(), json!({"UserName": "acme"}), "the gateway adds the password");
}

#[test]
fn appgain_is_asked_what_costs_nothing() {
    let provider = Provider::new();
    provider.secret("api_key", "k");
    for status in [200, 404, 500] {
        provider.on(PROBE).answer(status, &json!({"message": "no such user"}));
        let connected = connected(&appgain());
        assert_eq!((connected.external_id.as_str(), connected.display_name.as_str()), ("5db9", "SMS by Appgain Notify"), "{status}");
        assert_eq!(facts(&connected), [("provider", "Appgain Notify")]);
    }
}

#[test]
fn refused_credentials_are_said_to_be() {
    let provider = Provider::new();
    provider.secret("password", "pw");
    provider.secret("api_key", "k");
    answers(&provider, CREDIT, &["-1", "-2", "-7", "-14"]);
    let refused: Vec<_> = (0..4).map(|_| start(&victorylink())).map(|failure| (class(&failure), code(&failure).to_owned())).collect();
    let expected = [
        ("unauthorized", "credentials"),
        ("unauthorized", "ip_not_allowed"),
        ("unauthorized", "account_inactive"),
        ("unavailable", "try_again"),
    ];
    assert_eq!(refused, expected.map(|(class, code)| (class, code.to_owned())));
    provider.on(PROBE).answer(401, &json!({"message": "app API key or user authentication required"}));
    provider.on(PROBE).answer(500, &wrong_key());
    provider.on(PROBE).not_sent("dns");
    assert_eq!([(); 3].map(|()| class(&start(&appgain()))), ["unauthorized", "unauthorized", "unavailable"]);
}

#[test]
fn a_secret_that_is_missing_or_too_much_is_named_before_anybody_is_asked() {
    let provider = Provider::new();
    assert_eq!(pointers(&start(&appgain())), ["/api_key"]);
    assert_eq!(pointers(&start(&victorylink())), ["/password"]);
    provider.secret("webhook_secret", "s");
    assert_eq!(pointers(&start(&victorylink())), ["/password", "/webhook_secret"]);
    provider.secret("api_key", "k");
    provider.on(PROBE).answer(404, &json!({}));
    assert!(run(Step::Tick, &appgain()).is_ok(), "Appgain signs its webhooks");
}

#[test]
fn disconnecting_has_nobody_to_tell() {
    let _nobody = Provider::new();
    assert!(run(Step::Disconnect, &victorylink()).is_ok() && run(Step::Disconnect, &appgain()).is_ok());
}
