//! Plugins while the gateway runs: added, swapped, rolled back, broken.

use serde_json::{Value, json};

use crate::harness::{BOT, Bench, Database, Gateway, MONA, Settings, both, eventually, plugin_file};

fn update(n: i64) -> Value {
    json!({"update_id": n, "message": {"message_id": n, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
           "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": format!("message {n}")}})
}

async fn running_version(gateway: &Gateway) -> Option<String> {
    let plugins = gateway.get("/admin/v1/plugins").await.expect_status(200);
    plugins["types"].as_array().unwrap().iter().find(|active| active["type"] == "TELEGRAM")?["version"].as_str().map(str::to_owned)
}

async fn a_channel_type_is_added_to_the_running_gateway(database: Database) {
    let gateway = Gateway::start(database, Settings::default().without_plugin()).await;
    assert!(gateway.get("/rest/v1/channel_types").await.expect_status(200).as_array().unwrap().is_empty());
    let component = std::fs::read(plugin_file("telegram.wasm")).unwrap();
    let installed = gateway.upload("/admin/v1/plugins", "application/wasm", component.clone()).await.expect_status(201);
    assert_eq!(installed["type"], "TELEGRAM");
    let types = gateway.get("/rest/v1/channel_types").await.expect_status(200);
    assert_eq!(types[0]["plugin"]["state"], "running");
    assert!(types[0]["settings_schema"]["properties"]["bot_token"]["writeOnly"].as_bool().unwrap());
    assert!(types[0]["capabilities"]["content"]["poll"].is_object());
    let again = gateway.upload("/admin/v1/plugins", "application/wasm", component).await.expect_status(200);
    assert_eq!(again["changed"], false);
}

async fn a_file_replaced_in_the_folder_is_swapped_in_and_rolled_back(database: Database) {
    let mut bench = Bench::connected(database).await;
    assert_eq!(running_version(&bench.gateway).await.as_deref(), Some("0.1.0"));
    std::fs::copy(plugin_file("swap/telegram.wasm"), bench.gateway.data.join("plugins/telegram.wasm")).unwrap();
    eventually("the new version runs", || async { (running_version(&bench.gateway).await? == "0.1.1").then_some(()) }).await;
    bench.push(update(1)).await;
    let rolled = bench.gateway.post("/admin/v1/plugins/TELEGRAM/rollback", json!({})).await.expect_status(200);
    assert_eq!(rolled["version"], "0.1.0");
    bench.push(update(2)).await;
    assert_eq!(bench.messages("inbound").await.len(), 2);
    bench.gateway.stop();
    bench.gateway.start_again();
    assert_eq!(running_version(&bench.gateway).await.as_deref(), Some("0.1.0"), "a rollback survives a restart");
}

async fn a_broken_plugin_is_listed_and_the_old_one_goes_on(database: Database) {
    let bench = Bench::connected(database).await;
    let error = bench.gateway.upload("/admin/v1/plugins", "application/wasm", b"\0asm nonsense".to_vec()).await.expect_status(422);
    assert_eq!(error["code"], "plugin_refused");
    // Half a component, as a copy that broke off leaves it.
    let whole = std::fs::read(plugin_file("swap/telegram.wasm")).unwrap();
    std::fs::write(bench.gateway.data.join("plugins/telegram.wasm"), &whole[..whole.len() / 2]).unwrap();
    eventually("both are listed as failed", || async {
        let plugins = bench.gateway.get("/admin/v1/plugins").await.expect_status(200);
        let failed: Vec<&Value> = plugins["versions"].as_array()?.iter().filter(|version| version["state"] == "failed").collect();
        assert!(failed.iter().all(|version| version["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
        (failed.len() == 2).then_some(())
    })
    .await;
    assert_eq!(running_version(&bench.gateway).await.as_deref(), Some("0.1.0"));
    bench.push(update(1)).await;
    assert_eq!(bench.messages("inbound").await.len(), 1);
    bench.gateway.post("/admin/v1/plugins/TELEGRAM/rollback", json!({})).await.expect_status(409);
    bench.gateway.post("/admin/v1/plugins/PIGEON/rollback", json!({})).await.expect_status(404);
}

async fn a_swap_under_load_loses_nothing_and_doubles_nothing(database: Database) {
    const PUSHES: i64 = 300;
    let bench = Bench::connected(database).await;
    let versions = [std::fs::read(plugin_file("swap/telegram.wasm")).unwrap(), std::fs::read(plugin_file("telegram.wasm")).unwrap()];
    let swaps = async {
        for n in 0..10 {
            let component = versions[n % 2].clone();
            let answer = bench.gateway.upload("/admin/v1/plugins", "application/wasm", component).await;
            assert!(matches!(answer.status, 200 | 201), "{:#}", answer.body);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let pushes = async {
        for n in 1..=PUSHES {
            let delivery = bench.telegram.push(BOT, update(n)).await;
            assert_eq!(delivery.status, Some(200), "{delivery:?}");
        }
    };
    let sends = async {
        let mut ids = Vec::new();
        for n in 0..40 {
            ids.push(
                bench
                    .enqueue(json!({"to": (MONA + 1 + n % 4).to_string(), "content": {"type": "text", "text": format!("send {n}")}}))
                    .await,
            );
        }
        ids
    };
    let ((), (), ids) = futures::join!(swaps, pushes, sends);
    assert_eq!(bench.messages("inbound").await.len(), usize::try_from(PUSHES).unwrap());
    for id in &ids {
        assert_eq!(bench.settled(id).await["state"], "sent");
    }
    let mut texts: Vec<String> = bench.telegram.requests_of("sendMessage").iter().map(|sent| sent.text("text")).collect();
    assert_eq!(texts.len(), ids.len(), "each reached the provider once");
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), ids.len());
}

both! {
    a_channel_type_is_added_to_the_running_gateway,
    a_file_replaced_in_the_folder_is_swapped_in_and_rolled_back,
    a_broken_plugin_is_listed_and_the_old_one_goes_on,
    a_swap_under_load_loses_nothing_and_doubles_nothing,
}
