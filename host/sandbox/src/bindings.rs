//! What `bindgen!` makes of `wit/`: three small worlds over one set of types.
//!
//! Functions of the host that may wait are `async`; all of them may trap, because all of them are counted.

pub(crate) mod plugin {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "plugin",
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
        },
        exports: { default: async },
    });
}

pub(crate) mod plugin_polling {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "plugin-polling",
        with: { "patchbay:channel": super::plugin::patchbay::channel },
        imports: { default: trappable },
        exports: { default: async },
        require_store_data_send: true,
    });
}

pub(crate) mod plugin_media_download {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "plugin-media-download",
        with: { "patchbay:channel": super::plugin::patchbay::channel },
        imports: { default: trappable },
        exports: { default: async },
        require_store_data_send: true,
    });
}
