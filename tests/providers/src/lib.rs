#![doc = include_str!("../README.md")]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON objects only: reading a name that isn't there gives null, writing is done to literals; slices are read with get"
)]

mod clock;
mod failures;
pub mod meta;
mod post;
mod recorded;
mod server;
pub mod shopify;
pub mod telegram;

pub use failures::{Failure, Moment};
pub use meta::Meta;
pub use recorded::{RecordedRequest, Recording};
pub use shopify::Shopify;
pub use telegram::Telegram;
