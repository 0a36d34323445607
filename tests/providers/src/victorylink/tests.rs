//! The server as its users meet it: over HTTP.

use axum::http::Method;
use serde_json::{Value, json};

use super::*;
use crate::Failure;
use crate::hook::{Hook, client};

const NUMBER: &str = "201001383533";
const ID: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const SENDER: &str = "/VLSMSPlatformResellerAPI/NewSendingAPI/api/SMSSender";
const CREDIT: &str = "/VLSMSPlatformResellerAPI/CheckCreditApi/api/CheckCredit";
const STATUS: &str = "/VLSMSPlatformResellerAPI/CheckDLRStatus/api/CheckDLRStatus";

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn of(victorylink: &VictoryLink) -> Self {
        Self { http: client(), base: victorylink.url() }
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let response = self.http.post(format!("{}{path}", self.base)).json(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The code that a send with these changes is answered with.
    async fn send(&self, call: &str, changes: Value) -> String {
        let mut body = message();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (status, text) = self.post(&format!("{SENDER}/{call}"), &body).await;
        assert_eq!(status, 200, "{text}");
        text
    }

    async fn credit(&self) -> String {
        self.post(CREDIT, &json!({"UserName": USER, "Password": PASSWORD})).await.1
    }
}

fn message() -> Value {
    json!({"UserName": USER, "Password": PASSWORD, "SMSText": "Hi", "SMSLang": "E", "SMSSender": "Shop", "SMSReceiver": NUMBER, "SMSID": crate::desk::uuid()})
}

#[tokio::test]
async fn an_sms_is_sent_once_whatever_its_id_is_written_like() {
    let victorylink = VictoryLink::start().await;
    let client = Client::of(&victorylink);
    assert_eq!(client.send("SendSMS", json!({"SMSID": ID, "CampaignID": "c1"})).await, "0");
    assert_eq!(client.send("SendSMS", json!({"SMSID": ID})).await, "-19");
    assert_eq!(client.send("SendSMS", json!({"SMSID": ID.to_uppercase()})).await, "-19");
    let sent = victorylink.sent();
    assert_eq!((sent.len(), sent[0].to.as_str(), sent[0].campaign.as_deref(), sent[0].parts), (1, NUMBER, Some("c1"), 1));
    assert_eq!(client.credit().await, "999");
    assert_eq!(victorylink.requests_of("SendSMS")[0].text("SMSID"), ID);
}

#[tokio::test]
async fn each_field_has_the_code_that_refuses_it() {
    let victorylink = VictoryLink::start().await;
    let client = Client::of(&victorylink);
    let cases = [
        ("-1", json!({"Password": "wrong"})),
        ("-29", json!({"Password": ""})),
        ("-29", json!({"UserName": null})),
        ("-12", json!({"SMSText": ""})),
        ("-13", json!({"SMSSender": "A name that is too long"})),
        ("-23", json!({"SMSSender": ""})),
        ("-18", json!({"SMSReceiver": "+201001383533"})),
        ("-18", json!({"SMSReceiver": "01001383533"})),
        ("-26", json!({"SMSID": "msg-1"})),
        ("-26", json!({"SMSID": "6f9619ff8b864d01b42d00cf4fc964ff"})),
        ("-22", json!({"SMSLang": "en"})),
    ];
    for (code, changes) in cases {
        assert_eq!(client.send("SendSMS", changes.clone()).await, code, "{changes}");
    }
    assert_eq!(client.send("SendSMSWithDLR", json!({})).await, "-22", "no DLRURL");
    assert_eq!(client.send("SendSMSWithUserSMSIdAndValidity", json!({})).await, "-22", "no Validity");
    assert!(victorylink.sent().is_empty());
    assert_eq!(client.send("SendSMSWithUserSMSIdAndValidity", json!({"Validity": 60, "UserSMSId": ID})).await, "0");
    assert_eq!((victorylink.sent()[0].id.as_str(), victorylink.sent()[0].validity.as_deref()), (ID, Some("60")));
    let get = client.http.get(format!("{}{SENDER}/SendSMS", client.base)).send().await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    let form = client.http.post(format!("{}{SENDER}/SendSMS", client.base)).body("UserName=x").send().await.unwrap();
    assert_eq!(form.status().as_u16(), 415);
    assert_eq!(client.post("/VLSMSPlatformResellerAPI/other", &json!({})).await.0, 404);
}

#[tokio::test]
async fn every_code_comes_of_a_number() {
    let victorylink = VictoryLink::start().await;
    let client = Client::of(&victorylink);
    for code in codes::ALL {
        let changes = json!({"SMSReceiver": format!("20100000{:04}", 9000 - code), "DLRURL": "http://127.0.0.1:1/"});
        assert_eq!(client.send("SendSMSWithDLR", changes).await, code.to_string());
    }
    assert_eq!(victorylink.sent().len(), 1, "-10 alone was accepted");
    assert_eq!(client.send("SendSMS", json!({"SMSReceiver": "201000009016"})).await, "0", "without receipts it may");
    victorylink.set(|knobs| knobs.magic = false);
    assert_eq!(client.send("SendSMS", json!({"SMSReceiver": "201000009003"})).await, "0");
}

#[tokio::test]
async fn users_are_refused_as_they_are() {
    let victorylink = VictoryLink::start().await;
    let client = Client::of(&victorylink);
    let user = || User::new(USER, PASSWORD);
    victorylink.set_user(&User { refused_with: Some(-7), ..user() });
    assert_eq!((client.send("SendSMS", json!({})).await, client.credit().await), ("-7".into(), "-7".into()));
    victorylink.set_user(&User { dlr_allowed: false, senders: vec!["Shop".into()], ..user() });
    assert_eq!(client.send("SendSMSWithDLR", json!({"DLRURL": "http://127.0.0.1:1/"})).await, "-16");
    assert_eq!(client.send("SendSMS", json!({"SMSSender": "Other"})).await, "-13");
    assert_eq!(client.send("SendSMS", json!({})).await, "0");
    victorylink.set_user(&User { credit: 3, ..user() });
    assert_eq!(client.send("SendSMS", json!({"SMSText": "a".repeat(161)})).await, "0");
    assert_eq!(client.send("SendSMS", json!({"SMSText": "م".repeat(71), "SMSLang": "A"})).await, "-5", "one part is left");
    assert_eq!(client.send("SendSMS", json!({})).await, "0");
    assert_eq!((client.send("SendSMS", json!({})).await, client.credit().await), ("-5".into(), "0".into()));
    assert_eq!(victorylink.user(USER).unwrap().credit, 0);
}

#[tokio::test]
async fn what_gsm_has_not_is_garbled_as_english() {
    let victorylink = VictoryLink::start().await;
    let client = Client::of(&victorylink);
    client.send("SendSMS", json!({"SMSText": "مرحبا"})).await;
    client.send("SendSMS", json!({"SMSText": "مرحبا", "SMSLang": "A"})).await;
    client.send("SendSMS", json!({"SMSText": "5€ [x]"})).await;
    assert_eq!(victorylink.sent().iter().map(|sms| sms.garbled).collect::<Vec<_>>(), [true, false, false]);
}

#[tokio::test]
async fn receipts_come_by_get_and_are_tried_again() {
    let options = Options { receipt_gap: Duration::from_millis(5), ..Options::default() };
    let victorylink = VictoryLink::start_with(options).await.unwrap();
    let (client, hook) = (Client::of(&victorylink), Hook::start().await);
    victorylink.set(|knobs| knobs.receipt_delay_ms = 0);
    let dlr = json!({"DLRURL": hook.url, "SMSID": ID});
    hook.answer(&[500]);
    assert_eq!(client.send("SendSMSWithDLR", dlr).await, "0");
    let got = hook.wait_for(2).await;
    for got in &got {
        assert_eq!(got.method, Method::GET);
        assert_eq!(got.uri.to_string(), format!("/webhooks/acc/token?userSMSId={ID}&dlrResponseStatus=Delivered"));
    }
    let poll = |id: &str| json!({"UserName": USER, "Password": PASSWORD, "UserSMSId": id});
    assert_eq!(client.post(STATUS, &poll(ID)).await.1, "\"Delivered\"");
    assert_eq!(client.post(STATUS, &poll("other")).await.1, "-26");

    victorylink.set(|knobs| (knobs.receipts, knobs.receipt_numeric) = (Receipts::Before, true));
    assert_eq!(client.send("SendSMSWithDLR", json!({"DLRURL": format!("{}?t=1", hook.url)})).await, "0");
    let got = hook.got();
    assert_eq!(got.len(), 3, "before the answer");
    let query = got[2].uri.query().unwrap();
    assert!(query.starts_with("t=1&userSMSId=") && query.ends_with("&dlrResponseStatus=5"), "{query}");

    victorylink.set(|knobs| (knobs.receipts, knobs.receipt_numeric) = (Receipts::Off, false));
    assert_eq!(client.send("SendSMSWithDLR", json!({"DLRURL": hook.url})).await, "0");
    let id = victorylink.sent().last().unwrap().id.clone();
    assert_eq!(client.post(STATUS, &poll(&id)).await.1, "\"Submitted\"");
    assert!(victorylink.receipt(&id, "Undelivered").await.delivered);
    assert!(hook.got()[3].uri.query().unwrap().ends_with("=Undelivered"));
    assert!(!victorylink.receipt("none", "Delivered").await.delivered);

    victorylink.set(|knobs| knobs.receipts = Receipts::Before);
    client.send("SendSMSWithDLR", json!({"DLRURL": hook.url, "SMSReceiver": "201000001408"})).await;
    assert!(hook.got()[4].uri.query().unwrap().ends_with("=Expired"));
}

#[tokio::test]
async fn the_old_service_and_the_forms_of_its_numbers() {
    let victorylink = VictoryLink::start().await;
    let client = Client::of(&victorylink);
    let old = format!("{}/KannelSending/service.asmx", client.base);
    let query = [("UserName", USER), ("Password", PASSWORD)];
    let get = async || {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        client.http.get(format!("{old}/CheckCredit?{query}")).send().await.unwrap().text().await.unwrap()
    };
    let xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<int xmlns=\"http://tempuri.org/\">1000</int>";
    assert_eq!(get().await, xml);
    victorylink.set(|knobs| knobs.old_form = Form::Quoted);
    assert_eq!(get().await, "\"1000\"");
    let pairs =
        message().as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect::<Vec<_>>();
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let request = client.http.post(format!("{old}/SendSMS")).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(request.body(form).send().await.unwrap().text().await.unwrap(), "\"0\"");
    assert_eq!(victorylink.requests_of("asmx/SendSMS").len(), 1);
    let json = client.http.post(format!("{old}/SendSMS")).json(&message()).send().await.unwrap();
    assert_eq!(json.status().as_u16(), 500, "it wants a form");
    victorylink.set(|knobs| knobs.form = Form::Xml);
    assert!(client.credit().await.ends_with(">999</int>"));
}

#[tokio::test]
async fn failures_strike_and_strings_are_pulled() {
    let victorylink = VictoryLink::start().await;
    let client = Client::of(&victorylink);
    victorylink.fail_next("SendSMS", -25, 2);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(client.send("SendSMS", json!({})).await);
    }
    assert_eq!(answers, ["-25", "-25", "0"]);
    victorylink.fail(Failure::status("CheckCredit", 502));
    assert_eq!(client.post(CREDIT, &json!({})).await.0, 502);
    assert_eq!(client.post("/_standin/knobs", &json!({"receipts": "off"})).await.0, 200);
    assert_eq!(client.post("/_standin/knobs", &json!({"receipts": "maybe"})).await.0, 400);
    assert_eq!(client.post("/_standin/users", &json!({"name": "u2", "password": "p", "credit": 5})).await.0, 200);
    assert_eq!(client.post(CREDIT, &json!({"username": "u2", "password": "p"})).await.1, "5", "names in any case");
    assert_eq!(client.post("/_standin/receipt", &json!({"id": ID, "status": "Delivered"})).await.0, 404);
    assert_eq!(victorylink.requests_of("SendSMS").last().unwrap().status, 200);
}
