//! What a manifest says of browsers, of keys that sign, and of places that an account lists.

use super::{
    apps::{example, read, told},
    *,
};

fn browser() -> serde_json::Value {
    let mut manifest = example();
    manifest["settings"]["properties"]["origins"] = json!({"type": "array", "items": {"type": "string"}});
    manifest["secrets"]["signing_key"] = json!({"title": "Key", "from": "generated", "kind": "es256"});
    manifest["browser"] = json!({"origins": "origins", "calls": ["subscriptions", "events"], "private": ["tok"], "files": {
        "client.js": {"type": "text/javascript", "file": "const base = '{{base}}', key = '{{public_key:signing_key}}', o = {{setting:origins}};",
            "headers": {"service-worker-allowed": "/"}}}});
    manifest
}

fn problems(pointer: &str, value: serde_json::Value) -> Vec<String> {
    let mut manifest = browser();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    manifest.pointer_mut(parent).unwrap()[name] = value;
    match read(&manifest) {
        Err(ManifestError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{pointer} isn't refused: {other:?}"),
    }
}

#[test]
fn a_whole_browser_section_is_right_and_travels_in_the_component() {
    let manifest = read(&browser()).unwrap();
    let component = embed(&component(), &manifest).unwrap();
    assert_eq!(Manifest::from_component(&component).unwrap(), manifest);
    assert_eq!(manifest.secrets["signing_key"].kind, SecretKind::Es256);
    let file = &manifest.browser.unwrap().files["client.js"];
    assert_eq!(file.slots().collect::<Vec<_>>(), [Slot::Base, Slot::PublicKey("signing_key"), Slot::Setting("origins")]);
}

#[test]
fn sixteen_files_at_the_bound_travel_too() {
    let mut manifest = browser();
    for n in 0..15 {
        // What JSON writes longest of all that is likely in a script.
        manifest["browser"]["files"][format!("f{n}.js")] = json!({"type": "text/javascript", "file": "\"\n".repeat(8 * 1024)});
    }
    let manifest = read(&manifest).unwrap();
    let component = embed(&component(), &manifest).unwrap();
    assert_eq!(Manifest::from_component(&component).unwrap(), manifest);
}

#[test]
fn a_folder_names_its_files_beside_plugin_toml() {
    let folder = tempfile::tempdir().unwrap();
    let toml = |file: &str| {
        format!("{TELEGRAM}\n[browser]\ncalls = [\"events\"]\n[browser.files.\"a.js\"]\ntype = \"text/javascript\"\nfile = \"{file}\"\n")
    };
    std::fs::write(folder.path().join("settings.schema.json"), schema().to_string()).unwrap();
    std::fs::write(folder.path().join("icon.svg"), telegram().icon.unwrap()).unwrap();
    std::fs::write(folder.path().join("a.js"), "let a = '{{account}}';").unwrap();
    std::fs::write(folder.path().join("plugin.toml"), toml("a.js")).unwrap();
    assert_eq!(Manifest::from_folder(folder.path()).unwrap().browser.unwrap().files["a.js"].file, "let a = '{{account}}';");
    std::fs::write(folder.path().join("plugin.toml"), toml("../a.js")).unwrap();
    let refused = Manifest::from_folder(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("browser.files.a.js.file: names a file beside plugin.toml"), "{refused}");
}

#[test]
fn every_mistake_is_told_at_its_place() {
    let js = |text: &str| json!({"type": "text/javascript", "file": text});
    for (pointer, value, told) in [
        ("/browser/origins", json!("gone"), "browser.origins: names the setting \"gone\""),
        ("/browser/origins", json!("access_token"), "browser.origins: names \"access_token\", which is a secret"),
        ("/browser/calls", json!(["Events"]), "browser.calls[0]: is 1 to 40"),
        ("/browser/calls", json!(["a", "a"]), "browser.calls[1]: is 1 to 40"),
        ("/browser/private", json!([""]), "browser.private: has a member"),
        ("/browser/files/client.js/type", json!("text/html"), "browser.files.client.js.type: isn't one of text/javascript"),
        ("/browser/files/client.js/headers", json!({"set-cookie": "a=b"}), "browser.files.client.js.headers.set-cookie: isn't a header"),
        ("/browser/files/client.js/headers", json!({"X-A": "b"}), "browser.files.client.js.headers.X-A: isn't a header, in lower case"),
        ("/browser/files/client.js/headers", json!({"x-a": "a\nb"}), "browser.files.client.js.headers.x-a: has a value"),
        ("/browser/files/a~1b.js", js("x"), "browser.files.a~1b.js: is named with"),
        ("/browser/files/.js", js("x"), "browser.files..js: is named with"),
        ("/browser/files/a.js", js(""), "browser.files.a.js.file: is empty"),
        ("/browser/files/a.js", js("{{setting:gone}}"), "browser.files.a.js.file: names the setting \"gone\""),
        ("/browser/files/a.js", js("{{setting:access_token}}"), "browser.files.a.js.file: names \"access_token\", which is a secret"),
        ("/browser/files/a.js", js("{{public_key:gone}}"), "browser.files.a.js.file: names the secret \"gone\""),
        (
            "/browser/files/a.js",
            js("{{public_key:app_secret}}"),
            "browser.files.a.js.file: names the secret \"app_secret\", which isn't of",
        ),
        ("/browser/files/a.js", js(&"x".repeat(256 * 1024)), "browser.files: has 2622"),
        ("/browser", json!({}), "browser: has neither files nor calls"),
        ("/secrets/signing_key/length", json!(32), "secrets.signing_key.length: is for text"),
        ("/secrets/refresh_token/kind", json!("es256"), "secrets.refresh_token.kind: \"es256\" is for"),
    ] {
        let problems = problems(pointer, value);
        assert!(problems[0].starts_with(told), "{pointer}: {problems:?}");
    }
    let many: serde_json::Map<String, serde_json::Value> = (0..17).map(|n| (format!("f{n}.js"), js("x"))).collect();
    assert_eq!(problems("/browser/files", many.into()), ["browser.files: has 17 files; 16 are the most"]);
}

#[test]
fn places_of_an_account_and_the_plugins_own_signature() {
    assert!(told("/egress/files/hosts_setting", json!("gone"))[0].starts_with("egress.files.hosts_setting: names the setting \"gone\""));
    let problems = told("/egress/api/signed_by_plugin", json!(true));
    assert!(problems[0].starts_with("egress.api.signed_by_plugin: is for a target without credentials"), "{problems:?}");
    let mut manifest = example();
    manifest["egress"]["files"] = json!({"base": "https://push.example.com", "methods": ["POST"], "hosts_setting": "base_url",
        "trusted_hosts": true, "signed_by_plugin": true});
    assert!(read(&manifest).unwrap().egress["files"].takes_urls(), "a setting alone will do");
}
