//! What a guest may ask of the host, and how it arrives.

use std::time::Duration;

use patchbay_guests::Guest;
use patchbay_sandbox::services::{Denial, HttpBody, LogLevel, PartContent, Stretch};
use patchbay_sandbox::{CallLimits, Fault};

use crate::host::{Notes, load};

/// Calls `configure` of a guest and answers what it says.
async fn configure(guest: &Guest<'_>, notes: &Notes) -> Result<String, Fault> {
    let answer = load(&guest.component()).configure(CallLimits::default(), notes.services(), "{}").await?;
    Ok(answer.unwrap())
}

/// Answers `ok` with the bytes at an address.
fn answer(pointer: &str, length: &str) -> String {
    format!(
        "(i32.store8 (i32.const 16384) (i32.const 0))
         (i32.store offset=8 (i32.const 16384) {pointer})
         (i32.store offset=12 (i32.const 16384) {length})
         (i32.const 16384)"
    )
}

#[tokio::test]
async fn a_request_body_of_a_borrowed_blob_arrives_as_its_id() {
    // A request at 8192, all empty but its body (at 40): case 2, a handle.
    let body = format!(
        "(i32.store8 offset=40 (i32.const 8192) (i32.const 2))
         (i32.store offset=44 (i32.const 8192) (call $blob.new (i32.const 0) (i32.const 0)))
         (call $http.send (i32.const 8192) (i32.const 4096)) {}",
        answer("(i32.const 0)", "(i32.const 0)")
    );
    let notes = Notes::default();
    configure(&Guest { hooks: &[("configure", &body)], ..Guest::default() }, &notes).await.unwrap();
    assert_eq!(notes.record().requests[0].body, HttpBody::Blob("blob-1".to_owned()));
}

#[tokio::test]
async fn a_part_that_names_a_stored_blob_arrives_as_its_id() {
    // Body case 4: one part at 12288, with its content at 32: case 2, a string of 3 bytes.
    let body = format!(
        "(i32.store8 offset=40 (i32.const 8192) (i32.const 4))
         (i32.store offset=44 (i32.const 8192) (i32.const 12288))
         (i32.store offset=48 (i32.const 8192) (i32.const 1))
         (i32.store8 offset=32 (i32.const 12288) (i32.const 2))
         (i32.store offset=36 (i32.const 12288) (i32.const 20480))
         (i32.store offset=40 (i32.const 12288) (i32.const 3))
         (call $http.send (i32.const 8192) (i32.const 4096)) {}",
        answer("(i32.const 0)", "(i32.const 0)")
    );
    let notes = Notes::default();
    let guest = Guest { hooks: &[("configure", &body)], items: r#"(data (i32.const 20480) "abc")"#, ..Guest::default() };
    configure(&guest, &notes).await.unwrap();
    let record = notes.record();
    let HttpBody::Multipart(parts) = &record.requests[0].body else { panic!("{:?}", record.requests) };
    assert_eq!(parts[0].content, PartContent::Blob("abc".to_owned()));
}

#[tokio::test]
async fn a_request_never_outlives_its_call() {
    let body = format!("(call $http.send (i32.const 8192) (i32.const 4096)) {}", answer("(i32.const 0)", "(i32.const 0)"));
    let notes = Notes::default();
    configure(&Guest { hooks: &[("configure", &body)], ..Guest::default() }, &notes).await.unwrap();
    let timeout = notes.record().requests[0].timeout.unwrap();
    assert!(timeout > Duration::from_secs(5) && timeout < Duration::from_secs(10), "{timeout:?}");
}

#[tokio::test]
async fn a_request_that_carries_too_much_is_denied_and_not_sent() {
    // 3 MiB inline; the answer holds, from the result at 4096: err (1), denied (0), and which.
    let body = format!(
        "(i32.store8 offset=40 (i32.const 8192) (i32.const 1))
         (i32.store offset=48 (i32.const 8192) (i32.const 3145728))
         (call $http.send (i32.const 8192) (i32.const 4096))
         (i32.store8 (i32.const 20480) (i32.add (i32.const 48) (i32.load8_u offset=0 (i32.const 4096))))
         (i32.store8 (i32.const 20481) (i32.add (i32.const 48) (i32.load8_u offset=4 (i32.const 4096))))
         (i32.store8 (i32.const 20482) (i32.add (i32.const 48) (i32.load8_u offset=8 (i32.const 4096)))) {}",
        answer("(i32.const 20480)", "(i32.const 3)")
    );
    let notes = Notes::default();
    let said = configure(&Guest { hooks: &[("configure", &body)], memory_pages: 64, ..Guest::default() }, &notes).await.unwrap();
    assert_eq!(said, format!("10{}", Denial::TooLarge as u8));
    assert!(notes.record().requests.is_empty());
}

#[tokio::test]
async fn a_read_of_a_blob_is_cut_to_its_window() {
    let body = format!(
        "(call $blob.read (call $blob.new (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 1000000) (i32.const 4096))
         {}",
        answer("(i32.load offset=4 (i32.const 4096))", "(i32.load offset=8 (i32.const 4096))")
    );
    let said = configure(&Guest { hooks: &[("configure", &body)], ..Guest::default() }, &Notes::default()).await.unwrap();
    assert_eq!(said.len(), 256 * 1024);
}

#[tokio::test]
async fn a_blob_that_could_not_be_opened_says_why_when_it_is_used() {
    let body = format!(
        "(call $blob.append (call $blob.new (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 1) (i32.const 4096))
         {}",
        answer("(i32.load offset=4 (i32.const 4096))", "(i32.load offset=8 (i32.const 4096))")
    );
    let notes = Notes::default();
    notes.record().blobs_fail = true;
    let said = configure(&Guest { hooks: &[("configure", &body)], ..Guest::default() }, &notes).await.unwrap();
    assert_eq!(said, "the disk is full");
}

#[tokio::test]
async fn equal_bytes_are_equal_and_others_are_not() {
    let body = format!(
        "(i32.store8 (i32.const 20480) (i32.add (i32.const 48)
            (call $crypto.constant-time-equal (i32.const 8192) (i32.const 3) (i32.const 8195) (i32.const 3))))
         (i32.store8 (i32.const 20481) (i32.add (i32.const 48)
            (call $crypto.constant-time-equal (i32.const 8192) (i32.const 3) (i32.const 8195) (i32.const 2))))
         (i32.store8 (i32.const 20482) (i32.add (i32.const 48)
            (call $crypto.constant-time-equal (i32.const 8192) (i32.const 3) (i32.const 8196) (i32.const 3)))) {}",
        answer("(i32.const 20480)", "(i32.const 3)")
    );
    let guest = Guest { hooks: &[("configure", &body)], items: r#"(data (i32.const 8192) "abcabcd")"#, ..Guest::default() };
    assert_eq!(configure(&guest, &Notes::default()).await.unwrap(), "100");
}

#[tokio::test]
async fn wasi_is_there_for_those_who_ask_and_there_is_nothing_in_it() {
    // The number of environment variables, of arguments and of folders; random bytes are 8 when 8 are asked for.
    let body = format!(
        "(call $environment.get-environment (i32.const 4096))
         (i32.store8 (i32.const 20480) (i32.add (i32.const 48) (i32.load offset=4 (i32.const 4096))))
         (call $environment.get-arguments (i32.const 4096))
         (i32.store8 (i32.const 20481) (i32.add (i32.const 48) (i32.load offset=4 (i32.const 4096))))
         (call $random.get-random-bytes (i64.const 8) (i32.const 4096))
         (i32.store8 (i32.const 20482) (i32.add (i32.const 48) (i32.load offset=4 (i32.const 4096)))) {}",
        answer("(i32.const 20480)", "(i32.const 3)")
    );
    let guest = Guest {
        hooks: &[("configure", &body)],
        wit: &[("world imports {", "world imports { import wasi:cli/environment@0.2.6; import wasi:random/random@0.2.6;")],
        packages: "package wasi:cli@0.2.6 { interface environment {
                get-environment: func() -> list<tuple<string, string>>;
                get-arguments: func() -> list<string>;
            } }
            package wasi:random@0.2.6 { interface random { get-random-bytes: func(len: u64) -> list<u8>; } }",
        ..Guest::default()
    };
    assert_eq!(configure(&guest, &Notes::default()).await.unwrap(), "008");
}

#[tokio::test]
async fn a_runtimes_random_numbers_and_time_are_asked_of_the_services() {
    // Four times the byte that these give for a random one, and their time.
    let body = format!(
        "(call $random.get-random-bytes (i64.const 4) (i32.const 4096))
         (call $wall-clock.now (i32.const 8192))
         (i32.store (i32.const 20480) (i32.load (i32.load (i32.const 4096))))
         (i32.store8 (i32.const 20484) (i32.wrap_i64 (i64.load (i32.const 8192)))) {}",
        answer("(i32.const 20480)", "(i32.const 5)")
    );
    let guest = Guest {
        hooks: &[("configure", &body)],
        wit: &[("world imports {", "world imports { import wasi:clocks/wall-clock@0.2.6; import wasi:random/random@0.2.6;")],
        packages: "package wasi:clocks@0.2.6 { interface wall-clock {
                record datetime { seconds: u64, nanoseconds: u32 }
                now: func() -> datetime;
            } }
            package wasi:random@0.2.6 { interface random { get-random-bytes: func(len: u64) -> list<u8>; } }",
        ..Guest::default()
    };
    assert_eq!(configure(&guest, &Notes::default()).await.unwrap(), "\u{4}\u{4}\u{4}\u{4}*");
}

#[tokio::test]
async fn what_a_guest_prints_is_in_the_log_even_if_it_then_traps() {
    let body = "(call $output-stream.write (call $stderr.get-stderr) (i32.const 8192) (i32.const 9) (i32.const 4096)) unreachable";
    let guest = Guest {
        hooks: &[("configure", body)],
        items: r#"(data (i32.const 8192) "Traceback")"#,
        wit: &[("world imports {", "world imports { import wasi:cli/stderr@0.2.6; import wasi:io/streams@0.2.6;")],
        packages: "package wasi:cli@0.2.6 { interface stderr {
                use wasi:io/streams@0.2.6.{output-stream};
                get-stderr: func() -> output-stream;
            } }
            package wasi:io@0.2.6 {
                interface error { resource error; }
                interface streams {
                    use error.{error};
                    variant stream-error { last-operation-failed(error), closed }
                    resource output-stream { write: func(contents: list<u8>) -> result<_, stream-error>; }
                }
            }",
        ..Guest::default()
    };
    let notes = Notes::default();
    assert!(matches!(configure(&guest, &notes).await, Err(Fault::Trap(_))));
    assert_eq!(notes.record().logs, [(LogLevel::Debug, "Traceback".to_owned())]);
}

#[tokio::test]
async fn a_file_in_a_letter_arrives_as_its_id() {
    // To the target "abc" of nobody to nobody; one stretch at 8192: case 1, a string of 3 bytes.
    let body = format!(
        "(i32.store8 (i32.const 8192) (i32.const 1))
         (i32.store offset=4 (i32.const 8192) (i32.const 20480))
         (i32.store offset=8 (i32.const 8192) (i32.const 3))
         (call $mail.submit (i32.const 20480) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 8192) (i32.const 1) (i32.const 4096)) {}",
        answer("(i32.const 0)", "(i32.const 0)")
    );
    let notes = Notes::default();
    let guest = Guest { hooks: &[("configure", &body)], items: r#"(data (i32.const 20480) "abc")"#, ..Guest::default() };
    configure(&guest, &notes).await.unwrap();
    let (target, envelope, letter) = notes.record().letters[0].clone();
    assert_eq!((target.as_str(), envelope.sender, letter), ("abc", None, vec![Stretch::File("abc".to_owned())]));
}

#[tokio::test]
async fn letters_count_among_the_requests() {
    let submit = "(call $mail.submit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0) (i32.const 0) (i32.const 4096))";
    let guest = Guest { hooks: &[("configure", &format!("{submit}{submit}(i32.const 0)"))], ..Guest::default() };
    let limits = CallLimits { http_requests: 1, ..CallLimits::default() };
    let fault = load(&guest.component()).configure(limits, Notes::default().services(), "{}").await.unwrap_err();
    assert!(matches!(fault, Fault::HttpRequests(1)), "{fault:?}");
}

#[tokio::test]
async fn random_bytes_are_bounded() {
    let body = format!(
        "(call $crypto.random (i32.const 1000000) (i32.const 4096)) {}",
        answer("(i32.load (i32.const 4096))", "(i32.load offset=4 (i32.const 4096))")
    );
    let random = configure(&Guest { hooks: &[("configure", &body)], ..Guest::default() }, &Notes::default()).await.unwrap();
    assert_eq!(random.len(), 1024);
}
