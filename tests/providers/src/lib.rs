#![doc = include_str!("../README.md")]
#![expect(
    clippy::indexing_slicing,
    reason = "JSON objects only: reading a name that isn't there gives null, writing is done to literals; slices are read with get"
)]

pub mod acme;
pub mod appgain;
mod clock;
mod desk;
mod failures;
#[cfg(test)]
mod hook;
pub mod linkedin;
pub mod mail;
pub mod meta;
mod post;
pub mod push;
mod recorded;
mod server;
pub mod shopify;
pub mod telegram;
pub mod tiktok;
pub mod victorylink;

pub use acme::Acme;
pub use appgain::Appgain;
pub use failures::{Failure, Moment};
pub use linkedin::LinkedIn;
pub use mail::Mail;
pub use meta::Meta;
pub use push::Push;
pub use recorded::{RecordedRequest, Recording};
pub use shopify::Shopify;
pub use telegram::Telegram;
pub use tiktok::TikTok;
pub use victorylink::VictoryLink;
