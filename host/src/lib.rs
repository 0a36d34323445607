pub mod clock;
pub mod domain;
pub mod ids;
pub mod store;
pub mod tasks;
