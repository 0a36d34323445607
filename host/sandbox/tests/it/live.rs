//! Live instances: what they keep, for whom, and until when.

use std::time::{Duration, Instant};

use patchbay_guests::Guest;
use patchbay_sandbox::{CallLimits, Fault, Plugin, SandboxSettings, compile};

use crate::host::{Notes, load, settings, try_load, webhook};

/// Counts its calls in a static and answers as many events; traps when its heap byte says so.
const COUNTING: &str = "(global.set $count (i32.add (global.get $count) (i32.const 1)))
    (memory.fill (i32.const 1048576) (i32.const 0) (i32.const 65536))
    (i32.store offset=8 (i32.const 4096) (i32.const 1048576))
    (i32.store offset=12 (i32.const 4096) (global.get $count))
    (if (i32.eq (global.get $count) (i32.const 4)) (then unreachable))
    (i32.const 4096)";

fn counting() -> Vec<u8> {
    Guest::component_of("parse-inbound", COUNTING)
}

/// How often the instance that answers has been called, itself included.
async fn count(plugin: &Plugin, hot: Option<&str>) -> Result<usize, Fault> {
    let answer = plugin.parse_inbound(CallLimits::default(), Notes::default().services(), &webhook(), hot).await?;
    Ok(answer.unwrap().events.len())
}

#[tokio::test]
async fn nothing_survives_a_call_of_an_account_that_is_not_hot() {
    let plugin = load(&counting());
    for _ in 0..6 {
        assert_eq!(count(&plugin, None).await, Ok(1));
    }
}

#[tokio::test]
async fn a_hot_account_keeps_its_instance_and_shares_it_with_nobody() {
    let plugin = load(&counting());
    assert_eq!(count(&plugin, Some("a")).await, Ok(1));
    assert_eq!(count(&plugin, Some("a")).await, Ok(2));
    assert_eq!(count(&plugin, Some("b")).await, Ok(1));
    assert_eq!(count(&plugin, None).await, Ok(1));
    assert_eq!(count(&plugin, Some("a")).await, Ok(3));
    assert_eq!(count(&plugin, Some("b")).await, Ok(2));
}

#[tokio::test]
async fn a_trap_drops_the_live_instance() {
    let plugin = load(&counting());
    for expected in 1..4 {
        assert_eq!(count(&plugin, Some("a")).await, Ok(expected));
    }
    assert!(matches!(count(&plugin, Some("a")).await, Err(Fault::Trap(_))));
    assert_eq!(count(&plugin, Some("a")).await, Ok(1));
}

#[tokio::test]
async fn a_cancelled_call_drops_the_live_instance() {
    let body = format!("(call $http.send (i32.const 8192) (i32.const 12288)) {COUNTING}");
    let plugin = load(&Guest::component_of("parse-inbound", &body));
    assert_eq!(count(&plugin, Some("a")).await, Ok(1));
    let slow = Notes::default();
    slow.record().http_takes = Duration::from_secs(60);
    let webhook = webhook();
    let hung = plugin.parse_inbound(CallLimits::default(), slow.services(), &webhook, Some("a"));
    assert!(tokio::time::timeout(Duration::from_millis(20), hung).await.is_err());
    assert_eq!(count(&plugin, Some("a")).await, Ok(1));
}

#[tokio::test]
async fn two_calls_of_one_account_at_once_have_an_instance_each() {
    let body = format!("(call $http.send (i32.const 8192) (i32.const 12288)) {COUNTING}");
    let plugin = load(&Guest::component_of("parse-inbound", &body));
    let (one, two) = tokio::join!(count(&plugin, Some("a")), count(&plugin, Some("a")));
    assert_eq!((one, two), (Ok(1), Ok(1)));
    let (one, two) = tokio::join!(count(&plugin, Some("a")), count(&plugin, Some("a")));
    assert_eq!((one, two), (Ok(2), Ok(2)), "both were kept");
}

#[tokio::test]
async fn a_live_instance_is_dropped_after_its_last_use() {
    let plugin = try_load(&counting(), &SandboxSettings { live_uses: 2, ..settings() }).unwrap().plugin;
    for expected in [1, 2, 1, 2, 1] {
        assert_eq!(count(&plugin, Some("a")).await, Ok(expected));
    }
}

#[tokio::test]
async fn an_idle_instance_is_not_used_again() {
    let hasty = SandboxSettings { live_idle: Duration::from_millis(20), ..settings() };
    let plugin = try_load(&counting(), &hasty).unwrap().plugin;
    assert_eq!(count(&plugin, Some("a")).await, Ok(1));
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(count(&plugin, Some("a")).await, Ok(1));
}

#[tokio::test]
async fn the_longest_idle_makes_room_for_another_account() {
    for bound in [SandboxSettings { live_per_plugin: 2, ..settings() }, SandboxSettings { live: 2, ..settings() }] {
        let plugin = try_load(&counting(), &bound).unwrap().plugin;
        for account in ["a", "b", "c"] {
            assert_eq!(count(&plugin, Some(account)).await, Ok(1));
        }
        assert_eq!(count(&plugin, Some("b")).await, Ok(2), "{bound:?}");
        assert_eq!(count(&plugin, Some("c")).await, Ok(2));
        assert_eq!(count(&plugin, Some("a")).await, Ok(1));
    }
}

#[tokio::test]
async fn a_sandbox_without_live_instances_keeps_none() {
    for bound in [SandboxSettings { live: 0, ..settings() }, SandboxSettings { live_memory_bytes: 64 * 1024, ..settings() }] {
        let plugin = try_load(&counting(), &bound).unwrap().plugin;
        assert_eq!(count(&plugin, Some("a")).await, Ok(1));
        assert_eq!(count(&plugin, Some("a")).await, Ok(1), "{bound:?}");
    }
}

#[tokio::test]
async fn an_instance_that_holds_a_blob_or_half_its_memory_is_not_kept() {
    let holding = format!("(drop (call $blob.new (i32.const 8192) (i32.const 0))) {COUNTING}");
    let growing = format!("(drop (memory.grow (i32.const 600))) {COUNTING}");
    for body in [holding, growing] {
        let plugin = load(&Guest::component_of("parse-inbound", &body));
        assert_eq!(count(&plugin, Some("a")).await, Ok(1));
        assert_eq!(count(&plugin, Some("a")).await, Ok(1));
    }
}

#[tokio::test]
async fn each_use_of_a_live_instance_has_its_own_budget_and_services() {
    let body = format!(
        "(local $left i32) (local.set $left (i32.const 150))
         (loop $again
            (call $kv.get (i32.const 0) (i32.const 0) (i32.const 12288))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
         {COUNTING}"
    );
    let plugin = load(&Guest::component_of("parse-inbound", &body));
    for expected in 1..4 {
        let notes = Notes::default();
        let answer = plugin.parse_inbound(CallLimits::default(), notes.services(), &webhook(), Some("a")).await;
        assert_eq!(answer.unwrap().unwrap().events.len(), expected);
        assert_eq!(notes.record().kv_calls, 150);
    }
}

#[tokio::test]
async fn an_idle_instance_gives_its_place_to_another_plugin() {
    let one = SandboxSettings { live: 1, live_idle: Duration::from_millis(20), ..settings() };
    let loaded = try_load(&counting(), &one).unwrap();
    let artefact = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(artefact.path(), compile(&counting()).unwrap()).unwrap();
    let other = loaded.sandbox.load(artefact.path()).unwrap();
    assert_eq!(count(&loaded.plugin, Some("a")).await, Ok(1));
    assert_eq!(count(&other, Some("a")).await, Ok(1));
    assert_eq!(count(&other, Some("a")).await, Ok(1), "the first plugin has the one place");
    // The sweep comes by every second. Until then each try drops its instance.
    let start = Instant::now();
    while count(&other, Some("a")).await != Ok(2) {
        assert!(start.elapsed() < Duration::from_secs(10), "the idle instance stays");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn calls_may_move_between_threads() {
    let plugin = load(&counting());
    let hot = tokio::spawn(async move { count(&plugin, Some("a")).await });
    assert_eq!(hot.await.unwrap(), Ok(1));
}
