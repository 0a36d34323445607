//! The way in of a component: signatures, imports, conformance, approvals, revocations; and a crash in the middle of it.

mod pigeon;

use patchbay::manifest::{Manifest, embed};
use patchbay::signing::new_key;
use reqwest::Method;
use serde_json::{Value, json};

use self::pigeon::{Pigeon, key_of, signed};
use crate::harness::{Database, Gateway, Nodes, PATIENCE, Settings, both, eventually, eventually_within, plugin_file};

fn settings() -> Settings {
    Settings::default().without_plugin()
}

async fn upload(gateway: &Gateway, component: &[u8]) -> crate::harness::Answer {
    gateway.upload("/admin/v1/plugins", "application/wasm", component.to_vec()).await
}

async fn version(gateway: &Gateway, digest: &str) -> Value {
    gateway.get(&format!("/admin/v1/plugins/versions/{digest}")).await.expect_status(200)
}

/// The version that runs for pigeons.
async fn running(gateway: &Gateway) -> Option<String> {
    let plugins = gateway.get("/admin/v1/plugins").await.expect_status(200);
    plugins["types"].as_array().unwrap().iter().find(|active| active["type"] == "PIGEON")?["version"].as_str().map(str::to_owned)
}

/// From → to, oldest first.
fn moves_of(version: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("·").to_owned();
    version["moves"].as_array().unwrap().iter().map(|made| format!("{} → {}", word(&made["from"]), word(&made["to"]))).collect()
}

async fn unsigned_components_come_only_by_ways_that_allow_it(database: Database) {
    let gateway = Gateway::start(database, settings().line("plugins.unsigned = []")).await;
    let unsigned = Pigeon::default().component();
    let refused = upload(&gateway, &unsigned).await.expect_status(422);
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("isn't signed") && message.contains("plugins.unsigned") && message.contains("upload"), "{message}");
    // The folder behaves alike.
    std::fs::write(gateway.data.join("plugins/other.wasm"), Pigeon::named("Another pigeon").component()).unwrap();
    let failed = eventually("the folder's is refused", || async {
        let versions = gateway.get("/admin/v1/plugins/versions?state=failed").await.expect_status(200);
        versions.as_array()?.iter().find(|version| version["source"] == "folder: other.wasm").cloned()
    })
    .await;
    assert_eq!((&failed["step"], &failed["actor"]["kind"]), (&json!("signature"), &json!("folder")));
    assert_eq!(running(&gateway).await, None);

    let key = new_key(None).unwrap();
    let component = signed(&unsigned, &key, "release 1");
    let message = upload(&gateway, &component).await.expect_status(422)["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&key.public.id().to_string()) && message.contains("isn't trusted"), "{message}");
    let added = json!({"name": "release", "public_key": key.public.to_string()});
    gateway.post("/admin/v1/plugin_keys", added.clone()).await.expect_status(201);
    assert_eq!(gateway.post("/admin/v1/plugin_keys", added).await.expect_status(409)["code"], "key_known");
    let installed = upload(&gateway, &component).await.expect_status(201);
    assert_eq!((&installed["signed"], &installed["state"]), (&json!(true), &json!("ready")));
    let shown = version(&gateway, installed["digest"].as_str().unwrap()).await;
    let signature = &shown["signatures"][0];
    assert_eq!((&signature["key"], &signature["trusted"], &signature["comment"]), (&json!("release"), &json!(true), &json!("release 1")));
    assert_eq!(moves_of(&shown), ["· → examining", "examining → failed", "failed → examining", "examining → ready", "ready → active"]);
    std::fs::write(gateway.data.join("plugins/other.wasm"), signed(&Pigeon::version("1.0.1").component(), &key, "")).unwrap();
    eventually("the folder's signed one runs", || async { (running(&gateway).await? == "1.0.1").then_some(()) }).await;
}

async fn a_component_that_was_changed_after_it_was_signed_is_refused_everywhere(database: Database) {
    // Even where nobody asks for signatures.
    let key = new_key(None).unwrap();
    let trusted = format!("plugins.trusted_keys.configured = {:?}", key.public.to_string());
    let gateway = Gateway::start(database, settings().line(&trusted)).await;
    let component = signed(&Pigeon::named("Honest").component(), &key, "");
    let at = component.windows(6).position(|window| window == b"Honest").unwrap();
    let mut tampered = component.clone();
    tampered[at..at + 6].copy_from_slice(b"Hacked");
    let message = upload(&gateway, &tampered).await.expect_status(422)["message"].as_str().unwrap().to_owned();
    assert!(message.contains("changed after it was signed"), "{message}");
    let keys = gateway.get("/admin/v1/plugin_keys").await.expect_status(200);
    assert_eq!((&keys[0]["name"], &keys[0]["source"]), (&json!("configured"), &json!("configuration")));
    assert_eq!(upload(&gateway, &component).await.expect_status(201)["signatures"][0]["key"], "configured");
    // A stranger's signature is as good as none, and shown.
    let stranger = new_key(None).unwrap();
    let strange = upload(&gateway, &signed(&Pigeon::version("1.0.1").component(), &stranger, "")).await.expect_status(201);
    assert_eq!((&strange["signed"], &strange["signatures"][0]["trusted"]), (&json!(false), &json!(false)));
}

async fn what_a_revoked_key_alone_vouched_for_runs_no_more(database: Database) {
    let gateway = Gateway::start(database, settings()).await;
    let (key, other) = (new_key(None).unwrap(), new_key(None).unwrap());
    for (name, key) in [("lost", &key), ("kept", &other)] {
        gateway.post("/admin/v1/plugin_keys", json!({"name": name, "public_key": key.public.to_string()})).await.expect_status(201);
    }
    upload(&gateway, &signed(&Pigeon::version("1.0.0").component(), &other, "")).await.expect_status(201);
    // The next one was vouched for by both, the last by the lost key alone.
    let both = signed(&signed(&Pigeon::version("1.0.1").component(), &other, ""), &key, "");
    upload(&gateway, &both).await.expect_status(201);
    let alone = upload(&gateway, &signed(&Pigeon::version("1.0.2").component(), &key, "")).await.expect_status(201);
    assert_eq!(running(&gateway).await.as_deref(), Some("1.0.2"));
    let id = key.public.id().to_string();
    let revoked = gateway.delete(&format!("/admin/v1/plugin_keys/{id}?reason=laptop%20stolen")).await.expect_status(200);
    assert_eq!(revoked["revoked_versions"], json!([alone["digest"]]));
    assert_eq!(running(&gateway).await.as_deref(), Some("1.0.1"), "back to the version before");
    let shown = version(&gateway, alone["digest"].as_str().unwrap()).await;
    assert_eq!(shown["state"], "revoked");
    assert!(shown["reason"].as_str().unwrap().contains("laptop stolen"), "{shown:#}");
    gateway.delete(&format!("/admin/v1/plugin_keys/{id}")).await.expect_status(404);
    // What it signs from now on doesn't come in, nor does what was revoked come again.
    let message = upload(&gateway, &signed(&Pigeon::version("1.0.3").component(), &key, "")).await.expect_status(422);
    assert!(message["message"].as_str().unwrap().contains("was revoked"), "{message:#}");
    let activate = json!({"digest": alone["digest"]});
    gateway.post("/admin/v1/plugins/PIGEON/activate", activate).await.expect_status(409);
}

async fn a_type_whose_only_version_is_revoked_stops_until_another_comes(database: Database) {
    let mut gateway = Gateway::start(database, settings()).await;
    let only = upload(&gateway, &Pigeon::version("1.0.0").component()).await.expect_status(201);
    let account = json!({"organization_id": "org-1", "name": "Loft", "type": "PIGEON", "settings": {}, "is_active": true});
    gateway.post("/rest/v1/channel_accounts", account).await.expect_status(201);
    let digest = only["digest"].as_str().unwrap();
    gateway.post(&format!("/admin/v1/plugins/versions/{digest}/revoke"), json!({})).await.expect_status(422);
    gateway.post(&format!("/admin/v1/plugins/versions/{digest}/revoke"), json!({"reason": "it leaks"})).await.expect_status(200);
    let stopped = |plugins: Value| {
        let active = plugins["types"][0].clone();
        assert_eq!(active["running"], Value::Null, "{active:#}");
        assert!(active["problem"].as_str().is_some_and(|problem| problem.contains("it leaks")), "{active:#}");
    };
    stopped(gateway.get("/admin/v1/plugins").await.expect_status(200));
    gateway.stop();
    gateway.start_again();
    stopped(gateway.get("/admin/v1/plugins").await.expect_status(200));
    upload(&gateway, &Pigeon::version("1.0.1").component()).await.expect_status(201);
    assert_eq!(running(&gateway).await.as_deref(), Some("1.0.1"));
}

async fn what_asks_for_more_waits_for_an_approval(database: Database) {
    let gateway = Gateway::start(database, settings()).await;
    upload(&gateway, &Pigeon::version("1.0.0").component()).await.expect_status(201);
    let wider = Pigeon { methods: &["GET", "POST"], ..Pigeon::version("1.1.0") }.component();
    let waiting = upload(&gateway, &wider).await.expect_status(202);
    assert_eq!((&waiting["state"], &waiting["changed"]), (&json!("awaiting_approval"), &json!(false)));
    let words = waiting["widens"].as_array().unwrap();
    assert_eq!(words.len(), 1, "{words:?}");
    assert!(words[0].as_str().is_some_and(|ask| ask.contains("POST") && ask.contains("api.pigeon.example")), "{words:?}");
    assert_eq!(running(&gateway).await.as_deref(), Some("1.0.0"));
    // Coming again changes nothing, and nobody activates it past the question.
    upload(&gateway, &wider).await.expect_status(202);
    gateway.post("/admin/v1/plugins/PIGEON/activate", json!({"digest": waiting["digest"]})).await.expect_status(409);

    let digest = waiting["digest"].as_str().unwrap();
    gateway.post(&format!("/admin/v1/plugins/versions/{digest}/reject"), json!({})).await.expect_status(422);
    let rejected = gateway.post(&format!("/admin/v1/plugins/versions/{digest}/reject"), json!({"reason": "why POST?"})).await;
    assert_eq!(rejected.expect_status(200)["state"], "rejected");
    let again = upload(&gateway, &wider).await.expect_status(422);
    assert!(again["message"].as_str().unwrap().contains("why POST?"), "{again:#}");
    // By the beginning of its digest, too.
    let prefix = &digest[..12];
    let approved = gateway.post(&format!("/admin/v1/plugins/versions/{prefix}/approve"), json!({"reason": "they explained"})).await;
    let approved = approved.expect_status(200);
    assert_eq!((&approved["state"], &approved["changed"], &approved["active"]), (&json!("ready"), &json!(true), &json!(true)));
    assert_eq!(running(&gateway).await.as_deref(), Some("1.1.0"));
    let steps = ["· → examining", "examining → awaiting_approval", "awaiting_approval → rejected", "rejected → ready", "ready → active"];
    assert_eq!(moves_of(&approved), steps);
    assert_eq!(
        gateway.post(&format!("/admin/v1/plugins/versions/{digest}/approve"), json!({})).await.expect_status(409)["code"],
        "wrong_state"
    );

    // Less is less at once; and then the same as before is more again.
    assert_eq!(upload(&gateway, &Pigeon::version("1.2.0").component()).await.expect_status(201)["widens"], json!([]));
    let wide_again = Pigeon { methods: &["GET", "POST"], ..Pigeon::version("1.3.0") }.component();
    upload(&gateway, &wide_again).await.expect_status(202);

    let told = gateway.get("/admin/v1/audit?subject_kind=plugin_version").await.expect_status(200);
    let told: Vec<&Value> = told.as_array().unwrap().iter().filter(|entry| entry["subject_id"] == digest).collect();
    let actions: Vec<&str> = told.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["plugin.approve", "plugin.reject", "plugin.install"], "newest first");
    assert!(told.iter().all(|entry| entry["actor"]["kind"] == "key" && entry["actor"]["name"] == "first admin key"), "{told:#?}");
    assert_eq!(told[1]["detail"]["reason"], "why POST?");
    let page = gateway.get("/admin/v1/audit?action=plugin.&limit=1").await.expect_status(200);
    let next = gateway.get(&format!("/admin/v1/audit?action=plugin.&limit=1&before={}", page[0]["id"].as_str().unwrap())).await;
    assert_ne!(next.expect_status(200)[0]["id"], page[0]["id"]);
    let reader = gateway.new_key("read", "org-1");
    assert_eq!(gateway.ask_as(Some(&reader), Method::GET, "/admin/v1/audit").await.status, 403);
}

async fn the_first_version_waits_where_that_is_asked_for(database: Database) {
    let gateway = Gateway::start(database, settings().line("plugins.approve_new = true")).await;
    // An approval does what was asked when it was brought: here, nothing.
    let brought = gateway.upload("/admin/v1/plugins?rollout=hold", "application/wasm", Pigeon::default().component()).await;
    let waiting = brought.expect_status(202);
    assert!(waiting["widens"].as_array().is_some_and(|asks| asks.len() > 2), "{waiting:#}");
    let digest = waiting["digest"].as_str().unwrap();
    let approved = gateway.post(&format!("/admin/v1/plugins/versions/{digest}/approve"), json!({})).await.expect_status(200);
    assert_eq!((&approved["state"], &approved["changed"]), (&json!("ready"), &json!(false)));
    assert_eq!(running(&gateway).await, None);
    gateway.post("/admin/v1/plugins/PIGEON/activate", json!({"digest": digest})).await.expect_status(200);
    assert_eq!(running(&gateway).await.as_deref(), Some("1.0.0"));
    for (query, field) in
        [("rollout=sideways", "/rollout"), ("canary_share=0", "/canary_share"), ("rollout=hold&canary_share=5", "/canary_share")]
    {
        let path = format!("/admin/v1/plugins?{query}");
        let refused = gateway.upload(&path, "application/wasm", Pigeon::version("1.0.1").component()).await.expect_status(422);
        assert_eq!(refused["errors"][0]["pointer"], field, "{query}");
    }
}

async fn a_suite_that_a_component_doesnt_pass_keeps_it_out(database: Database) {
    let component = Pigeon::default().with_a_suite_it_fails();
    let gateway = Gateway::start(database, settings()).await;
    let refused = upload(&gateway, &component).await.expect_status(422);
    assert!(refused["message"].as_str().unwrap().contains("bad settings: nothing at all"), "{refused:#}");
    let listed = gateway.get("/admin/v1/plugins/versions?state=failed").await.expect_status(200);
    assert_eq!((&listed[0]["step"], &listed[0]["conformance"]), (&json!("conformance"), &json!("findings")));
    let shown = version(&gateway, listed[0]["digest"].as_str().unwrap()).await;
    let findings = shown["conformance_report"]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["check"] == "bad settings: nothing at all"), "{findings:#?}");
    // Without one it comes in, and that is shown.
    assert_eq!(upload(&gateway, &Pigeon::default().component()).await.expect_status(201)["conformance"], "none");
    drop(gateway);

    let lenient = Gateway::start(database, settings().line("plugins.conformance = \"show\"")).await;
    let installed = upload(&lenient, &component).await.expect_status(201);
    assert_eq!(installed["conformance"], "findings");
}

async fn what_the_host_doesnt_have_is_named(database: Database) {
    let gateway = Gateway::start(database, settings()).await;
    let strange = upload(&gateway, &Pigeon::default().importing_wasi_http()).await.expect_status(422);
    assert!(strange["message"].as_str().unwrap().contains("wasi:http/outgoing-handler@0.2.6"), "{strange:#}");
    let telepathic = upload(&gateway, &Pigeon::default().importing_telepathy()).await.expect_status(422);
    assert!(telepathic["message"].as_str().unwrap().contains("telepathy"), "{telepathic:#}");
    let forgetful = upload(&gateway, &Pigeon::default().importing_a_function_more()).await.expect_status(422);
    assert!(forgetful["message"].as_str().unwrap().contains("forget-all"), "{forgetful:#}");
    let listed = gateway.get("/admin/v1/plugins/versions?state=failed").await.expect_status(200);
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert!(listed.as_array().unwrap().iter().all(|version| version["step"] == "imports"), "{listed:#}");
}

/// A component that takes a while, in a gateway that hasn't seen it: Telegram's, under a name that is its own each time.
fn slow_component() -> Vec<u8> {
    let component = std::fs::read(plugin_file("telegram.wasm")).unwrap();
    let mut manifest = Manifest::from_component(&component).unwrap();
    manifest.version = "9.9.9".to_owned();
    embed(&component, &manifest).unwrap()
}

/// Compiles where nothing is compiled yet.
fn forget_compiled(gateway: &Gateway) {
    let compiled = gateway.data.join("compiled");
    std::fs::remove_file(&compiled).unwrap();
    std::fs::create_dir(&compiled).unwrap();
}

/// Hands a component over without waiting; answers its digest.
async fn hand_over(gateway: &Gateway, component: Vec<u8>) -> String {
    let request = gateway.request(Method::POST, "/admin/v1/plugins").header("prefer", "respond-async").body(component);
    let response = request.header("content-type", "application/wasm").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["preference-applied"].to_str().unwrap()), (202, "respond-async"));
    let stored: Value = response.json().await.unwrap();
    assert_eq!(stored["state"], "examining");
    stored["digest"].as_str().unwrap().to_owned()
}

async fn an_examination_that_a_crash_cut_off_goes_on(database: Database) {
    let mut gateway = Gateway::start(database, settings()).await;
    forget_compiled(&gateway);
    let digest = hand_over(&gateway, slow_component()).await;
    gateway.kill();
    gateway.start_again();
    let ready = eventually_within(PATIENCE * 6, "it is ready", || async {
        let shown = version(&gateway, &digest).await;
        (shown["active"] == true).then_some(shown)
    })
    .await;
    assert!(gateway.log().contains("taken up again"), "the kill came too late");
    assert_eq!(ready["state"], "ready");
    assert_eq!(moves_of(&ready), ["· → examining", "examining → ready", "ready → active"], "each once");
}

async fn a_version_that_is_ready_begins_although_a_crash_came_first(database: Database) {
    let mut gateway = Gateway::start(database, settings()).await;
    let path = "/admin/v1/plugins?rollout=hold";
    let held = gateway.upload(path, "application/wasm", Pigeon::default().component()).await.expect_status(200);
    assert_eq!((held["state"].as_str(), running(&gateway).await), (Some("ready"), None));
    gateway.kill();
    // As a crash leaves it between the two commits.
    gateway.execute("UPDATE plugin_versions SET rollout = '{\"kind\": \"active\"}'").await;
    gateway.start_again();
    eventually("it runs", || async { (running(&gateway).await? == "1.0.0").then_some(()) }).await;
    // It has begun: going back to nothing of it is up to people.
    eventually("its beginning is over", || async {
        let shown = version(&gateway, held["digest"].as_str().unwrap()).await;
        shown["rollout"].is_null().then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_node_goes_on_with_what_a_dead_one_examined() {
    let mut bench = Nodes::start(vec![settings(), settings()]).await;
    forget_compiled(&bench.nodes[0]);
    let digest = hand_over(&bench.nodes[0], slow_component()).await;
    bench.nodes[0].kill();
    // The lease has to run out.
    eventually_within(PATIENCE * 6, "the other one runs it", || async {
        (version(&bench.nodes[1], &digest).await["active"] == true).then_some(())
    })
    .await;
    assert!(bench.nodes[1].log().contains("taken up again"));
}

#[tokio::test]
async fn what_one_node_examined_runs_on_all_and_is_compiled_on_each() {
    let bench = Nodes::start(vec![settings(), settings()]).await;
    for node in &bench.nodes {
        forget_compiled(node);
    }
    upload(&bench.nodes[0], &Pigeon::default().component()).await.expect_status(201);
    for node in &bench.nodes {
        eventually("it runs here", || async {
            let plugins = node.get("/admin/v1/plugins").await.expect_status(200);
            plugins["types"][0]["running"].as_str().map(drop)
        })
        .await;
    }
    let artefacts = |node: &Gateway, ending: &str| {
        let engines = std::fs::read_dir(node.data.join("compiled")).unwrap();
        let files = engines.flat_map(|engine| std::fs::read_dir(engine.unwrap().path()).unwrap());
        files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(ending)).count()
    };
    for node in &bench.nodes {
        assert_eq!(artefacts(node, ".cwasm"), 1);
    }
    assert_eq!((artefacts(&bench.nodes[0], ".conformance.json"), artefacts(&bench.nodes[1], ".conformance.json")), (1, 0));
}

async fn the_command_line_walks_the_way_in(database: Database) {
    let gateway = Gateway::start(database, settings()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let at = ["--url", &gateway.url, "--key", &gateway.key];
    let plugin = |args: &[&str]| {
        let (done, text) = gateway.run(&[&["plugin"], args, &at].concat());
        assert!(done, "{args:?}: {text}");
        text
    };
    let key = new_key(None).unwrap();
    let public = file("release.pub", key.public.to_file().as_bytes());
    assert!(plugin(&["keys", "add", "release", &public]).contains(&key_of(&key)));
    let first = file("pigeon.wasm", &signed(&Pigeon::default().component(), &key, "the first"));
    assert!(plugin(&["install", &first]).contains("PIGEON 1.0.0 runs now"));
    let wider = Pigeon { methods: &["GET", "DELETE"], ..Pigeon::version("2.0.0") }.component();
    let told = plugin(&["install", &file("wider.wasm", &wider), "--rollout", "active"]);
    assert!(told.contains("waits for an approval") && told.contains("DELETE"), "{told}");
    let listed = plugin(&["versions", "PIGEON"]);
    let waiting = listed.lines().find(|line| line.contains("awaiting_approval")).unwrap();
    let digest = waiting.split_whitespace().next().unwrap();
    let shown = plugin(&["show", digest]);
    assert!(shown.contains("unsigned") && shown.contains("more than was granted") && shown.contains("first admin key"), "{shown}");
    assert!(plugin(&["approve", digest, "--reason", "fine"]).contains("2.0.0 runs now"));
    assert!(plugin(&["revoke", digest, "--reason", "not so fine"]).contains("revoked"));
    assert_eq!(running(&gateway).await.as_deref(), Some("1.0.0"));
    assert!(plugin(&["keys", "list"]).contains("trusted"));
    assert!(plugin(&["keys", "revoke", &key_of(&key), "--reason", "lost"]).contains("1 versions"));
    assert!(plugin(&["keys", "list"]).contains("lost"));
}

both! {
    unsigned_components_come_only_by_ways_that_allow_it,
    a_component_that_was_changed_after_it_was_signed_is_refused_everywhere,
    what_a_revoked_key_alone_vouched_for_runs_no_more,
    a_type_whose_only_version_is_revoked_stops_until_another_comes,
    what_asks_for_more_waits_for_an_approval,
    the_first_version_waits_where_that_is_asked_for,
    a_suite_that_a_component_doesnt_pass_keeps_it_out,
    what_the_host_doesnt_have_is_named,
    an_examination_that_a_crash_cut_off_goes_on,
    a_version_that_is_ready_begins_although_a_crash_came_first,
    the_command_line_walks_the_way_in,
}
