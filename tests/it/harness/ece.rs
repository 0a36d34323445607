//! What a browser reads of a push, by http_ece: a second opinion that shares no code with the gateway or the stand-in.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use patchbay_providers::push::{Received, Subscription};
use serde_json::json;

/// The Python that has it.
pub(crate) fn python() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/push/bin/python");
    assert!(program.exists(), "{} is missing: run `make install`, which puts http_ece and jeepney there", program.display());
    program
}

/// The text of a push.
pub(crate) fn open(subscription: &Subscription, received: &Received) -> String {
    let body = URL_SAFE_NO_PAD.encode(&received.body);
    let sealed = json!({"open": {"private_key": subscription.private_key, "auth": subscription.auth, "body": body}});
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/harness/ece.py");
    let output = Command::new(python()).arg(script).arg(sealed.to_string()).output().unwrap();
    assert!(output.status.success(), "http_ece can't read it: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
