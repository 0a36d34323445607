#![doc = include_str!("../README.md")]

mod artefact;
mod bindings;
mod call;
mod compile;
pub mod contract;
mod engine;
mod error;
mod hook;
mod imports;
mod lane;
mod limits;
mod live;
mod load;
mod memory;
mod meter;
mod plugin;
mod sandbox;
pub mod services;
mod state;
mod ticker;

pub use compile::compile;
pub use engine::SandboxSettings;
pub use error::{CompileError, Fault, LoadError, SandboxError};
pub use limits::CallLimits;
pub use load::is_offered;
pub use plugin::{Groups, Plugin};
pub use sandbox::{Sandbox, SandboxLoad};
pub use services::{BlobInfo, Services};
