//! Each bound, reached.

use std::time::{Duration, Instant};

use patchbay_guests::Guest;
use patchbay_sandbox::{CallLimits, Fault, SandboxSettings};

use crate::host::{Notes, call, load, settings, try_load, webhook};

/// Calls `configure` of a guest with this body.
async fn configure(body: &str, limits: CallLimits, notes: &Notes) -> Fault {
    let plugin = load(&Guest::component_of("configure", body));
    plugin.configure(limits, notes.services(), "{}").await.expect_err("the guest goes too far")
}

async fn configure_with_defaults(body: &str) -> Fault {
    configure(body, CallLimits::default(), &Notes::default()).await
}

/// Calls `parse-inbound` of a guest with this body.
async fn parse(body: &str, memory_pages: u32) -> Fault {
    let component = Guest { hooks: &[("parse-inbound", body)], memory_pages, ..Guest::default() }.component();
    let answer = load(&component).parse_inbound(CallLimits::default(), Notes::default().services(), &webhook(), None).await;
    answer.expect_err("the answer is too large")
}

const ENDLESS: &str = "(loop $again (br $again)) unreachable";

#[tokio::test]
async fn an_endless_loop_ends_when_its_processor_time_is_used_up() {
    let limits = CallLimits { cpu: Duration::from_millis(50), ..CallLimits::default() };
    let start = Instant::now();
    assert_eq!(configure(ENDLESS, limits, &Notes::default()).await, Fault::Cpu(Duration::from_millis(50)));
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn an_endless_loop_leaves_its_thread_to_others_every_tick() {
    let loop_ = tokio::spawn(async { configure_with_defaults(ENDLESS).await });
    let mut turns = 0;
    while !loop_.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        turns += 1;
    }
    assert_eq!(loop_.await.unwrap(), Fault::Cpu(Duration::from_millis(250)));
    assert!(turns >= 10, "only {turns} turns on the one thread");
}

#[tokio::test]
async fn a_guest_that_waits_for_the_host_uses_no_processor_time() {
    let notes = Notes::default();
    notes.record().http_takes = Duration::from_millis(60);
    let body = "(call $http.send (i32.const 8192) (i32.const 4096))
        (call $http.send (i32.const 8192) (i32.const 4096))
        (call $http.send (i32.const 8192) (i32.const 4096))
        (i32.const 16384)";
    let plugin = load(&Guest::component_of("configure", body));
    let limits = CallLimits { cpu: Duration::from_millis(60), ..CallLimits::default() };
    let answer = plugin.configure(limits, notes.services(), "{}").await.expect("it only waited");
    assert_eq!(answer.expect("an empty string"), "");
}

#[tokio::test]
async fn a_slow_host_call_is_cut_off_at_the_wall_clock() {
    let notes = Notes::default();
    notes.record().http_takes = Duration::from_secs(60);
    let limits = CallLimits { wall: Duration::from_millis(150), ..CallLimits::default() };
    let body = "(call $http.send (i32.const 8192) (i32.const 4096)) unreachable";
    assert_eq!(configure(body, limits, &notes).await, Fault::Deadline(Duration::from_millis(150)));
}

#[tokio::test]
async fn a_deep_recursion_traps() {
    let component =
        Guest { hooks: &[("configure", "(call $deeper) unreachable")], items: "(func $deeper (call $deeper))", ..Guest::default() };
    let fault = load(&component.component()).configure(CallLimits::default(), Notes::default().services(), "{}").await.unwrap_err();
    let text = "wasm trap: call stack exhausted, in deeper < deeper < deeper < deeper";
    assert_eq!(fault, Fault::Trap(text.to_owned()));
}

#[tokio::test]
async fn a_memory_bomb_is_refused_and_its_abort_told_as_memory() {
    // As a Rust guest does: grow, and abort when that fails.
    let body = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    assert_eq!(configure_with_defaults(body).await, Fault::Memory(64 * 1024 * 1024));
}

#[tokio::test]
async fn a_guest_may_live_with_a_refused_growth() {
    let body = "(drop (memory.grow (i32.const 65000))) (i32.const 16384)";
    let plugin = load(&Guest::component_of("configure", body));
    assert_eq!(plugin.configure(CallLimits::default(), Notes::default().services(), "{}").await.unwrap().unwrap(), "");
}

#[tokio::test]
async fn tables_count_as_memory() {
    let limits = CallLimits { memory_bytes: 32 * 64 * 1024 + 4_096, ..CallLimits::default() };
    let body = "(drop (table.grow (ref.null func) (i32.const 1000))) unreachable";
    let component = Guest { hooks: &[("configure", body)], items: "(table 1 funcref)", ..Guest::default() }.component();
    let fault = load(&component).configure(limits, Notes::default().services(), "{}").await.unwrap_err();
    assert_eq!(fault, Fault::Memory(limits.memory_bytes));
}

#[tokio::test]
async fn a_guest_that_starts_too_large_is_told_so() {
    let component = Guest { memory_pages: 1_100, ..Guest::default() }.component();
    let fault = load(&component).configure(CallLimits::default(), Notes::default().services(), "{}").await.unwrap_err();
    assert_eq!(fault, Fault::Memory(64 * 1024 * 1024));
}

#[tokio::test]
async fn a_flood_of_host_calls_ends_the_call() {
    let notes = Notes::default();
    let body = "(loop $again (call $kv.get (i32.const 0) (i32.const 0) (i32.const 4096)) (br $again)) unreachable";
    assert_eq!(configure(body, CallLimits::default(), &notes).await, Fault::HostCalls(200));
    assert_eq!(notes.record().kv_calls, 200);
}

#[tokio::test]
async fn a_flood_of_http_requests_ends_the_call() {
    let notes = Notes::default();
    let body = "(loop $again (call $http.send (i32.const 8192) (i32.const 4096)) (br $again)) unreachable";
    assert_eq!(configure(body, CallLimits::default(), &notes).await, Fault::HttpRequests(16));
    assert_eq!(notes.record().requests.len(), 16);
}

#[tokio::test]
async fn a_flood_of_logs_is_cut_and_costs_nothing_else() {
    let notes = Notes::default();
    // 10,000 lines of 1,000 bytes: NULs from the scratch memory.
    let body = "(local $line i32)
        (loop $again
            (call $log.write (i32.const 1) (i32.const 8192) (i32.const 1000) (i32.const 0) (i32.const 0))
            (local.set $line (i32.add (local.get $line) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $line) (i32.const 10000))))
        (i32.const 16384)";
    let plugin = load(&Guest::component_of("configure", body));
    plugin.configure(CallLimits::default(), notes.services(), "{}").await.expect("no fault").expect("no failure");
    let record = notes.record();
    assert_eq!(record.logs.len(), 64 * 1024 / 1_016 + 1);
    assert_eq!(record.logs.last().unwrap().1, "log truncated");
}

/// The answer at 4096 is `ok`, with so many events from 1 MiB on, where the memory is zero: empty text, no options.
fn events(count: u32) -> String {
    format!(
        "(i32.store offset=8 (i32.const 4096) (i32.const 1048576))
         (i32.store offset=12 (i32.const 4096) (i32.const {count}))
         (i32.const 4096)"
    )
}

#[tokio::test]
async fn an_answer_with_too_many_events_is_refused() {
    assert_eq!(parse(&wiped(&events(501)), 64).await, Fault::Output { what: "events", most: 500 });
}

#[tokio::test]
async fn an_answer_with_as_many_events_as_allowed_is_taken() {
    let component = Guest { hooks: &[("parse-inbound", &wiped(&events(500)))], memory_pages: 64, ..Guest::default() }.component();
    let answer = load(&component).parse_inbound(CallLimits::default(), Notes::default().services(), &webhook(), None).await;
    assert_eq!(answer.unwrap().unwrap().events.len(), 500);
}

/// The webhook was copied to where the events are to be.
fn wiped(body: &str) -> String {
    format!("(memory.fill (i32.const 1048576) (i32.const 0) (i32.const 65536)) {body}")
}

#[tokio::test]
async fn an_answer_of_too_many_bytes_is_refused() {
    // One event, whose dedupe key is 5 MiB of NULs.
    let body = format!("(i32.store offset=4 (i32.const 1048576) (i32.const 5242880)) {}", events(1));
    assert_eq!(parse(&wiped(&body), 128).await, Fault::Output { what: "bytes at once", most: 4 * 1024 * 1024 });
}

#[tokio::test]
async fn a_call_waits_for_a_place_and_gives_up_at_the_wall_clock() {
    let one = SandboxSettings { calls: 1, live: 0, ..settings() };
    let component = Guest::component_of("configure", "(call $http.send (i32.const 8192) (i32.const 4096)) (i32.const 16384)");
    let loaded = try_load(&component, &one).unwrap();
    let slow = Notes::default();
    slow.record().http_takes = Duration::from_millis(400);

    let (first, second) = (loaded.plugin.clone(), loaded.plugin.clone());
    let services = slow.services();
    let first = tokio::spawn(async move { first.configure(CallLimits::default(), services, "{}").await });
    while slow.record().requests.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let hasty = CallLimits { wall: Duration::from_millis(50), ..CallLimits::default() };
    let busy = second.configure(hasty, Notes::default().services(), "{}").await.unwrap_err();
    assert_eq!(busy, Fault::Busy(Duration::from_millis(50)));
    second.configure(CallLimits::default(), Notes::default().services(), "{}").await.expect("there is a place by then").unwrap();
    first.await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn one_plugins_share_leaves_places_to_another() {
    let shared = SandboxSettings { calls: 2, calls_per_plugin: 1, live: 0, ..settings() };
    let component = Guest::component_of("configure", "(call $http.send (i32.const 8192) (i32.const 4096)) (i32.const 16384)");
    let loaded = try_load(&component, &shared).unwrap();
    let artefact = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(artefact.path(), patchbay_sandbox::compile(&component).unwrap()).unwrap();
    let other = loaded.sandbox.load(artefact.path()).unwrap();

    let slow = Notes::default();
    slow.record().http_takes = Duration::from_secs(60);
    let (plugin, services) = (loaded.plugin.clone(), slow.services());
    let hung = tokio::spawn(async move { plugin.configure(CallLimits::default(), services, "{}").await });
    while slow.record().requests.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let hasty = CallLimits { wall: Duration::from_secs(1), ..CallLimits::default() };
    let busy = CallLimits { wall: Duration::from_millis(50), ..hasty };
    assert!(matches!(loaded.plugin.configure(busy, Notes::default().services(), "{}").await, Err(Fault::Busy(_))));
    other.configure(hasty, Notes::default().services(), "{}").await.expect("its own share").unwrap();
    hung.abort();
}

#[tokio::test]
async fn a_cancelled_call_gives_its_place_back() {
    let one = SandboxSettings { calls: 1, live: 0, ..settings() };
    let component = Guest::component_of("configure", "(call $http.send (i32.const 8192) (i32.const 4096)) (i32.const 16384)");
    let plugin = try_load(&component, &one).unwrap().plugin;
    let slow = Notes::default();
    slow.record().http_takes = Duration::from_secs(60);
    for _ in 0..20 {
        let call = plugin.configure(CallLimits::default(), slow.services(), "{}");
        assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err(), "the request takes a minute");
    }
    plugin.configure(CallLimits::default(), Notes::default().services(), "{}").await.expect("the place is free").unwrap();
}

#[tokio::test]
async fn a_trap_in_any_hook_costs_that_call_alone() {
    let component = Guest { world: "plugin-full", ..Guest::default() }.component();
    let plugin = load(&component);
    let (limits, notes) = (CallLimits::default(), Notes::default());
    let outbound = crate::hooks::outbound();
    for _ in 0..3 {
        let faults = [
            plugin.configure(limits, notes.services(), "{}").await.unwrap_err(),
            plugin.connect(limits, notes.services(), &call(), &crate::hooks::connecting()).await.unwrap_err(),
            plugin.send(limits, notes.services(), &call(), &outbound).await.unwrap_err(),
            plugin.parse_inbound(limits, notes.services(), &webhook(), None).await.unwrap_err(),
            plugin.health(limits, notes.services(), &call()).await.unwrap_err(),
            plugin.poll(limits, notes.services(), &call(), None).await.unwrap_err(),
            plugin.download(limits, notes.services(), &call(), "ref").await.unwrap_err(),
        ];
        for fault in faults {
            assert!(matches!(&fault, Fault::Trap(text) if text.contains("unreachable")), "{fault}");
        }
    }
}
