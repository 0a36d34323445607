//! A loaded plugin and its hooks.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::call::{self, Places};
use crate::contract::channel::{Connecting, Outcome, Parsed, Report, Webhook};
use crate::contract::messages::{Outbound, Sent};
use crate::contract::polling::Page;
use crate::contract::templates::TemplatePage;
use crate::contract::types::{Account, Call, Failure};
use crate::contract::v0_1::Old;
use crate::error::Fault;
use crate::hook::Hook;
use crate::lane::SlowLane;
use crate::limits::CallLimits;
use crate::live::{Instance, Live};
use crate::load::Linked;
use crate::services::{BlobInfo, Services};
use crate::state::Visit;

/// The optional groups of hooks that a plugin exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    /// [`Plugin::poll`] works.
    pub polling: bool,
    /// [`Plugin::download`] works.
    pub media_download: bool,
    /// [`Plugin::list_templates`] works.
    pub templates: bool,
    /// [`Plugin::preview`] works.
    pub preview: bool,
}

/// One version of a plugin, ready to be called by many at once. Cloning it is cheap; the code is unmapped with the last
/// clone.
///
/// Every hook may end in a [`Fault`], which is about the code; a `Failure` is the plugin's own answer, about the call.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    linked: Linked,
    places: Places,
    live: Arc<Live>,
}

impl Plugin {
    pub(crate) fn new(linked: Linked, calls: Arc<Semaphore>, calls_of_plugin: u32, slow: SlowLane, live: Arc<Live>) -> Plugin {
        let share = calls_of_plugin.try_into().unwrap_or(Semaphore::MAX_PERMITS);
        let places = Places { plugin: Arc::new(Semaphore::new(share)), all: calls, slow };
        Plugin { inner: Arc::new(Inner { linked, places, live }) }
    }

    /// The version of the contract that the component speaks, read from its exports when it was loaded.
    pub fn contract(&self) -> &'static str {
        self.inner.linked.spoken.version()
    }

    /// Read from the component's exports when it was loaded.
    pub fn groups(&self) -> Groups {
        let linked = &self.inner.linked;
        Groups {
            polling: linked.poll.is_some(),
            media_download: linked.download.is_some(),
            templates: linked.list_templates.is_some(),
            preview: linked.preview.is_some(),
        }
    }

    /// Checks settings (a JSON object) and answers them normalised.
    pub async fn configure(
        &self,
        limits: CallLimits,
        services: Box<dyn Services>,
        settings: &str,
    ) -> Result<Result<String, Failure>, Fault> {
        let (answer,) = self.call(limits, services, &self.inner.linked.configure, (settings,)).await?;
        Ok(answer)
    }

    /// Takes one step of connecting an account.
    pub async fn connect(
        &self,
        limits: CallLimits,
        services: Box<dyn Services>,
        call: &Call,
        input: &Connecting,
    ) -> Result<Result<Outcome, Failure>, Fault> {
        let (answer,) = self.call(limits, services, &self.inner.linked.connect, (call, input)).await?;
        Ok(answer)
    }

    /// Sends one message. A fault after the first HTTP request leaves open whether the provider has it.
    pub async fn send(&self, limits: CallLimits, services: Box<dyn Services>, call: &Call, message: &Outbound) -> Result<Sent, Fault> {
        let (sent,) = self.call(limits, services, &self.inner.linked.send, (call, message)).await?;
        Ok(sent)
    }

    /// Reads the events out of a webhook. With `hot`, an account's id, the instance may be one that has answered this
    /// account before, and is kept for its next call if this one goes well.
    pub async fn parse_inbound(
        &self,
        limits: CallLimits,
        services: Box<dyn Services>,
        webhook: &Webhook,
        hot: Option<&str>,
    ) -> Result<Result<Parsed, Failure>, Fault> {
        let Inner { linked, places, live } = &*self.inner;
        let work = |visit| async move {
            let mut instance = match hot.and_then(|account| live.take(account)) {
                Some(mut kept) => {
                    let calls = kept.calls();
                    call::revisit(&mut kept.store, visit, calls);
                    kept
                }
                None => self.instance(visit).await?,
            };
            let (answer,) = linked.parse_inbound.call(&mut instance, (webhook,)).await?;
            if let Some(account) = hot
                && !matches!(answer, Err(Failure::Fault(_)))
            {
                live.keep(account, instance);
            }
            Ok(answer)
        };
        places.run(limits, services, work).await
    }

    /// Checks an account's connection.
    pub async fn health(&self, limits: CallLimits, services: Box<dyn Services>, call: &Call) -> Result<Result<Report, Failure>, Fault> {
        let (answer,) = self.call(limits, services, &self.inner.linked.health, (call,)).await?;
        Ok(answer)
    }

    /// Asks the provider for what has happened since `cursor`. [`Fault::NotExported`] without the group `polling`.
    pub async fn poll(
        &self,
        limits: CallLimits,
        services: Box<dyn Services>,
        call: &Call,
        cursor: Option<&[u8]>,
    ) -> Result<Result<Page, Failure>, Fault> {
        let poll = self.inner.linked.poll.as_ref().ok_or(Fault::NotExported("polling"))?;
        let (answer,) = self.call(limits, services, poll, (call, cursor)).await?;
        Ok(answer)
    }

    /// The provider's templates behind the cursor. [`Fault::NotExported`] without the group `templates`.
    pub async fn list_templates(
        &self,
        limits: CallLimits,
        services: Box<dyn Services>,
        call: &Call,
        cursor: Option<&str>,
    ) -> Result<Result<TemplatePage, Failure>, Fault> {
        let list = self.inner.linked.list_templates.as_ref().ok_or(Fault::NotExported("templates"))?;
        let (answer,) = self.call(limits, services, list, (call, cursor)).await?;
        Ok(answer)
    }

    /// Judges a message before it is queued, and tells what can be told of it (a JSON object). [`Fault::NotExported`] without
    /// the group `preview`.
    pub async fn preview(
        &self,
        limits: CallLimits,
        services: Box<dyn Services>,
        account: &Account,
        message: &Outbound,
    ) -> Result<Result<String, Failure>, Fault> {
        let preview = self.inner.linked.preview.as_ref().ok_or(Fault::NotExported("preview"))?;
        let (answer,) = self.call(limits, services, preview, (account, message)).await?;
        Ok(answer)
    }

    /// Fetches media by the provider's reference into a blob. [`Fault::NotExported`] without the group `media-download`.
    pub async fn download(
        &self,
        limits: CallLimits,
        services: Box<dyn Services>,
        call: &Call,
        provider_ref: &str,
    ) -> Result<Result<BlobInfo, Failure>, Fault> {
        let download = self.inner.linked.download.as_ref().ok_or(Fault::NotExported("media-download"))?;
        let work = |visit| async move {
            let mut fresh = self.instance(visit).await?;
            let blob = match download.call(&mut fresh, (call, provider_ref)).await? {
                (Ok(blob),) => blob,
                (Err(failure),) => return Ok(Err(failure)),
            };
            let blob = fresh.store.data_mut().blobs.delete(blob).map_err(|error| Fault::Blob(error.to_string()))?;
            blob.into_info().map(Ok).map_err(Fault::Blob)
        };
        self.inner.places.run(limits, services, work).await
    }

    /// One call of a hook in an instance of its own.
    async fn call<S: Old>(
        &self,
        limits: CallLimits,
        services: Box<dyn Services>,
        hook: &Hook<S>,
        params: S::Params<'_>,
    ) -> Result<S::Answer, Fault> {
        let work = |visit| async move {
            let mut fresh = self.instance(visit).await?;
            hook.call(&mut fresh, params).await
        };
        self.inner.places.run(limits, services, work).await
    }

    /// A fresh instance in a store of its own.
    async fn instance(&self, visit: Visit) -> Result<Instance, Fault> {
        let plugin = &self.inner.linked.instance;
        let mut store = call::store(plugin.engine(), visit);
        let exports = plugin.instantiate_async(&mut store).await;
        let exports = store.data_mut().settle(exports)?;
        Ok(Instance::new(store, exports))
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("groups", &self.groups()).finish_non_exhaustive()
    }
}
