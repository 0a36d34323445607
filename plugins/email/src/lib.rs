//! The incoming half alone, so that its tests run.

mod thread;
