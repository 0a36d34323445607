#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod checks;
pub mod graph;
pub mod json;
pub mod login;
pub mod media;
pub mod messaging;
pub mod outbound;
pub mod refusal;
pub mod subscription;
pub mod token;

pub use graph::{Graph, Trouble};
pub use json::Json;
pub use refusal::{Class, Refusal};
