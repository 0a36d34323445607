//! Queries against a declared table: as text, as SQL, in memory.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "the statements are run against a database of the test's own")]

mod equal;
mod errors;
mod queries;
mod table;
