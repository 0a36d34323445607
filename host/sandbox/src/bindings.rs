//! What `bindgen!` makes of `wit/`: the types of everything, and the traits of what the host offers. Hooks are called
//! by [`hook`](crate::hook).
//!
//! Functions of the host that may wait are `async`; all of them may trap, because all of them are counted.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin-full",
    with: { "patchbay:channel/types.blob": crate::imports::blob::Blob },
    imports: {
        default: trappable,
        "patchbay:channel/types.[constructor]blob": async | trappable,
        "patchbay:channel/types.[method]blob.read": async | trappable,
        "patchbay:channel/types.[method]blob.append": async | trappable,
        "patchbay:channel/kv.get": async | trappable,
        "patchbay:channel/kv.set": async | trappable,
        "patchbay:channel/kv.delete": async | trappable,
        "patchbay:channel/http.send": async | trappable,
        "patchbay:channel/mail.submit": async | trappable,
        "patchbay:channel/mail.fetch": async | trappable,
        "patchbay:channel/mail.mark-seen": async | trappable,
        "patchbay:channel/mail.probe": async | trappable,
    },
    exports: { default: async },
});
