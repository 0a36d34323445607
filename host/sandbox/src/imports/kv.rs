//! The small store of each plugin and account.

use std::time::Duration;

use crate::bindings::patchbay::channel::kv::{Entry, Host, Problem};
use crate::services::{KvEntry, KvProblem};
use crate::state::State;

impl Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Option<Entry>> {
        let entry = self.host_call()?.kv_get(&key).await;
        Ok(entry.map(|KvEntry { value, version }| Entry { value, version }))
    }

    async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl_s: Option<u32>,
        expected: Option<u32>,
    ) -> wasmtime::Result<Result<u32, Problem>> {
        let ttl = ttl_s.map(|seconds| Duration::from_secs(seconds.into()));
        Ok(self.host_call()?.kv_set(&key, value, ttl, expected).await.map_err(Problem::from))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        self.host_call()?.kv_delete(&key).await;
        Ok(())
    }
}

impl From<KvProblem> for Problem {
    fn from(problem: KvProblem) -> Problem {
        match problem {
            KvProblem::Conflict(version) => Problem::Conflict(version),
            KvProblem::Quota => Problem::Quota,
            KvProblem::TooLarge => Problem::TooLarge,
        }
    }
}
