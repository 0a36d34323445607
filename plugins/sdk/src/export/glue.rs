//! Compiles the glue of the large hooks here, once, and not in every plugin.
//!
//! wit-bindgen writes the conversion of a value in full wherever the value occurs: with every kind of content inside of
//! every kind of event, `send` and `parse-inbound` become 70,000 lines, which take LLVM over a minute. Its functions are generic, so
//! each plugin would compile them again. The modules here stand in for the generated ones in the export macros: the large
//! functions become one instance for [`Dispatch`], which calls the plugin through a function pointer. (A plugin's
//! build went from 96 CPU-seconds to 1 for the smallest.) Link-time optimisation would undo it: the profile `guest` has none.
#![expect(unsafe_code, reason = "the generated functions take raw pointers")]
#![expect(clippy::missing_safety_doc, reason = "called by the generated exports only, which got the pointers from the host")]

use std::cell::Cell;

use crate::failure::Failure;
use crate::hooks::{Account, Call, Connecting, Outcome, Page, Parsed, Report, Webhook};
use crate::messages::{Outbound, Sent};

thread_local! {
    static SEND: Cell<Option<fn(Call, Outbound) -> Sent>> = const { Cell::new(None) };
    static PARSE_INBOUND: Cell<Option<fn(Webhook) -> Result<Parsed, Failure>>> = const { Cell::new(None) };
    static POLL: Cell<Option<fn(Call, Option<Vec<u8>>) -> Result<Page, Failure>>> = const { Cell::new(None) };
    static PREVIEW: Cell<Option<fn(Account, Outbound) -> Result<String, Failure>>> = const { Cell::new(None) };
}

/// Calls whatever plugin the export has named just before.
struct Dispatch;

fn nobody() -> Failure {
    Failure::fault("export", "the plugin doesn't export this")
}

impl crate::bindings::plugin::exports::patchbay::channel::channel::Guest for Dispatch {
    fn send(call: Call, message: Outbound) -> Sent {
        SEND.get().map_or_else(|| Sent::failed(nobody()), |send| send(call, message))
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        PARSE_INBOUND.get().ok_or_else(nobody)?(webhook)
    }

    // These are small: plugins export them directly.
    fn configure(_: String) -> Result<String, Failure> {
        Err(nobody())
    }

    fn connect(_: Call, _: Connecting) -> Result<Outcome, Failure> {
        Err(nobody())
    }

    fn health(_: Call) -> Result<Report, Failure> {
        Err(nobody())
    }
}

impl crate::bindings::polling::exports::patchbay::channel::polling::Guest for Dispatch {
    fn poll(call: Call, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        POLL.get().ok_or_else(nobody)?(call, cursor)
    }
}

impl crate::bindings::preview::exports::patchbay::channel::preview::Guest for Dispatch {
    fn preview(account: Account, message: Outbound) -> Result<String, Failure> {
        PREVIEW.get().ok_or_else(nobody)?(account, message)
    }
}

/// In the place of `bindings::plugin`.
pub mod plugin {
    pub mod exports {
        pub mod patchbay {
            pub mod channel {
                pub mod channel {
                    use super::super::super::super::super::{Dispatch, PARSE_INBOUND, SEND};
                    use crate::bindings::plugin::exports::patchbay::channel::channel as generated;

                    pub use generated::{
                        __export_patchbay_channel_channel_1_0_0_cabi, __post_return_configure, __post_return_connect, __post_return_health,
                        _export_configure_cabi, _export_connect_cabi, _export_health_cabi,
                    };

                    pub unsafe fn _export_send_cabi<T: generated::Guest>(arguments: *mut u8) -> *mut u8 {
                        SEND.set(Some(T::send));
                        unsafe { send(arguments) }
                    }

                    #[inline(never)]
                    unsafe fn send(arguments: *mut u8) -> *mut u8 {
                        unsafe { generated::_export_send_cabi::<Dispatch>(arguments) }
                    }

                    pub unsafe fn __post_return_send<T: generated::Guest>(result: *mut u8) {
                        unsafe { free_sent(result) }
                    }

                    #[inline(never)]
                    unsafe fn free_sent(result: *mut u8) {
                        unsafe { generated::__post_return_send::<Dispatch>(result) }
                    }

                    pub unsafe fn _export_parse_inbound_cabi<T: generated::Guest>(arguments: *mut u8) -> *mut u8 {
                        PARSE_INBOUND.set(Some(T::parse_inbound));
                        unsafe { parse_inbound(arguments) }
                    }

                    #[inline(never)]
                    unsafe fn parse_inbound(arguments: *mut u8) -> *mut u8 {
                        unsafe { generated::_export_parse_inbound_cabi::<Dispatch>(arguments) }
                    }

                    pub unsafe fn __post_return_parse_inbound<T: generated::Guest>(result: *mut u8) {
                        unsafe { free_parsed(result) }
                    }

                    #[inline(never)]
                    unsafe fn free_parsed(result: *mut u8) {
                        unsafe { generated::__post_return_parse_inbound::<Dispatch>(result) }
                    }
                }
            }
        }
    }
}

/// In the place of `bindings::polling`.
pub mod polling {
    pub mod exports {
        pub mod patchbay {
            pub mod channel {
                pub mod polling {
                    use super::super::super::super::super::{Dispatch, POLL};
                    use crate::bindings::polling::exports::patchbay::channel::polling as generated;

                    pub use generated::__export_patchbay_channel_polling_1_0_0_cabi;

                    /// The call and the cursor, flattened.
                    #[expect(clippy::too_many_arguments, reason = "the canonical ABI passes up to 16 values by themselves")]
                    pub unsafe fn _export_poll_cabi<T: generated::Guest>(
                        a: *mut u8,
                        b: usize,
                        c: i32,
                        d: *mut u8,
                        e: usize,
                        f: *mut u8,
                        g: usize,
                        h: i32,
                        i: f64,
                        j: *mut u8,
                        k: usize,
                        l: i32,
                        m: *mut u8,
                        n: usize,
                    ) -> *mut u8 {
                        POLL.set(Some(T::poll));
                        unsafe { poll(a, b, c, d, e, f, g, h, i, j, k, l, m, n) }
                    }

                    #[inline(never)]
                    #[expect(clippy::too_many_arguments, reason = "the canonical ABI passes up to 16 values by themselves")]
                    unsafe fn poll(
                        a: *mut u8,
                        b: usize,
                        c: i32,
                        d: *mut u8,
                        e: usize,
                        f: *mut u8,
                        g: usize,
                        h: i32,
                        i: f64,
                        j: *mut u8,
                        k: usize,
                        l: i32,
                        m: *mut u8,
                        n: usize,
                    ) -> *mut u8 {
                        unsafe { generated::_export_poll_cabi::<Dispatch>(a, b, c, d, e, f, g, h, i, j, k, l, m, n) }
                    }

                    pub unsafe fn __post_return_poll<T: generated::Guest>(result: *mut u8) {
                        unsafe { free_page(result) }
                    }

                    #[inline(never)]
                    unsafe fn free_page(result: *mut u8) {
                        unsafe { generated::__post_return_poll::<Dispatch>(result) }
                    }
                }
            }
        }
    }
}

/// In the place of `bindings::preview`.
pub mod preview {
    pub mod exports {
        pub mod patchbay {
            pub mod channel {
                pub mod preview {
                    use super::super::super::super::super::{Dispatch, PREVIEW};
                    use crate::bindings::preview::exports::patchbay::channel::preview as generated;

                    pub use generated::__export_patchbay_channel_preview_1_0_0_cabi;

                    pub unsafe fn _export_preview_cabi<T: generated::Guest>(arguments: *mut u8) -> *mut u8 {
                        PREVIEW.set(Some(T::preview));
                        unsafe { preview(arguments) }
                    }

                    #[inline(never)]
                    unsafe fn preview(arguments: *mut u8) -> *mut u8 {
                        unsafe { generated::_export_preview_cabi::<Dispatch>(arguments) }
                    }

                    pub unsafe fn __post_return_preview<T: generated::Guest>(result: *mut u8) {
                        unsafe { free_facts(result) }
                    }

                    #[inline(never)]
                    unsafe fn free_facts(result: *mut u8) {
                        unsafe { generated::__post_return_preview::<Dispatch>(result) }
                    }
                }
            }
        }
    }
}
