//! From the traits to the component's exports.

#[cfg(target_arch = "wasm32")]
pub mod glue;

use std::marker::PhantomData;
use std::sync::Once;

use crate::bindings::plugin::exports::patchbay::channel::channel::Guest as ChannelExports;
use crate::bindings::{media_download, polling, preview, templates};
use crate::failure::Failure;
use crate::hooks::{
    Account, Call, Channel, Connecting, MediaDownload, Outcome, Page, Parsed, Polling, Preview, Report, TemplatePage, Templates, Webhook,
};
use crate::messages::{Outbound, Sent};

/// Exports a plugin's hooks, and the optional groups that it names:
///
/// ```ignore
/// patchbay_plugin::channel!(Telegram: Polling, MediaDownload);
/// ```
///
/// Only a build for WebAssembly exports anything; elsewhere the traits are checked.
#[macro_export]
macro_rules! channel {
    ($plugin:ty $(: $($group:ident),+ $(,)?)?) => {
        const _: () = {
            const fn implements<T: $crate::Channel $($(+ $crate::$group)+)?>() {}
            implements::<$plugin>();
        };

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::export::Exported<$plugin>;
            $crate::bindings::plugin::export!(Exported with_types_in $crate::export::glue::plugin);
            $($($crate::__export_group!($group);)+)?
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_group {
    (Polling) => {
        $crate::bindings::polling::export!(Exported with_types_in $crate::export::glue::polling);
    };
    (Templates) => {
        $crate::bindings::templates::export!(Exported with_types_in $crate::bindings::templates);
    };
    (Preview) => {
        $crate::bindings::preview::export!(Exported with_types_in $crate::export::glue::preview);
    };
    (MediaDownload) => {
        $crate::bindings::media_download::export!(Exported with_types_in $crate::bindings::media_download);
    };
}

/// The exports of a plugin.
pub struct Exported<T>(PhantomData<T>);

/// A panic would otherwise reach the host as an `unreachable` trap without a word.
fn report_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map_or_else(String::new, |place| format!("{}:{}", place.file(), place.line()));
            crate::log::error(panic.payload_as_str().unwrap_or("a panic"), &[("at", &place)]);
        }));
    });
}

impl<T: Channel> ChannelExports for Exported<T> {
    fn configure(settings: String) -> Result<String, Failure> {
        report_panics();
        T::configure(&settings)
    }

    fn connect(call: Call, input: Connecting) -> Result<Outcome, Failure> {
        report_panics();
        T::connect(&call, input)
    }

    fn send(call: Call, message: Outbound) -> Sent {
        report_panics();
        T::send(&call, message)
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        report_panics();
        T::parse_inbound(webhook)
    }

    fn health(call: Call) -> Result<Report, Failure> {
        report_panics();
        T::health(&call)
    }
}

impl<T: Polling> polling::exports::patchbay::channel::polling::Guest for Exported<T> {
    fn poll(call: Call, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        report_panics();
        T::poll(&call, cursor)
    }
}

impl<T: Templates> templates::exports::patchbay::channel::templates::Guest for Exported<T> {
    fn list_templates(call: Call, cursor: Option<String>) -> Result<TemplatePage, Failure> {
        report_panics();
        T::list_templates(&call, cursor)
    }
}

impl<T: Preview> preview::exports::patchbay::channel::preview::Guest for Exported<T> {
    fn preview(account: Account, message: Outbound) -> Result<String, Failure> {
        report_panics();
        T::preview(&account, &message)
    }
}

impl<T: MediaDownload> media_download::exports::patchbay::channel::media_download::Guest for Exported<T> {
    #[cfg(target_arch = "wasm32")]
    fn download(call: Call, provider_ref: String) -> Result<crate::host::BlobHandle, Failure> {
        report_panics();
        T::download(&call, &provider_ref).map(crate::blob::Blob::into_handle)
    }

    /// Only a component exports.
    #[cfg(not(target_arch = "wasm32"))]
    fn download(_: Call, _: String) -> Result<crate::bindings::plugin::patchbay::channel::types::Blob, Failure> {
        Err(Failure::fault("native", "media are handed over by components only"))
    }
}
