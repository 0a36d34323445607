use super::*;
use serde_json::json;

mod apps;
mod asks;
mod browser;
mod mail;
mod webhook;

const TELEGRAM: &str = include_str!("../../../plugins/telegram/plugin.toml");

fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "required": ["bot_token"],
        "additionalProperties": false,
        "properties": {
            "bot_token": { "type": "string", "pattern": "^[0-9]+:[A-Za-z0-9_-]{35}$", "writeOnly": true },
            "mode": { "enum": ["webhook", "polling"], "default": "webhook" },
            "base_url": { "type": "string", "format": "uri" },
            "file_base_url": { "type": "string", "format": "uri" },
            "retries": { "type": "integer", "maximum": 5 },
            "proxy": { "type": "object", "properties": { "port": { "type": "integer", "default": 8080 } } }
        }
    })
}

fn telegram_with(change: impl FnOnce(&mut Manifest)) -> Result<Manifest, ManifestError> {
    let mut manifest = Manifest::parse_toml(TELEGRAM).unwrap();
    manifest.settings_schema = schema();
    manifest.icon = Some("<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_owned());
    change(&mut manifest);
    manifest.checked()
}

fn telegram() -> Manifest {
    telegram_with(|_| {}).unwrap()
}

fn problems_of(change: impl FnOnce(&mut Manifest)) -> Vec<String> {
    match telegram_with(change) {
        Err(ManifestError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

/// An empty component, and one with a section of somebody else's.
fn component() -> Vec<u8> {
    let mut component = wasm_encoder::Component::new();
    component.section(&wasm_encoder::CustomSection { name: "other".into(), data: vec![1, 2, 3].into() });
    component.section(&wasm_encoder::RawSection { id: 1, data: wasm_encoder::Module::new().as_slice() });
    component.finish()
}

#[test]
fn the_decided_example_is_right() {
    let manifest = telegram();
    assert_eq!(manifest.channel_type, "TELEGRAM");
    assert_eq!(manifest.secrets["webhook_secret"].generated_length(), 48);
    assert_eq!(manifest.egress["api"].secrets(), [("base".to_owned(), "bot_token")]);
    assert_eq!(manifest.webhook.as_ref().unwrap().max_body(), 1 << 20);
    assert_eq!(manifest.capabilities.content["album"].max_items, Some(10));
}

#[test]
fn a_folder_is_read_with_the_files_it_names() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plugin.toml"), TELEGRAM).unwrap();
    let missing = Manifest::from_folder(folder.path()).unwrap_err();
    assert!(missing.to_string().contains("settings.schema.json"), "{missing}");
    std::fs::write(folder.path().join("settings.schema.json"), schema().to_string()).unwrap();
    std::fs::write(folder.path().join("icon.svg"), telegram().icon.unwrap()).unwrap();
    assert_eq!(Manifest::from_folder(folder.path()).unwrap(), telegram());
}

#[test]
fn a_folder_names_no_file_outside_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let text = TELEGRAM.replace("settings.schema.json", "../settings.schema.json").replace("icon.svg", "/etc/passwd");
    std::fs::write(folder.path().join("plugin.toml"), text).unwrap();
    let refused = Manifest::from_folder(folder.path()).unwrap_err();
    assert!(refused.to_string().contains("settings: names a file beside plugin.toml\n  icon: "), "{refused}");
}

#[test]
fn an_unknown_key_is_told_with_its_line() {
    let refused = Manifest::parse_toml(&TELEGRAM.replace("receipts =", "reciepts =")).unwrap_err().to_string();
    assert!(refused.contains("reciepts") && refused.contains("line"), "{refused}");
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let problems = problems_of(|manifest| {
        manifest.version = "1.0".to_owned();
        manifest.contract = "0.2.0".to_owned();
        manifest.secrets.remove("bot_token");
        manifest.egress.get_mut("file").unwrap().methods = vec!["FETCH".to_owned()];
        manifest.capabilities.content.insert("hologram".to_owned(), ContentLimits::default());
        manifest.limits.memory_mb = Some(512);
    });
    assert_eq!(
        problems,
        [
            "version: is three numbers: 1.0.0",
            "contract: is 0.2.0, and this gateway speaks 0.1.0 and 1.0.0",
            "egress.api.base: names the secret \"bot_token\", which [secrets] doesn't declare",
            "egress.file.base: names the secret \"bot_token\", which [secrets] doesn't declare",
            "egress.file.methods: \"FETCH\" isn't one of GET, HEAD, POST, PUT, PATCH, DELETE",
            "egress.webhook.base: names the secret \"bot_token\", which [secrets] doesn't declare",
            "capabilities.content: \"hologram\" isn't one of text, media, album, sticker, location, contacts, poll, template, \
             interactive, email, notification, post, custom",
            "limits.memory_mb: is 1 to 256",
        ]
    );
}

#[test]
fn a_base_is_https_to_a_named_host_with_secrets_in_its_path_alone() {
    for base in [
        "http://api.example.com",
        "https://{secret:bot_token}.telegram.org/",
        "https://user@api.example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://api.example.com/?key={secret:bot_token}",
        "https://api.example.com/{setting:x}",
        "https://api.example.com/bot{secret:bot_token",
        "https://api.example.com/a/../b",
        "ftp://api.example.com",
    ] {
        let problems = problems_of(|manifest| manifest.egress.get_mut("api").unwrap().base = base.parse().unwrap());
        assert!(problems[0].starts_with("egress.api.base: "), "{base}: {problems:?}");
    }
}

#[test]
fn typed_secrets_are_properties_of_the_schema_and_others_are_not() {
    let problems = problems_of(|manifest| {
        let properties = manifest.settings_schema["properties"].as_object_mut().unwrap();
        properties.remove("bot_token");
        properties.insert("webhook_secret".to_owned(), json!({}));
    });
    assert!(problems[0].starts_with("secrets.bot_token: is typed in"), "{problems:?}");
    assert!(problems[1].starts_with("secrets.webhook_secret: isn't typed in"), "{problems:?}");
}

#[test]
fn a_schema_that_does_not_compile_is_refused() {
    let problems = problems_of(|manifest| manifest.settings_schema["properties"]["mode"] = json!({ "type": "strang" }));
    assert!(problems[0].starts_with("settings: isn't a JSON Schema: "), "{problems:?}");
    let problems = problems_of(|manifest| manifest.settings_schema["properties"]["mode"] = json!({ "$ref": "https://example.com/a" }));
    assert!(problems[0].starts_with("settings: isn't a JSON Schema: "), "{problems:?}");
}

#[test]
fn a_timestamp_and_its_header_need_each_other() {
    let recipe = |signed: &str, header: Option<&str>| {
        Verify::Hmac(Box::new(HmacRecipe {
            header: "x-signature".to_owned(),
            also_headers: Vec::new(),
            secret: "webhook_secret".to_owned(),
            alternatives: Vec::new(),
            algorithm: HmacAlgorithm::Sha256,
            encoding: Encoding::Hex,
            prefix: "v0=".to_owned(),
            bare: false,
            optional: false,
            signed: signed.to_owned(),
            timestamp_header: header.map(str::to_owned),
            timestamp_field: None,
            signature_field: None,
            tolerance_s: None,
            tolerance_setting: None,
        }))
    };
    let set = |verify: Verify| telegram_with(|manifest| manifest.webhook.as_mut().unwrap().verify = verify);
    assert!(set(recipe("v0:{timestamp}:{body}", Some("x-timestamp"))).is_ok());
    assert!(set(recipe("v0:{timestamp}:{body}", None)).is_err());
    assert!(set(recipe("{body}", Some("x-timestamp"))).is_err());
    assert!(set(recipe("{id}{body}", None)).is_err());
}

#[test]
fn an_icon_holds_no_script() {
    let problems = problems_of(|manifest| manifest.icon = Some("<svg><SCRIPT>1</SCRIPT></svg>".to_owned()));
    assert_eq!(problems, ["icon: must not hold scripts, entities or foreign objects"]);
}

#[test]
fn a_manifest_travels_in_its_component() {
    let plain = component();
    let once = embed(&plain, &telegram()).unwrap();
    assert_eq!(Manifest::from_component(&once).unwrap(), telegram());
    assert!(once.starts_with(&plain), "what was there stays as it was");
    assert_eq!(embed(&plain, &telegram()).unwrap(), once, "the same input gives the same bytes");
}

#[test]
fn embedding_replaces_an_older_manifest() {
    let mut newer = telegram();
    newer.version = "0.2.0".to_owned();
    let replaced = embed(&embed(&component(), &telegram()).unwrap(), &newer).unwrap();
    assert_eq!(Manifest::from_component(&replaced).unwrap().version, "0.2.0");
    assert_eq!(replaced, embed(&component(), &newer).unwrap());
}

#[test]
fn what_is_no_component_or_has_no_manifest_says_so() {
    let refused = |bytes: &[u8]| Manifest::from_component(bytes).unwrap_err();
    assert!(matches!(refused(b"PK\x03\x04"), ManifestError::NotAComponent(_)));
    assert!(refused(wasm_encoder::Module::new().as_slice()).to_string().contains("core module"));
    assert!(matches!(refused(&component()), ManifestError::Missing));
    let whole = embed(&component(), &telegram()).unwrap();
    for cut in 9..whole.len() {
        assert!(Manifest::from_component(&whole[..cut]).is_err(), "cut at {cut}");
    }
    let mut twice = whole.clone();
    twice.extend_from_slice(&whole[component().len()..]);
    assert!(matches!(refused(&twice), ManifestError::Malformed(_)));
    let mut garbled = whole;
    let last = garbled.len() - 1;
    garbled[last] = b'!';
    assert!(matches!(refused(&garbled), ManifestError::Malformed(_)));
}

#[test]
fn every_bad_setting_is_named_at_its_own_pointer() {
    let problems = telegram().validate_settings(&json!({
        "mode": "carrier pigeon", "base_url": "not a url", "retries": 6.5, "colour/hue": "red", "proxy": { "port": "x" }
    }));
    let told: Vec<(&str, &str)> = problems.iter().map(|p| (p.pointer.as_str(), p.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("/base_url", "must be a valid URL"),
            ("/bot_token", "is required"),
            ("/colour~1hue", "isn't a setting of this channel type"),
            ("/mode", "must be webhook or polling"),
            ("/proxy/port", "must be an integer, not a string"),
            ("/retries", "must be 5 or less"),
            ("/retries", "must be an integer, not a number"),
        ]
    );
}

#[test]
fn a_problem_never_repeats_what_was_entered() {
    let problems =
        telegram().validate_settings(&json!({ "bot_token": "hunter2-hunter2", "mode": "hunter2-hunter2", "proxy": "hunter2-hunter2" }));
    assert_eq!(problems.len(), 3);
    assert!(problems.iter().all(|problem| !problem.message.contains("hunter2")), "{problems:?}");
}

#[test]
fn right_settings_have_no_problems() {
    let token = format!("12345:{}", "a".repeat(35));
    assert_eq!(telegram().validate_settings(&json!({ "bot_token": token, "base_url": "https://bots.example.com" })), []);
}

#[test]
fn defaults_fill_what_is_absent_and_nothing_else() {
    let mut settings = json!({ "retries": 1, "proxy": {} });
    telegram().fill_defaults(&mut settings);
    assert_eq!(settings, json!({ "retries": 1, "proxy": { "port": 8080 }, "mode": "webhook" }));
    let mut chosen = json!({ "mode": "polling" });
    telegram().fill_defaults(&mut chosen);
    assert_eq!(chosen, json!({ "mode": "polling" }));
}

#[test]
fn polling_applies_where_the_setting_says_so() {
    let manifest = telegram();
    let polling = manifest.polling.as_ref().unwrap();
    assert!(polling.applies(&json!({ "mode": "polling" })));
    assert!(!polling.applies(&json!({ "mode": "webhook" })) && !polling.applies(&json!({})));
}

#[test]
fn a_target_limits_paths() {
    let mut target = telegram().egress["api"].clone();
    assert!(target.allows_path("/anything"));
    target.paths = vec!["/messages".to_owned(), "/media/*".to_owned()];
    assert!(target.allows_path("/messages") && target.allows_path("messages") && target.allows_path("/media/1"));
    assert!(!target.allows_path("/messages/1") && !target.allows_path("/media/") && !target.allows_path("/"));
}
