//! Several gateways on one PostgreSQL, each with a data folder of its own and the same master key.

use super::{Database, Gateway, Settings};

/// 32 bytes in base64.
pub(crate) const MASTER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

pub(crate) struct Nodes {
    pub(crate) database_url: String,
    pub(crate) nodes: Vec<Gateway>,
}

impl Nodes {
    /// Starts them all at the same moment, on an empty database.
    pub(crate) async fn start(settings: Vec<Settings>) -> Nodes {
        let database_url = Database::Postgres.make_url();
        let starts: Vec<_> = settings
            .into_iter()
            .map(|settings| {
                let url = database_url.clone();
                tokio::task::spawn_blocking(move || Gateway::start_on(&url, &keyed(settings)))
            })
            .collect();
        let mut nodes: Vec<Gateway> = futures::future::join_all(starts).await.into_iter().map(Result::unwrap).collect();
        let told: Vec<String> = nodes.iter().map(|node| node.key.clone()).filter(|key| !key.is_empty()).collect();
        assert_eq!(told.len(), 1, "one of them makes the first key");
        for node in &mut nodes {
            node.key.clone_from(&told[0]);
        }
        Nodes { database_url, nodes }
    }

    /// Adds one to those that run; its index.
    pub(crate) fn add(&mut self, settings: Settings) -> usize {
        let mut node = Gateway::start_on(&self.database_url, &keyed(settings));
        assert!(node.key.is_empty(), "a key is told once");
        node.key.clone_from(&self.nodes[0].key);
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

fn keyed(settings: Settings) -> Settings {
    settings.line(&format!("secrets.master_key = {MASTER_KEY:?}"))
}
