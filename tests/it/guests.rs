//! Plugins in Rust, JavaScript and Python: the example channels of `plugins/examples` against the stand-in of their provider, and what
//! `patchbay plugin new` makes of them.

mod project;

use std::{path::PathBuf, process::Command};

use patchbay::conformance::Suite;
use patchbay_providers::{
    Acme, Failure, Moment,
    acme::{TOKEN, WORKSPACE},
};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both, channel_type, eventually, plugin_file, root};

const MESSAGES: &str = "POST /v1/messages";

fn example(language: &str) -> String {
    format!("examples/acme-{language}")
}

/// A runtime of 20 MB takes an unoptimised compiler half a minute, and more where other tests run beside it.
fn patient(settings: Settings) -> Settings {
    settings.line("plugins.compile_timeout_s = 600")
}

async fn connected(database: Database, language: &str) -> (Gateway, Acme, String) {
    let (acme, plugin) = (Acme::start().await, example(language));
    let settings = patient(Settings::default().without_plugin().channel(&plugin)).line("outbox.retry_s = [1, 1, 1]");
    let gateway = Gateway::start(database, settings.redirecting("api.acme-chat.example", &acme.url())).await;
    let account = gateway.create(&channel_type(&plugin), json!({"token": TOKEN, "signature": "Acme Shop"})).await;
    let after = gateway.connect(&account, json!({})).await;
    assert_eq!(
        (&after["connection"], &after["external_id"], &after["facts"]["plan"]),
        (&json!("connected"), &json!(WORKSPACE), &json!("team")),
        "{after}"
    );
    (gateway, acme, account)
}

/// Connect, send, receive, receipts, each way to fail, health: the same for every language.
async fn does_all_of_it(database: Database, language: &str) {
    let (gateway, acme, account) = connected(database, language).await;
    sends(&gateway, &acme, &account).await;
    receives(&gateway, &acme, &account).await;
    fails_as_the_provider_does(&gateway, &acme, &account).await;
    tells_its_health(&gateway, &acme, &account).await;
}

async fn sends(gateway: &Gateway, acme: &Acme, account: &str) {
    gateway.send(account, "user_7", json!({"type": "text", "text": "Hi Mona"}), "sent").await;
    let picture = json!({"type": "media", "kind": "image", "url": "https://shop.example/cat.png", "caption": "A cat"});
    gateway.send(account, "user_7", picture, "sent").await;
    let buttons = json!({"type": "interactive", "body": "Which size?", "buttons": [{"title": "Small", "reply": "small"}]});
    gateway.send(account, "user_7", buttons, "sent").await;
    let sent = acme.sent();
    assert_eq!(sent[0]["text"], "Hi Mona\n\nAcme Shop");
    assert_eq!((&sent[1]["media"]["kind"], &sent[1]["text"]), (&json!("image"), &json!("A cat")), "{sent:#?}");
    assert!(sent[1]["media"]["url"].as_str().is_some_and(|url| url.starts_with("http")), "{sent:#?}");
    assert_eq!(sent[2]["buttons"], json!([{"id": "small", "title": "Small"}]));
}

async fn receives(gateway: &Gateway, acme: &Acme, account: &str) {
    let (delivery, id) = acme.say("user_7", "Mona", "How much is it?").await;
    assert!(delivery.delivered, "{delivery:?}");
    // The provider tells it again, in another event beside a new one.
    let again = json!({"type": "message", "message": {"id": id, "from": {"id": "user_7", "name": "Mona"}, "text": "How much is it?"}});
    let pressed = json!({"type": "pressed", "from": {"id": "user_7", "name": "Mona"}, "message_id": "msg_9", "button": {"id": "small", "title": "Small"}});
    let echo = json!({"type": "echo", "message": {"id": "elsewhere_1", "to": {"id": "user_7", "name": "Mona"}, "text": "5 pounds"}});
    assert!(acme.push(vec![again, pressed, echo]).await.delivered);
    let received = gateway.received(account).await;
    // A button that was pressed is a message, too.
    let asked = received.iter().filter(|message| message["content"][0]["text"] == "How much is it?");
    assert_eq!((asked.count(), received.len()), (1, 2), "each once: {received:#?}");
    let written = gateway.get(&format!("/rest/v1/messages?channel_account_id={account}&direction=outbound")).await.expect_status(200);
    assert!(written.as_array().unwrap().iter().any(|message| message["echo"] == true), "{written:#}");
    // Whoever doesn't know the secret isn't believed; what can't be read is kept, and the provider needn't tell it again.
    let forged =
        reqwest::Client::new().post(format!("{}/webhooks/{account}", gateway.url)).header("x-acme-signature", "00").body("{\"events\":[]}");
    assert_eq!(forged.send().await.unwrap().status(), 401);
    assert!(acme.push_raw("{\"events\":").await.delivered);
    let kept = gateway.get(&format!("/rest/v1/webhook_deliveries?channel_account_id={account}&state=failed")).await.expect_status(200);
    assert_eq!(kept.as_array().map(Vec::len), Some(1), "{kept:#}");

    let message = gateway.send(account, "user_7", json!({"type": "text", "text": "5 pounds"}), "sent").await;
    let external_id = acme.sent().pop().unwrap()["id"].clone();
    for state in ["delivered", "read"] {
        assert!(acme.push(vec![json!({"type": "receipt", "message_id": external_id, "state": state})]).await.delivered);
    }
    gateway.message(message["id"].as_str().unwrap(), "read").await;
}

async fn fails_as_the_provider_does(gateway: &Gateway, acme: &Acme, account: &str) {
    let text = json!({"type": "text", "text": "Hi"});
    // What passes is tried again …
    let too_fast = Failure::error(MESSAGES, 429, "too_many_requests");
    acme.fail(Failure { parameters: Some(json!({"retry_after": 1})), ..too_fast });
    acme.fail(Failure::error(MESSAGES, 500, "internal"));
    let before = acme.requests_of(MESSAGES).len();
    gateway.send(account, "user_7", text.clone(), "sent").await;
    assert_eq!(acme.requests_of(MESSAGES).len(), before + 3);
    // … what doesn't is told as what it is …
    for (to, class) in [("blocked_1", "recipient"), ("silent_1", "window_closed"), ("unknown_1", "recipient")] {
        let failed = settled(gateway, account, to, &text).await;
        assert_eq!((&failed["state"], &failed["failure"]["class"]), (&json!("failed"), &json!(class)), "{failed}");
    }
    // … and a doubt stays one: the provider has it, and it isn't sent twice.
    let before = acme.sent().len();
    acme.fail(Failure::cut(MESSAGES, Moment::After));
    let doubtful = settled(gateway, account, "user_7", &text).await;
    assert_eq!((&doubtful["state"], acme.sent().len()), (&json!("uncertain"), before + 1), "{doubtful}");
}

/// Sends; answers the message once it isn't queued any more.
async fn settled(gateway: &Gateway, account: &str, to: &str, content: &Value) -> Value {
    let request = json!({"channel_account_id": account, "to": to, "content": [content]});
    let queued = gateway.post("/rest/v1/messages", request).await.expect_status(202);
    let path = format!("/rest/v1/messages/{}", queued["id"].as_str().unwrap());
    eventually("the message is settled", || async {
        let message = gateway.get(&path).await.expect_status(200);
        (message["state"] != "queued").then_some(message)
    })
    .await
}

async fn check(gateway: &Gateway, account: &str) -> Value {
    gateway.post(&format!("/rest/v1/channel_accounts/{account}/health"), json!({})).await.expect_status(200)
}

async fn tells_its_health(gateway: &Gateway, acme: &Acme, account: &str) {
    check(gateway, account).await;
    assert_eq!(gateway.account(account).await["connection"], "connected");
    acme.fail(Failure::error("GET /v1/me", 401, "invalid_token"));
    check(gateway, account).await;
    let stands = gateway.account(account).await;
    assert_eq!(stands["connection"], "needs_reauth", "{stands}");
    gateway.connect(account, json!({})).await;
    assert_eq!(gateway.account(account).await["connection"], "connected");
}

async fn rust_does_all_of_it(database: Database) {
    does_all_of_it(database, "rust").await;
}

async fn javascript_does_all_of_it(database: Database) {
    does_all_of_it(database, "javascript").await;
}

async fn python_does_all_of_it(database: Database) {
    does_all_of_it(database, "python").await;
}

/// An exception costs the call alone, and its text and place are in the account's log.
async fn tells_of_an_exception(database: Database, language: &str, text: &str, place: &str) {
    let (gateway, acme, account) = connected(database, language).await;
    acme.fail(Failure { body: Some("null".to_owned()), ..Failure::status("GET /v1/me", 200) });
    check(&gateway, &account).await;
    let line = eventually("the exception is in the log", || async {
        gateway
            .logged(&account, "plugin")
            .await
            .into_iter()
            .find(|line| line["message"].as_str().is_some_and(|message| message.contains(text)))
    })
    .await;
    assert_eq!(line["level"], "error", "{line}");
    assert!(line["details"].to_string().contains(place), "{line}");
    gateway.send(&account, "user_7", json!({"type": "text", "text": "Hi"}), "sent").await;
}

async fn an_exception_in_javascript_is_told(database: Database) {
    tells_of_an_exception(database, "javascript", "TypeError", "health").await;
}

async fn an_exception_in_python_is_told(database: Database) {
    tells_of_an_exception(database, "python", "AttributeError", "connecting.py").await;
}

both! {
    rust_does_all_of_it,
    javascript_does_all_of_it,
    python_does_all_of_it,
    an_exception_in_javascript_is_told,
    an_exception_in_python_is_told,
}

async fn keeps_the_contract(language: &str) {
    let component = std::fs::read(plugin_file(&format!("{}.wasm", example(language)))).unwrap();
    let folder: PathBuf = root().join("plugins/examples").join(language);
    let report = patchbay::conformance::run(&component, Suite::from_folder(&folder).unwrap()).await.unwrap();
    assert!(report.passed > 50, "{report:?}");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_rust_keeps_the_contract() {
    keeps_the_contract("rust").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_javascript_keeps_the_contract() {
    keeps_the_contract("javascript").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_keeps_the_contract() {
    keeps_the_contract("python").await;
}

/// What editors and unit tests read in place of componentize-py's own modules.
#[test]
fn the_bindings_of_the_python_sdk_are_those_of_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let (wit, made) = (folder.path().join("wit"), folder.path().join("made"));
    std::fs::create_dir_all(&wit).unwrap();
    for entry in std::fs::read_dir(root().join("wit")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "wit") {
            std::fs::copy(&file, wit.join(file.file_name().unwrap())).unwrap();
        }
    }
    let tools = Command::new(root().join("plugins/guest-tools.sh")).arg("python").output().unwrap();
    let program = format!("{}/bin/componentize-py", String::from_utf8(tools.stdout).unwrap().trim());
    let bound = Command::new(program).arg("-q").arg("-d").arg(&wit).args(["-w", "plugin-full", "bindings"]).arg(&made).status().unwrap();
    assert!(bound.success());
    let ours = root().join("plugins/sdk-python/bindings");
    let mut compared = 0;
    for part in ["wit_world", "wit_world/imports", "wit_world/exports", "."] {
        for entry in std::fs::read_dir(ours.join(part)).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "py") {
                let theirs = std::fs::read_to_string(made.join(file.strip_prefix(&ours).unwrap())).unwrap();
                assert_eq!(std::fs::read_to_string(&file).unwrap(), theirs, "{}", file.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 10, "{compared}");
}
