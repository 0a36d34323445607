//! Plain types: what the gateway speaks of, with their JSON and their invariants. Touches nothing.

pub mod account;
pub mod actor;
pub mod attempt;
pub mod canary;
pub mod content;
pub mod endpoint;
pub mod event;
pub mod event_types;
pub mod failure;
pub mod key;
pub mod log;
pub mod media;
pub mod message;
pub mod node;
pub mod organization;
pub mod payload;
pub mod people;
pub mod plugin;
pub mod provider_app;
pub mod sending;
pub mod stats;
pub mod subscription;
pub mod webhook;

/// Gives a closed set of words its text, both ways: the database, the JSON and the URL use the same.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$case_meta:meta])* $case:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$case_meta])* #[serde(rename = $word)] $case,)+ }
        impl $name {
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$case => $word,)+ }
            }
        }
        impl std::str::FromStr for $name {
            type Err = ();
            fn from_str(word: &str) -> std::result::Result<$name, ()> {
                match word { $($word => Ok($name::$case),)+ _ => std::result::Result::Err(()) }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;
