//! The gateway against its own description: schemathesis makes requests of it, right ones and wrong ones, and judges each answer.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::harness::{Bench, Database, MONA, Settings, both, root};

const VERSION: &str = "4.32.5";
/// The same requests each time.
const SEED: &str = "8";
/// Requests of each phase for an operation.
const EXAMPLES: &str = "8";
/// Seconds for all of it; `timeout` ends what would go on.
const BOUND: &str = "420";
/// Checks that can't be asked here, with why.
const LEFT_OUT: &[&str] = &[
    // Ids that nobody has are made up all the time, and a gateway may forget what it was told to.
    "use_after_free",
    "ensure_resource_availability",
];
/// Operations that have no end, or would end the run.
const NOT_CALLED: &[&str] = &["listen_to_events"];

async fn the_gateway_keeps_to_its_description(database: Database) {
    let program = root().join(format!("target/schemathesis-{VERSION}/bin/schemathesis"));
    assert!(program.exists(), "{} is missing: run `make install`", program.display());
    // Something of each kind is there to be found.
    let bench = Bench::with(database, json!({}), Settings::default().line("logs.level = \"error\"")).await;
    bench.send(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "Hello"}})).await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("timeout");
    command.args([BOUND, program.to_str().unwrap(), "run", &format!("{}/openapi.json", bench.gateway.url)]);
    command.args(["--header", &format!("apikey: {}", bench.gateway.key), "--seed", SEED, "--max-examples", EXAMPLES]);
    command.args(["--phases", "examples,coverage,fuzzing", "--generation-deterministic", "--workers", "2", "--no-color"]);
    command.args(["--checks", "all", "--exclude-checks", &LEFT_OUT.join(","), "--request-timeout", "20"]);
    for operation in NOT_CALLED {
        command.args(["--exclude-operation-id", operation]);
    }
    command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {told}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

both! { the_gateway_keeps_to_its_description }
