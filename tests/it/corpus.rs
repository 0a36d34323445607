//! Whatever a webhook holds, the plugin answers: fixtures, what is left of them when they are cut or garbled, and what the
//! fuzzer (`tests/fuzz.sh`) found worth keeping go through the sandbox without a trap.

#[path = "../../host/sandbox/tests/it/host.rs"]
#[expect(dead_code, reason = "the sandbox's tests need more of it")]
mod host;

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use patchbay_sandbox::{CallLimits, Sandbox, compile, contract::channel};
use serde_json::Value;

use self::host::{Notes, settings};
use crate::harness::plugin_file;

/// Garbled copies of each fixture.
const COPIES: u64 = 12;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The bodies of the plugin's fixtures.
fn fixtures(plugin: &str) -> Vec<Vec<u8>> {
    let folder = root().join("plugins").join(plugin).join("fixtures");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    let body = |file: PathBuf| {
        let fixture: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        fixture.get("body").unwrap_or(&fixture).to_string().into_bytes()
    };
    files.into_iter().map(body).collect()
}

/// What the fuzzer kept: a line for each body, in base64.
fn found(plugin: &str) -> Vec<Vec<u8>> {
    let file = root().join("tests/fuzz/corpus").join(format!("{plugin}.txt"));
    std::fs::read_to_string(file).unwrap().lines().map(|line| STANDARD.decode(line).unwrap()).collect()
}

/// The same sequence in every run: xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below.max(1) as u64).unwrap()
    }
}

/// Cut, overwritten, repeated.
fn garble(body: &[u8], chance: &mut Chance) -> Vec<u8> {
    const PIECES: [&[u8]; 8] = [b"null", b"-1", b"1e400", b"\"\\ud800\"", b"[]", b"{}", b"\xff", b"99999999999999999999"];
    let mut garbled = body.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(garbled.len());
        match chance.below(4) {
            0 => garbled.truncate(at),
            1 => garbled[at] = u8::try_from(chance.below(256)).unwrap(),
            2 => {
                let end = (at + chance.below(12)).min(garbled.len());
                garbled.splice(at..end, PIECES[chance.below(PIECES.len())].iter().copied());
            }
            _ => {
                let end = (at + chance.below(200)).min(garbled.len());
                let piece = garbled[at..end].to_vec();
                garbled.splice(at..at, piece);
            }
        }
        if garbled.is_empty() {
            break;
        }
    }
    garbled
}

async fn nothing_traps(plugin: &str) {
    let component = std::fs::read(plugin_file(&format!("{plugin}.wasm"))).unwrap();
    let sandbox = Sandbox::new(&settings()).unwrap();
    let artefact = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(artefact.path(), compile(&component).unwrap()).unwrap();
    let loaded = sandbox.load(artefact.path()).unwrap();
    let mut bodies = found(plugin);
    assert!(!bodies.is_empty(), "the fuzzer kept nothing of {plugin}");
    let mut chance = Chance(0x5eed_0001);
    for body in fixtures(plugin) {
        bodies.extend((0..COPIES).map(|_| garble(&body, &mut chance)));
        bodies.push(body);
    }
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
