//! Every limit is reached by a guest that deserves it, every promise of the README is kept by one that doesn't.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]
#![expect(clippy::disallowed_methods, reason = "a test spawns what it awaits")]

mod host;

mod hooks;
mod imports;
mod limits;
mod live;
mod load;
mod versions;
