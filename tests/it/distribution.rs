//! Plugins on their way from an author to a gateway: signed, checked, compared, packed, pushed to Debian's docker-registry, pulled.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, Gateway, OciRegistry, REGISTRY_PASSWORD, REGISTRY_USER, Settings, both, eventually, plugin_file, program};

/// Runs the program in a folder, with nothing of this machine's docker.
fn run_in(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).args(args).env("DOCKER_CONFIG", folder).env_remove("PATCHBAY_KEY_PASSWORD").stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What it said, where all went well.
fn ok(folder: &Path, args: &[&str]) -> String {
    let output = run_in(folder, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    text(&output)
}

/// What it said, where it ended with that code.
fn ends_with(code: i32, folder: &Path, args: &[&str]) -> String {
    let output = run_in(folder, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
    text(&output)
}

fn json_of(folder: &Path, args: &[&str]) -> Value {
    let output = run_in(folder, args);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", text(&output)))
}

/// A folder with Telegram's component, signed by a key that is there too, and the key's line.
fn signed() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::copy(plugin_file("telegram.wasm"), here.join("telegram.wasm")).unwrap();
    ok(here, &["plugin", "keygen", "author", "--no-password"]);
    ok(here, &["plugin", "sign", "telegram.wasm", "--key", "author.key", "--comment", "by hand"]);
    let key = std::fs::read_to_string(here.join("author.pub")).unwrap().lines().last().unwrap().to_owned();
    (folder, key)
}

/// The digest of a file that is printed behind this word.
fn told<'a>(said: &'a str, word: &str) -> &'a str {
    said.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_else(|| panic!("no {word:?} in {said}")).trim()
}

fn push(folder: &Path, file: &str, reference: &str) -> String {
    ok(folder, &["plugin", "push", file, reference, "--plain-http"])
}

async fn a_pushed_plugin_is_installed_by_its_reference(database: Database) {
    let registry = OciRegistry::start().await;
    let (folder, key) = signed();
    let here = folder.path();
    let reference = format!("{}/plugins/telegram:0.1.0", registry.name());
    let said = push(here, "telegram.wasm", &reference);
    let (pinned, digest) = (told(&said, "by its digest"), told(&said, "component sha256:"));
    let settings = Settings::default().without_plugin().line(&registry.setting()).line(&format!("plugins.trusted_keys.author = \"{key}\""));
    let gateway = Gateway::start(database, settings).await;
    let installed = gateway.post("/admin/v1/plugins", json!({"reference": reference})).await.expect_status(201);
    assert_eq!((&installed["type"], &installed["digest"]), (&json!("TELEGRAM"), &json!(digest)));
    let versions = gateway.get("/admin/v1/plugins").await.expect_status(200)["versions"].clone();
    let image = pinned.rsplit('@').next().unwrap();
    // The tag and the digest that it meant.
    assert_eq!(versions[0]["source"], format!("registry: {reference}@{image}"));
    eventually("it runs", || async {
        let types = gateway.get("/rest/v1/channel_types").await.expect_status(200);
        (types[0]["plugin"]["state"] == "running").then_some(())
    })
    .await;
    // The same bytes again, by the digest, and by the command.
    let again = gateway.post("/admin/v1/plugins", json!({"reference": pinned})).await.expect_status(200);
    assert_eq!((&again["digest"], &again["changed"]), (&json!(digest), &json!(false)));
    let (done, said) = gateway.run(&["plugin", "install", pinned, "--url", &gateway.url, "--key", &gateway.key]);
    assert!(done && said.contains("TELEGRAM") && said.contains(digest), "{said}");
}

async fn what_was_changed_in_the_registry_or_comes_from_elsewhere_is_refused(database: Database) {
    let registry = OciRegistry::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(plugin_file("telegram.wasm"), folder.path().join("telegram.wasm")).unwrap();
    let reference = format!("{}/telegram:1", registry.name());
    let said = push(folder.path(), "telegram.wasm", &reference);
    let digest = told(&said, "component sha256:").to_owned();
    let blob = registry.blob_file(&digest);
    let mut bytes = std::fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let gateway = Gateway::start(database, Settings::default().without_plugin().line(&registry.setting())).await;
    let refused = gateway.post("/admin/v1/plugins", json!({"reference": reference})).await.expect_status(422);
    assert_eq!(refused["code"], "not_pulled");
    assert!(refused["message"].as_str().unwrap().contains(&format!("sha256:{digest} was asked for")), "{refused}");
    assert!(gateway.get("/admin/v1/plugins").await.expect_status(200)["versions"].as_array().unwrap().is_empty());
    let said = ends_with(1, folder.path(), &["plugin", "pull", &reference, "--plain-http", "--out", "pulled.wasm"]);
    assert!(!folder.path().join("pulled.wasm").exists(), "{said}");
    for (reference, told) in [
        ("other.example/telegram:1".to_owned(), "[plugins.registries.\"other.example\"]"),
        ("telegram:1".to_owned(), "registry/name:tag"),
        (format!("{}/telegram:2", registry.name()), "has no such plugin"),
    ] {
        let refused = gateway.post("/admin/v1/plugins", json!({"reference": reference})).await.expect_status(422);
        assert!(refused["message"].as_str().unwrap().contains(told), "{refused}");
    }
}

async fn a_registry_with_a_password_takes_those_who_have_it(database: Database) {
    let registry = OciRegistry::with_password().await;
    let (folder, _) = signed();
    let here = folder.path();
    let reference = format!("{}/telegram:1", registry.name());
    let said = ends_with(1, here, &["plugin", "push", "telegram.wasm", &reference, "--plain-http"]);
    assert!(said.contains("could not be pushed"), "{said}");
    let mut pushing =
        command(here, &["plugin", "push", "telegram.wasm", &reference, "--plain-http", "--username", REGISTRY_USER, "--password-stdin"]);
    let mut pushing = pushing.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(pushing.stdin.take().unwrap(), "{REGISTRY_PASSWORD}").unwrap();
    let pushed = pushing.wait_with_output().unwrap();
    assert!(pushed.status.success());
    // Base64 of pigeon:coo-coo, as docker's own login writes it.
    let known = json!({"auths": {registry.name(): {"auth": "cGlnZW9uOmNvby1jb28="}}});
    std::fs::write(here.join("config.json"), known.to_string()).unwrap();
    ok(here, &["plugin", "pull", &reference, "--plain-http", "--out", "pulled.wasm"]);
    assert_eq!(std::fs::read(here.join("pulled.wasm")).unwrap(), std::fs::read(here.join("telegram.wasm")).unwrap());
    let entry = |line: &str| format!("plugins.registries.\"{}\".{line}", registry.name());
    let settings = |password: &str| {
        let lines =
            [entry("plain_http = true"), entry(&format!("username = \"{REGISTRY_USER}\"")), entry(&format!("password = \"{password}\""))];
        lines
            .iter()
            .fold(Settings::default().without_plugin(), |settings, line| settings.line(line))
            .line("plugins.unsigned = [\"registry\"]")
    };
    let url = database.make_url();
    let wrong = Gateway::start_on(&url, &settings("wrong"));
    let refused = wrong.post("/admin/v1/plugins", json!({"reference": reference})).await.expect_status(422);
    assert!(refused["message"].as_str().unwrap().contains("username and password"), "{refused}");
    drop(wrong);
    let gateway = Gateway::start(database, settings(REGISTRY_PASSWORD)).await;
    gateway.post("/admin/v1/plugins", json!({"reference": reference})).await.expect_status(201);
}

#[tokio::test]
async fn a_signature_survives_the_way_through_a_registry() {
    let registry = OciRegistry::start().await;
    let (folder, key) = signed();
    let here = folder.path();
    let reference = format!("{}/plugins/telegram:1", registry.name());
    let first = push(here, "telegram.wasm", &reference);
    assert_eq!(first, push(here, "telegram.wasm", &reference), "the same component gives the same digests");
    let said = ok(here, &["plugin", "pull", &reference, "--plain-http", "--out", "pulled.wasm", "--trust", &key]);
    assert!(said.contains("(by hand): it holds"), "{said}");
    assert_eq!(told(&said, "by its digest"), told(&first, "by its digest"));
    assert_eq!(std::fs::read(here.join("pulled.wasm")).unwrap(), std::fs::read(here.join("telegram.wasm")).unwrap());
    ok(here, &["plugin", "check", "pulled.wasm", "--trust", "author.pub"]);
}

#[tokio::test]
async fn a_component_is_signed_with_a_password_and_a_change_shows() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::copy(plugin_file("telegram.wasm"), here.join("plain.wasm")).unwrap();
    let with = |password: &str, args: &[&str]| command(here, args).env("PATCHBAY_KEY_PASSWORD", password).output().unwrap();
    let made = with("open, please", &["plugin", "keygen", "author"]);
    assert!(made.status.success() && text(&made).contains("[plugins.trusted_keys]"), "{}", text(&made));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(here.join("author.key")).unwrap());
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    let again = with("open, please", &["plugin", "keygen", "author"]);
    assert!(!again.status.success() && text(&again).contains("is there already"), "{}", text(&again));
    let sign = ["plugin", "sign", "plain.wasm", "--key", "author.key", "--out", "signed.wasm"];
    let wrong = with("open", &sign);
    assert!(!wrong.status.success() && text(&wrong).contains("can't be opened"), "{}", text(&wrong));
    let said = ends_with(1, here, &sign);
    assert!(said.contains("PATCHBAY_KEY_PASSWORD"), "nobody is there to ask: {said}");
    let signed = with("open, please", &sign);
    assert!(signed.status.success(), "{}", text(&signed));
    let said = ok(here, &["plugin", "check", "signed.wasm", "--trust", "author.pub"]);
    assert!(said.contains("TELEGRAM 0.1.0, signed ") && said.contains("it holds") && said.contains("It fits this gateway."), "{said}");
    let said = ok(here, &["plugin", "check", "signed.wasm"]);
    assert!(said.contains("not checked"), "{said}");
    let twice = with("open, please", &["plugin", "sign", "signed.wasm", "--key", "author.key"]);
    assert!(!twice.status.success() && text(&twice).contains("already"), "{}", text(&twice));
    // A letter of the manifest.
    let mut bytes = std::fs::read(here.join("signed.wasm")).unwrap();
    let at = bytes.windows(8).position(|window| window == b"Telegram").unwrap();
    bytes[at] = b't';
    std::fs::write(here.join("changed.wasm"), bytes).unwrap();
    let said = ends_with(1, here, &["plugin", "check", "changed.wasm", "--trust", "author.pub"]);
    assert!(said.contains("was changed after it was signed"), "{said}");
}

#[tokio::test]
async fn check_says_what_is_wrong_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::copy(plugin_file("telegram.wasm"), here.join("telegram.wasm")).unwrap();
    let said = ok(here, &["plugin", "check", "telegram.wasm"]);
    for told in ["TELEGRAM 0.1.0 (Telegram), contract ", "not signed", "imports patchbay:channel/", "exports patchbay:channel/", "patchbay:channel/channel@"] {
        assert!(said.contains(told), "{told} isn't in {said}");
    }
    assert!(said.contains("requests to https://api.telegram.org: /bot{secret:bot_token}/"), "{said}");
    assert!(
        ends_with(1, here, &["plugin", "check", "telegram.wasm", "--max-size-mb", "0"]).contains("plugins.max_size_mb = 0 is the most")
    );
    std::fs::write(here.join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    assert!(ends_with(1, here, &["plugin", "check", "module.wasm"]).contains("wasm-tools component new"));
    std::fs::write(here.join("text.wasm"), b"hello").unwrap();
    assert!(ends_with(1, here, &["plugin", "check", "text.wasm"]).contains("doesn't begin with"));
    // A component of somebody else's: it has no manifest, wants what nobody has, and isn't a plugin.
    let strange = wat::parse_str("(component (import \"acme:pigeons/loft@1.0.0\" (instance)))").unwrap();
    std::fs::write(here.join("strange.wasm"), strange).unwrap();
    let said = ends_with(1, here, &["plugin", "check", "strange.wasm"]);
    for told in ["patchbay plugin pack", "acme:pigeons/loft@1.0.0"] {
        assert!(said.contains(told), "{told} isn't in {said}");
    }
    assert!(ends_with(1, here, &["plugin", "check", "nothing.wasm"]).contains("nothing.wasm"));
}

#[tokio::test]
async fn inspect_shows_everything_in_a_component() {
    let (folder, _) = signed();
    let seen = json_of(folder.path(), &["plugin", "inspect", "telegram.wasm", "--json"]);
    let bytes = std::fs::read(folder.path().join("telegram.wasm")).unwrap();
    assert_eq!(seen["size"], bytes.len());
    assert_eq!(seen["digest"], patchbay::plugins::digest_of(&bytes));
    assert_eq!(seen["manifest"]["type"], "TELEGRAM");
    assert_eq!(seen["contract"], seen["manifest"]["contract"], "what its interfaces say, and what its manifest says");
    assert_eq!(seen["problems"], json!([]));
    assert_eq!(seen["signatures"][0]["comment"], "by hand");
    assert!(seen["exports"].as_array().unwrap().iter().any(|name| name.as_str().unwrap().starts_with("patchbay:channel/channel@")));
    assert!(
        seen["asks"].as_array().unwrap().iter().any(|ask| ask["ask"] == "request" && ask["to"] == "https://api.telegram.org"),
        "{seen:#}"
    );
    let last = seen["sections"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["kind"], &last["name"]), (&json!("custom"), &json!("patchbay:signature")));
    let whole: u64 = seen["sections"].as_array().unwrap().iter().map(|section| section["size"].as_u64().unwrap()).sum();
    assert_eq!(whole + 8, bytes.len() as u64, "every byte is in one of them");
    let said = ok(folder.path(), &["plugin", "inspect", "telegram.wasm"]);
    for told in ["settings:", "bot_token", "api: ", "sections:", "by hand"] {
        assert!(said.contains(told), "{told} isn't in {said}");
    }
}

#[tokio::test]
async fn diff_tells_what_is_asked_for_more_or_less() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let old = std::fs::read(plugin_file("telegram.wasm")).unwrap();
    std::fs::write(here.join("old.wasm"), &old).unwrap();
    assert_eq!(ends_with(0, here, &["plugin", "diff", "old.wasm", "old.wasm"]), "");
    let mut manifest = patchbay::manifest::Manifest::from_component(&old).unwrap();
    manifest.version = "0.2.0".to_owned();
    manifest.capabilities.commands.push("custom".to_owned());
    manifest.capabilities.custom.push("wave".to_owned());
    manifest.limits.cpu_ms = Some(900);
    let target = manifest.egress.values_mut().next().unwrap();
    target.methods.push("DELETE".to_owned());
    std::fs::write(here.join("new.wasm"), patchbay::manifest::embed(&old, &manifest).unwrap()).unwrap();
    let said = ends_with(1, here, &["plugin", "diff", "old.wasm", "new.wasm"]);
    for told in [
        "asks for more, to:",
        "send DELETE requests to https://api.telegram.org",
        "use 900 ms of processor time",
        "version: \"0.1.0\", then \"0.2.0\"",
    ] {
        assert!(said.contains(told), "{told} isn't in {said}");
    }
    assert!(!said.contains("asks no more"), "{said}");
    let seen = json_of(here, &["plugin", "diff", "new.wasm", "old.wasm", "--json"]);
    assert_eq!(seen["asks_more"], json!([]));
    assert!(seen["asks_less"].as_array().unwrap().contains(&json!({"ask": "limit", "of": "cpu-ms", "most": 900})), "{seen:#}");
    assert!(seen["manifest"].as_array().unwrap().contains(&json!({"path": "version", "old": "0.2.0", "new": "0.1.0"})), "{seen:#}");
    assert_eq!(seen["imports"], json!({"added": [], "removed": []}));
    assert!(ends_with(2, here, &["plugin", "diff", "old.wasm", "nothing.wasm"]).contains("nothing.wasm"));
}

#[tokio::test]
async fn pack_makes_a_plugin_of_any_component_and_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins/telegram");
    let source = source.to_str().unwrap();
    // As another tool leaves it: the same code, without what makes it a plugin.
    let built = std::fs::read(plugin_file("telegram.wasm")).unwrap();
    let bare = patchbay::sections::remove(&built, patchbay::manifest::SECTION).unwrap();
    let bare = patchbay::sections::remove(&bare, patchbay::conformance::carried::SECTION).unwrap();
    std::fs::write(here.join("bare.wasm"), bare).unwrap();
    assert!(ends_with(1, here, &["plugin", "check", "bare.wasm"]).contains("patchbay plugin pack"));
    ok(here, &["plugin", "pack", "bare.wasm", source]);
    let said = ok(here, &["plugin", "check", "telegram.wasm"]);
    assert!(said.contains("carries its conformance suite: 1 script, "), "{said}");
    let packed = std::fs::read(here.join("telegram.wasm")).unwrap();
    let suite = patchbay::conformance::Suite::from_component(&packed).unwrap().expect("it carries its suite");
    let report = patchbay::conformance::run(&packed, suite).await.unwrap();
    assert!(report.passed > 20 && report.findings.is_empty(), "{report:?}");
    std::fs::write(here.join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    assert!(ends_with(1, here, &["plugin", "pack", "module.wasm", source]).contains("core module"));
}

both! {
    a_pushed_plugin_is_installed_by_its_reference,
    what_was_changed_in_the_registry_or_comes_from_elsewhere_is_refused,
    a_registry_with_a_password_takes_those_who_have_it,
}
