//! What no plugin should do. Each either never comes back, or comes back as if nothing had been.

use std::hint::black_box;

use patchbay_plugin::{Failure, http, kv, log};

const MIB: usize = 1024 * 1024;
/// More lines than any log takes.
const LINES: usize = 10_000;

pub(crate) fn play(trick: &str) -> Result<(), Failure> {
    match trick {
        "none" => {}
        "loop" => loop {
            black_box(trick);
        },
        "recursion" => {
            black_box(deeper(1));
        }
        "memory" => hoard(),
        "fill" => fill(),
        "trap" => panic!("a trap"),
        "host-calls" => loop {
            black_box(kv::get("a key"));
        },
        "requests" => loop {
            black_box(http::Request::get("api", "/ping").send().is_ok());
        },
        "log" => flood_log(),
        "failure" => return Err(Failure::fault("gave_up", "the plugin says that it is at fault")),
        other => return Err(Failure::fault("no_such_trick", format!("the zoo knows no trick “{other}”"))),
    }
    Ok(())
}

/// Each call needs the one behind it.
#[expect(unconditional_recursion, reason = "that is the trick")]
fn deeper(depth: u64) -> u64 {
    black_box(deeper(black_box(depth + 1))) + 1
}

/// Takes memory, and uses it, until there is none.
fn hoard() {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; MIB]);
        black_box(&all);
    }
}

/// Writes over all that it can have, again and again.
fn fill() {
    let mut all = vec![0_u8; 48 * MIB];
    for round in 0..=u8::MAX {
        // Compiled to `memory.fill`, which nothing interrupts.
        all.fill(round);
        black_box(&all);
    }
    loop {
        all.fill(1);
        black_box(&all);
    }
}

fn flood_log() {
    let line = "x".repeat(1000);
    for _ in 0..LINES {
        log::info(&line, &[("field", &line)]);
    }
}
