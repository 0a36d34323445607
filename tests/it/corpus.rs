//! What the fuzzer (`tests/fuzz.sh`) found worth keeping goes through the sandbox without a trap. Fixtures, whole, cut and garbled,
//! do so in the conformance suite.

#[path = "../../host/sandbox/tests/it/host.rs"]
#[expect(dead_code, reason = "the sandbox's tests need more of it")]
mod host;

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use patchbay_sandbox::{CallLimits, Sandbox, compile, contract::channel};

use self::host::{Notes, settings};
use crate::harness::plugin_file;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What the fuzzer kept: a line for each body, in base64.
fn found(plugin: &str) -> Vec<Vec<u8>> {
    let file = root().join("tests/fuzz/corpus").join(format!("{plugin}.txt"));
    std::fs::read_to_string(file).unwrap().lines().map(|line| STANDARD.decode(line).unwrap()).collect()
}

async fn nothing_traps(plugin: &str) {
    let component = std::fs::read(plugin_file(&format!("{plugin}.wasm"))).unwrap();
    let sandbox = Sandbox::new(&settings()).unwrap();
    let artefact = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(artefact.path(), compile(&component).unwrap()).unwrap();
    let loaded = sandbox.load(artefact.path()).unwrap();
    let bodies = found(plugin);
    assert!(!bodies.is_empty(), "the fuzzer kept nothing of {plugin}");
    for body in bodies {
        let webhook = channel::Webhook { account: None, body: body.clone(), verified_by: Some("hmac".to_owned()), ..host::webhook() };
        let parsed = loaded.parse_inbound(CallLimits::default(), Notes::default().services(), &webhook, None).await;
        // A refusal is an answer.
        assert!(parsed.is_ok(), "{plugin}: {:?} on {}", parsed.err(), String::from_utf8_lossy(&body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_comes_makes_the_chats_plugins_trap() {
    for plugin in ["telegram", "whatsapp-cloud", "messenger", "instagram"] {
        nothing_traps(plugin).await;
    }
}
