//! Places where a debug build can be made to die, so that tests see what a crash just there leaves behind. A release build has
//! none.

use crate::app::App;

/// The steps of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Something is due, and nothing is claimed yet.
    Claiming,
    /// The lease is committed.
    Leased,
    /// It is noted that bytes may leave, and none has left.
    Dispatching,
    /// The provider's answer is known and not written.
    Answered,
    /// The outcome is written and not committed.
    Settling,
}

/// Ends the process here, at once and without a word to anybody, where the file `crash-at` in the data folder names the step. The file goes
/// first: the next process lives.
#[cfg(debug_assertions)]
pub(super) fn point(app: &App, step: Step) {
    let file = app.config.data.join("crash-at");
    let asked = std::fs::read_to_string(&file).is_ok_and(|asked| asked.trim().eq_ignore_ascii_case(&format!("{step:?}")));
    if asked && std::fs::remove_file(&file).is_ok() {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(super) fn point(_: &App, _: Step) {}
