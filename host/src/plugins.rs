//! Plugins at run time: which versions there are ([`install`]), which of them runs for each channel type ([`Registry`]), and
//! what a version is asked ([`Version`]). Start at [`Registry`]; [`folder`] and the REST door bring new components in.

mod call_blobs;
mod compiler;
pub mod convert;
pub(crate) mod crypto;
pub(crate) mod es256;
pub mod folder;
mod follow;
mod http_trace;
mod install;
pub mod recording;
mod registry;
mod services;
mod version;
mod watch;

pub use call_blobs::{CallBlobs, Told, told};
pub use compiler::compile_to;
pub use follow::follow;
pub use install::{InstallError, Installed, activate, digest_of, install, roll_back};
pub use registry::{LoadProblem, Registry, is_current, sync};
pub use services::{CallServices, Captured};
pub use version::Version;
