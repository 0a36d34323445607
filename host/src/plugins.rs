//! Plugins at run time: how a version comes in ([`install`], `examination.rs`), which of them runs for each channel type ([`rollout`],
//! [`Registry`]), and what a version is asked ([`Version`]). Start at [`Registry`]; [`folder`] and the REST door bring new components in.

mod approval;
mod breaker;
mod call_blobs;
mod compiler;
pub mod convert;
pub(crate) mod crypto;
pub(crate) mod es256;
mod examination;
mod examiner;
pub mod faults;
pub mod folder;
mod follow;
mod http_trace;
mod imports;
mod install;
pub mod moves;
pub mod recording;
mod registry;
mod revocation;
pub mod rollout;
mod services;
pub mod shadow;
mod trust;
mod version;
mod watch;
mod watchman;
mod withhold;

pub use approval::{JudgementError, approve, reject};
pub use call_blobs::{CallBlobs, Told, told};
pub use compiler::compile_to;
pub use examination::run as take_up;
pub use examiner::examine;
pub use follow::follow;
pub use install::{Arrived, Brought, InstallError, Installed, Stored, digest_of, go_on, install, keep};
pub use registry::{LoadProblem, Registry, Standing, standing, sync};
pub use revocation::{revoke, revoke_key};
pub use rollout::{RolloutError, activate, roll_back};
pub use services::{CallServices, Captured};
pub use version::Version;
pub use watchman::watch;
pub use withhold::withhold;
