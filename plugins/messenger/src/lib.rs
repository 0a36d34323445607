#![doc = include_str!("../README.md")]

mod connect;
mod health;
mod settings;

use patchbay_meta::outbound::{Measure, Rules, Sending};
use patchbay_meta::{Graph, login, media, messaging};
use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Outbound, Sent};
use patchbay_plugin::{Blob, Call, Channel, Failure, MediaDownload};

use settings::Settings;

/// Facebook Messenger: the conversations of a Page.
#[derive(Debug)]
pub struct Messenger;

/// What Messenger takes.
const RULES: Rules = Rules {
    name: "Messenger",
    text_max: 2000,
    measure: Measure::Characters,
    any_file: true,
    call_buttons: true,
    contact_replies: true,
    metadata: true,
    sticker_ids: true,
};

impl Channel for Messenger {
    fn configure(settings: &str) -> Result<String, Failure> {
        settings::configure(settings)
    }

    fn connect(call: &Call, input: Connecting) -> Result<Outcome, Failure> {
        connect::step(call, &input)
    }

    fn send(call: &Call, message: Outbound) -> Sent {
        match call.settings::<Settings>() {
            Ok(settings) => {
                let graph = Graph::new(login::PAGE, &settings.graph_version);
                let node = settings.page(call).unwrap_or("me");
                Sending { rules: &RULES, graph, node, human_agent: settings.human_agent_enabled, message: &message, call }.send()
            }
            Err(failure) => Sent::failed(failure),
        }
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        messaging::webhook(messaging::MESSENGER, &webhook)
    }

    fn health(call: &Call) -> Result<Report, Failure> {
        health::report(call)
    }
}

impl MediaDownload for Messenger {
    fn download(_: &Call, provider_ref: &str) -> Result<Blob, Failure> {
        media::download(provider_ref)
    }
}

patchbay_plugin::channel!(Messenger: MediaDownload);

#[cfg(test)]
mod tests;
