//! The incoming half alone, so that its tests run.

mod letter;
mod poll;
mod receive;
mod report;
mod thread;
