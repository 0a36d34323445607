//! The end-to-end suite: real processes, real databases, real components; only the providers are stand-ins.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod accounts;
mod apps;
mod command_line;
mod conformance;
mod corpus;
mod deliveries;
mod distribution;
mod email;
mod endpoints;
mod guests;
mod harness;
mod inbound;
mod linkedin;
mod logs;
mod media;
mod messenger;
mod nodes;
mod oauth;
mod old_contract;
mod openapi;
mod outbound;
mod outbox;
mod plugins;
mod postgrest;
mod replay;
mod rollout;
mod shopify;
mod shrinkit_push;
mod sms;
mod statistics;
mod storm;
mod stream;
mod survival;
mod tiktok;
mod traces;
mod way_in;
mod web_push;
mod whatsapp;
mod whatsapp_lite;
mod who_may;
mod zoo;
