pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod ids;
pub mod manifest;
pub mod store;
pub mod tasks;
