//! What wit-bindgen makes of `wit/`: the only place that names it. One module for each world, because a plugin exports
//! only the groups that it implements; the later ones share the types of the first.

/// Records, variants, imports, and the five hooks.
pub mod plugin {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin",
        pub_export_macro: true,
        generate_unused_types: true,
        additional_derives: [PartialEq, Clone, serde::Serialize],
        // They hold a blob, which is a handle.
        additional_derives_ignore: ["body", "part", "part-content", "request", "response-body", "response", "letter", "folder"],
    });
}

/// The optional group `polling`.
pub mod polling {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin-polling",
        pub_export_macro: true,
        additional_derives: [PartialEq, Clone, serde::Serialize],
        with: {
            "patchbay:channel/types@1.0.0": super::plugin::patchbay::channel::types,
            "patchbay:channel/messages@1.0.0": super::plugin::patchbay::channel::messages,
            "patchbay:channel/log@1.0.0": super::plugin::patchbay::channel::log,
            "patchbay:channel/kv@1.0.0": super::plugin::patchbay::channel::kv,
            "patchbay:channel/http@1.0.0": super::plugin::patchbay::channel::http,
            "patchbay:channel/crypto@1.0.0": super::plugin::patchbay::channel::crypto,
            "patchbay:channel/mail@1.0.0": super::plugin::patchbay::channel::mail,
        },
    });
}

/// The optional group `templates`.
pub mod templates {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin-templates",
        pub_export_macro: true,
        additional_derives: [PartialEq, Clone, serde::Serialize],
        with: {
            "patchbay:channel/types@1.0.0": super::plugin::patchbay::channel::types,
            "patchbay:channel/log@1.0.0": super::plugin::patchbay::channel::log,
            "patchbay:channel/kv@1.0.0": super::plugin::patchbay::channel::kv,
            "patchbay:channel/http@1.0.0": super::plugin::patchbay::channel::http,
            "patchbay:channel/crypto@1.0.0": super::plugin::patchbay::channel::crypto,
            "patchbay:channel/mail@1.0.0": super::plugin::patchbay::channel::mail,
        },
    });
}

/// The optional group `preview`.
pub mod preview {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin-preview",
        pub_export_macro: true,
        with: {
            "patchbay:channel/types@1.0.0": super::plugin::patchbay::channel::types,
            "patchbay:channel/messages@1.0.0": super::plugin::patchbay::channel::messages,
            "patchbay:channel/log@1.0.0": super::plugin::patchbay::channel::log,
            "patchbay:channel/kv@1.0.0": super::plugin::patchbay::channel::kv,
            "patchbay:channel/http@1.0.0": super::plugin::patchbay::channel::http,
            "patchbay:channel/crypto@1.0.0": super::plugin::patchbay::channel::crypto,
            "patchbay:channel/mail@1.0.0": super::plugin::patchbay::channel::mail,
        },
    });
}

/// The optional group `media-download`.
pub mod media_download {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin-media-download",
        pub_export_macro: true,
        with: {
            "patchbay:channel/types@1.0.0": super::plugin::patchbay::channel::types,
            "patchbay:channel/log@1.0.0": super::plugin::patchbay::channel::log,
            "patchbay:channel/kv@1.0.0": super::plugin::patchbay::channel::kv,
            "patchbay:channel/http@1.0.0": super::plugin::patchbay::channel::http,
            "patchbay:channel/crypto@1.0.0": super::plugin::patchbay::channel::crypto,
            "patchbay:channel/mail@1.0.0": super::plugin::patchbay::channel::mail,
        },
    });
}
