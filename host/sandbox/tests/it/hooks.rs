//! Answers that pass through.

use patchbay_guests::Guest;
use patchbay_sandbox::contract::channel::{Connecting, Progress, Step};
use patchbay_sandbox::contract::messages::{Command, Outbound};
use patchbay_sandbox::contract::types::Failure;
use patchbay_sandbox::{CallLimits, Fault, Groups};

use crate::host::{Notes, call, load};

pub(crate) fn outbound() -> Outbound {
    Outbound {
        id: "message".to_owned(),
        to: "someone".to_owned(),
        conversation: None,
        reply_to: None,
        command: Command::Typing(true),
        reply_context: None,
        subscriptions: Vec::new(),
        extras: Vec::new(),
    }
}

pub(crate) fn connecting() -> Connecting {
    Connecting { step: Step::Start, webhook_url: "https://example.org/webhooks/1".to_owned(), state: None }
}

/// At 16384 there is nothing but zeros: the first case of every variant, and everything in it empty.
const ZEROS: &str = "(i32.const 16384)";

#[tokio::test]
async fn settings_come_back_as_the_plugin_normalised_them() {
    // `ok`, with the string it was given.
    let body = "(i32.store offset=8 (i32.const 4096) (local.get 0))
        (i32.store offset=12 (i32.const 4096) (local.get 1))
        (i32.const 4096)";
    let plugin = load(&Guest::component_of("configure", body));
    let answer = plugin.configure(CallLimits::default(), Notes::default().services(), r#"{"a": 1}"#).await;
    assert_eq!(answer.unwrap().unwrap(), r#"{"a": 1}"#);
}

#[tokio::test]
async fn a_failure_is_an_answer_and_no_fault() {
    // `err`, `unauthorized` (1), an empty detail.
    let body = "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.store8 offset=8 (i32.const 4096) (i32.const 1)) (i32.const 4096)";
    let plugin = load(&Guest::component_of("health", body));
    let answer = plugin.health(CallLimits::default(), Notes::default().services(), &call()).await.unwrap();
    assert!(matches!(answer, Err(Failure::Unauthorized(_))), "{answer:?}");
}

#[tokio::test]
async fn every_hook_answers() {
    let hooks = [("configure", ZEROS), ("connect", ZEROS), ("send", ZEROS), ("health", ZEROS), ("poll", ZEROS), ("preview", ZEROS)];
    let plugin = load(&Guest { world: "plugin-full", hooks: &hooks, ..Guest::default() }.component());
    let (limits, notes) = (CallLimits::default(), Notes::default());
    let outcome = plugin.connect(limits, notes.services(), &call(), &connecting()).await.unwrap().unwrap();
    assert!(matches!(outcome.progress, Progress::Connected(_)), "{outcome:?}");
    let sent = plugin.send(limits, notes.services(), &call(), &outbound()).await.unwrap();
    assert!(sent.accepted.is_empty() && sent.failed.is_none() && sent.events.is_empty(), "{sent:?}");
    let report = plugin.health(limits, notes.services(), &call()).await.unwrap().unwrap();
    assert!(report.checks.is_empty() && report.facts.is_empty());
    let page = plugin.poll(limits, notes.services(), &call(), Some(b"cursor")).await.unwrap().unwrap();
    assert!(page.events.is_empty() && !page.more, "{page:?}");
    let facts = plugin.preview(limits, notes.services(), &call().account, &outbound()).await.unwrap().unwrap();
    assert_eq!(facts, "");
}

#[tokio::test]
async fn a_plugin_tells_its_optional_groups() {
    let (limits, notes) = (CallLimits::default(), Notes::default());
    let full = load(&Guest { world: "plugin-full", ..Guest::default() }.component());
    assert_eq!(full.groups(), Groups { polling: true, media_download: true, templates: true, preview: true });
    let plain = load(&Guest::default().component());
    assert_eq!(plain.groups(), Groups { polling: false, media_download: false, templates: false, preview: false });
    assert_eq!(plain.poll(limits, notes.services(), &call(), None).await.unwrap_err(), Fault::NotExported("polling"));
    let preview = plain.preview(limits, notes.services(), &call().account, &outbound()).await;
    assert_eq!(preview.unwrap_err(), Fault::NotExported("preview"));
    let download = plain.download(limits, notes.services(), &call(), "ref").await;
    assert_eq!(download.unwrap_err(), Fault::NotExported("media-download"));
}

#[tokio::test]
async fn a_download_answers_the_blob_that_the_plugin_filled() {
    // A blob of type "a/b", 3 bytes appended, its handle in `ok`.
    let body = r"(local $blob i32)
        (local.set $blob (call $blob.new (i32.const 8192) (i32.const 3)))
        (call $blob.append (local.get $blob) (i32.const 8192) (i32.const 3) (i32.const 4096))
        (i32.store8 (i32.const 16384) (i32.const 0))
        (i32.store offset=8 (i32.const 16384) (local.get $blob))
        (i32.const 16384)";
    let guest = Guest { world: "plugin-full", hooks: &[("download", body)], items: r#"(data (i32.const 8192) "a/b")"#, ..Guest::default() };
    let plugin = load(&guest.component());
    let notes = Notes::default();
    let blob = plugin.download(CallLimits::default(), notes.services(), &call(), "ref").await.unwrap().unwrap();
    assert_eq!((blob.id.as_str(), blob.mime_type.as_str(), blob.size), ("blob-1", "a/b", 3));
    assert_eq!(notes.record().appended, [("blob-1".to_owned(), b"a/b".to_vec())]);

    let full = Notes::default();
    full.record().blobs_fail = true;
    let fault = plugin.download(CallLimits::default(), full.services(), &call(), "ref").await.unwrap_err();
    assert_eq!(fault, Fault::Blob("the disk is full".to_owned()));
}
