//! Every plugin of this repository against the conformance suite (`host/src/conformance`), and the suite against a plugin that
//! doesn't keep the contract.

use std::path::{Path, PathBuf};

use patchbay::conformance::{self, Suite};

use crate::harness::plugin_file;

/// The folders of the channels' plugins: whoever has a manifest.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("plugin.toml").exists());
    folders.sort();
    folders
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plugin_keeps_the_contract() {
    let folders = folders();
    assert!(folders.len() >= 4, "{folders:?}");
    let mut findings = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let component = std::fs::read(plugin_file(&format!("{name}.wasm"))).unwrap();
        let report = conformance::run(&component, Suite::from_folder(&folder).unwrap()).await.unwrap();
        assert!(report.passed > 20, "{name}: {report:?}");
        findings.extend(report.findings.into_iter().map(|finding| format!("{name}: {finding}")));
    }
    assert!(findings.is_empty(), "{findings:#?}");
}

#[tokio::test]
async fn a_plugin_that_says_otherwise_is_found_out() {
    // Telegram's component, and a folder that promises what it doesn't do.
    let folder = tempfile::tempdir().unwrap();
    let fixtures = folder.path().join("fixtures");
    std::fs::create_dir(&fixtures).unwrap();
    let truth = folders().into_iter().find(|folder| folder.ends_with("telegram")).unwrap();
    let mut script: serde_json::Value = serde_json::from_slice(&std::fs::read(truth.join("conformance.json")).unwrap()).unwrap();
    script["settings"]["bad"] =
        serde_json::json!([{"about": "nothing is wrong", "settings": script["settings"]["good"][0]["settings"], "pointer": "/bot_token"}]);
    script["send"]["external_id"] = "another".into();
    script["errors"][0]["failure"] = "recipient".into();
    script["health"]["answers"] = serde_json::json!([]);
    std::fs::write(folder.path().join("conformance.json"), script.to_string()).unwrap();
    let fixture = serde_json::json!({"about": "", "body": {"update_id": 1}, "expected": [{"dedupe_key": "never"}]});
    std::fs::write(fixtures.join("one.json"), fixture.to_string()).unwrap();
    let component = std::fs::read(plugin_file("telegram.wasm")).unwrap();
    let report = conformance::run(&component, Suite::from_folder(folder.path()).unwrap()).await.unwrap();
    for check in ["bad settings: nothing is wrong", "send", "health", "fixture one", "errors: "] {
        assert!(report.findings.iter().any(|finding| finding.check.starts_with(check)), "{check} isn't among {:#?}", report.findings);
    }
}
