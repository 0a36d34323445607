//! Plugins at run time: which versions there are ([`install`]), which of them runs for each channel type ([`Registry`]), and
//! what a version is asked ([`Version`]). Start at [`Registry`]; [`folder`] and the REST door bring new components in.

mod call_blobs;
mod compiler;
pub mod convert;
pub(crate) mod crypto;
pub(crate) mod es256;
pub mod faults;
pub mod folder;
mod follow;
mod http_trace;
mod install;
pub mod moves;
mod registry;
pub mod rollout;
mod services;
pub mod shadow;
mod version;
mod watch;
mod watchman;

pub use call_blobs::{CallBlobs, Told, told};
pub use compiler::compile_to;
pub use follow::follow;
pub use install::{InstallError, Installed, digest_of, install};
pub use registry::{LoadProblem, Registry, Standing, standing, sync};
pub use rollout::{RolloutError, activate, roll_back};
pub use services::{CallServices, Captured};
pub use version::Version;
pub use watchman::watch;
