//! The processes that share a database: who is there and what each runs ([`presence`]), and what a newcomer has to agree with:
//! the time ([`time`]) and the master key ([`prove_key`]).

mod key;
pub mod presence;
pub mod time;

pub use key::{prove_key, unknown_key};

use crate::{
    clock::At,
    config::Config,
    domain::node::{Node, Running},
    ids::Ids,
    plugins::Registry,
};

/// This process, as it tells of itself.
pub fn this_node(config: &Config, address: std::net::SocketAddr, ids: &Ids, now: At) -> Node {
    let name = match config.node.name.as_str() {
        "" => machine_name().unwrap_or_else(|| address.to_string()),
        name => name.to_owned(),
    };
    Node {
        id: ids.next(now),
        name,
        address: address.to_string(),
        roles: config.roles(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: now,
    }
}

/// As Linux tells it; elsewhere the address has to do.
fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// What runs here for each channel type.
pub fn running(plugins: &Registry) -> Vec<Running> {
    plugins
        .type_names()
        .into_iter()
        .map(|channel_type| {
            let version = plugins.get(&channel_type);
            Running {
                digest: version.as_ref().map(|version| version.digest.clone()),
                version: version.as_ref().map(|version| version.manifest.version.clone()),
                problem: plugins.problem(&channel_type).map(|problem| problem.reason),
                canary: plugins.canary(&channel_type).map(|canary| canary.digest.clone()),
                channel_type,
            }
        })
        .collect()
}
