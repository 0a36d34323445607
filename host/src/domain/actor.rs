//! Who did something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words;

words! {
    pub enum ActorKind {
        /// Whoever holds an API key.
        Key = "key",
        /// Whoever holds a token of the identity provider's.
        Token = "token",
        /// Whoever has a shell on the gateway's machine.
        CommandLine = "command_line",
        /// Whoever may write to the plugin folder; the name is the file's.
        Folder = "folder",
        /// Whoever may push to a registry; the name is the reference.
        Registry = "registry",
        /// Whoever may write the configuration.
        Configuration = "configuration",
        /// The gateway by itself.
        System = "system",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    pub kind: ActorKind,
    /// Of a key; of a token, its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What people know it by.
    pub name: String,
}

impl Actor {
    pub fn key(id: &str, name: &str) -> Actor {
        Actor { kind: ActorKind::Key, id: Some(id.to_owned()), name: name.to_owned() }
    }

    pub fn token(subject: &str, name: &str) -> Actor {
        Actor { kind: ActorKind::Token, id: Some(subject.to_owned()), name: name.to_owned() }
    }

    pub fn command_line() -> Actor {
        Actor { kind: ActorKind::CommandLine, id: None, name: "command line".to_owned() }
    }

    pub fn folder(file: &str) -> Actor {
        Actor { kind: ActorKind::Folder, id: None, name: file.to_owned() }
    }

    pub fn registry(reference: &str) -> Actor {
        Actor { kind: ActorKind::Registry, id: None, name: reference.to_owned() }
    }

    pub fn configuration() -> Actor {
        Actor { kind: ActorKind::Configuration, id: None, name: "configuration".to_owned() }
    }

    pub fn system() -> Actor {
        Actor { kind: ActorKind::System, id: None, name: "patchbay".to_owned() }
    }
}
