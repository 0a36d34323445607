#![doc = include_str!("../README.md")]

mod clock;
mod failures;
mod post;
mod recorded;
mod server;
pub mod telegram;

pub use failures::{Failure, Moment};
pub use recorded::{RecordedRequest, Recording};
pub use telegram::Telegram;
