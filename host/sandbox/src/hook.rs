//! The hooks: where each is in a component, what it takes and what it answers.
//!
//! `bindgen!` could call them, and compares the types of all of them with the component's for each new instance: with
//! records as large as ours that is more than half of a fresh call. Types belong to the component and not to an
//! instance, so here they are compared once, when the plugin is loaded.

use std::marker::PhantomData;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Lower, Resource, TypedFunc};

use crate::contract::Spoken;
use crate::contract::channel::{Connecting, Outcome, Parsed, Report, Webhook};
use crate::contract::messages::{Outbound, Sent};
use crate::contract::polling::Page;
use crate::contract::templates::TemplatePage;
use crate::contract::types::{Account, Call, Failure};
use crate::contract::v0_1::Old;
use crate::error::{Fault, LoadError};
use crate::imports::blob::Blob;
use crate::live::Instance;
use crate::state::State;

/// One function of the contract that plugins export.
pub(crate) trait Signature {
    const INTERFACE: &'static str;
    const FUNCTION: &'static str;
    type Params<'a>: ComponentNamedList + Lower + Send + Sync;
    type Answer: ComponentNamedList + Lift + Send + 'static;

    /// How many events the answer holds.
    fn events(_answer: &Self::Answer) -> usize {
        0
    }
}

/// A hook of one component, its types compared with those of the version that the component speaks.
pub(crate) struct Hook<S> {
    export: ComponentExportIndex,
    spoken: Spoken,
    signature: PhantomData<fn() -> S>,
}

impl<S: Old> Hook<S> {
    /// `interface` is the full name by which the component exports it.
    pub(crate) fn find(instance: &InstancePre<State>, spoken: Spoken, interface: &str) -> Result<Hook<S>, LoadError> {
        let component = instance.component();
        let item = component.get_export_index(None, interface).and_then(|interface| component.get_export(Some(&interface), S::FUNCTION));
        let Some((ComponentItem::ComponentFunc(function), export)) = item else {
            return Err(LoadError::MissingExports(vec![format!("{interface}#{}", S::FUNCTION)]));
        };
        let types = instance.instance_type();
        let fits = match spoken {
            Spoken::V0_1 => function.typecheck::<S::OldParams<'_>, S::OldAnswer>(&types),
            Spoken::V1 => function.typecheck::<S::Params<'_>, S::Answer>(&types),
        };
        fits.map_err(|error| LoadError::Mismatch { spoken: spoken.version(), what: format!("{interface}#{}: {error:#}", S::FUNCTION) })?;
        Ok(Hook { export, spoken, signature: PhantomData })
    }

    /// Calls the hook of an instance of the component it was found in, and counts the answer's events; their bytes are
    /// bounded while they are copied out of the guest.
    pub(crate) async fn call(&self, instance: &mut Instance, params: S::Params<'_>) -> Result<S::Answer, Fault> {
        let answer = match self.spoken {
            Spoken::V0_1 => S::lift(self.call_typed(instance, S::lower(params)).await?),
            Spoken::V1 => self.call_typed(instance, params).await?,
        };
        let most = instance.store.data().limits.events;
        if S::events(&answer) > most {
            return Err(Fault::Output { what: "events", most });
        }
        Ok(answer)
    }

    /// Only with the types that `find` has compared: those of the version that is spoken.
    async fn call_typed<P, A>(&self, instance: &mut Instance, params: P) -> Result<A, Fault>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        A: ComponentNamedList + Lift + Send + 'static,
    {
        let Instance { store, exports, .. } = instance;
        let Some(function) = exports.get_func(&mut *store, self.export) else {
            return Err(Fault::NotExported(S::FUNCTION));
        };
        #[expect(
            unsafe_code,
            reason = "the one duty is that the types fit the function: `find`, the only maker of a Hook, has compared these \
                      very types with the component's, and an export's index finds nothing in another component"
        )]
        // SAFETY: see the reason above.
        let typed = unsafe { TypedFunc::<P, A>::new_unchecked(function) };
        let answer = typed.call_async(&mut *store, params).await;
        store.data_mut().settle(answer)
    }
}

pub(crate) struct Configure;
pub(crate) struct Connect;
pub(crate) struct SendOut;
pub(crate) struct ParseInbound;
pub(crate) struct Health;
pub(crate) struct Poll;
pub(crate) struct Download;
pub(crate) struct ListTemplates;
pub(crate) struct Preview;

impl Signature for Configure {
    const INTERFACE: &'static str = "channel";
    const FUNCTION: &'static str = "configure";
    type Params<'a> = (&'a str,);
    type Answer = (Result<String, Failure>,);
}

impl Signature for Connect {
    const INTERFACE: &'static str = "channel";
    const FUNCTION: &'static str = "connect";
    type Params<'a> = (&'a Call, &'a Connecting);
    type Answer = (Result<Outcome, Failure>,);
}

impl Signature for SendOut {
    const INTERFACE: &'static str = "channel";
    const FUNCTION: &'static str = "send";
    type Params<'a> = (&'a Call, &'a Outbound);
    type Answer = (Sent,);

    fn events((sent,): &(Sent,)) -> usize {
        sent.events.len()
    }
}

impl Signature for ParseInbound {
    const INTERFACE: &'static str = "channel";
    const FUNCTION: &'static str = "parse-inbound";
    type Params<'a> = (&'a Webhook,);
    type Answer = (Result<Parsed, Failure>,);

    fn events((parsed,): &Self::Answer) -> usize {
        parsed.as_ref().map_or(0, |parsed| parsed.events.len())
    }
}

impl Signature for Health {
    const INTERFACE: &'static str = "channel";
    const FUNCTION: &'static str = "health";
    type Params<'a> = (&'a Call,);
    type Answer = (Result<Report, Failure>,);
}

impl Signature for Poll {
    const INTERFACE: &'static str = "polling";
    const FUNCTION: &'static str = "poll";
    type Params<'a> = (&'a Call, Option<&'a [u8]>);
    type Answer = (Result<Page, Failure>,);

    fn events((page,): &Self::Answer) -> usize {
        page.as_ref().map_or(0, |page| page.events.len())
    }
}

impl Signature for Download {
    const INTERFACE: &'static str = "media-download";
    const FUNCTION: &'static str = "download";
    type Params<'a> = (&'a Call, &'a str);
    type Answer = (Result<Resource<Blob>, Failure>,);
}

impl Signature for ListTemplates {
    const INTERFACE: &'static str = "templates";
    const FUNCTION: &'static str = "list-templates";
    type Params<'a> = (&'a Call, Option<&'a str>);
    type Answer = (Result<TemplatePage, Failure>,);
}

impl Signature for Preview {
    const INTERFACE: &'static str = "preview";
    const FUNCTION: &'static str = "preview";
    type Params<'a> = (&'a Account, &'a Outbound);
    type Answer = (Result<String, Failure>,);
}
