//! Queries against a declared table: as text, as SQL, in memory.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod equal;
mod errors;
mod queries;
mod table;
