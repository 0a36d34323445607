#![doc = include_str!("../README.md")]

mod connect;
mod health;
mod renewal;
mod requests;
mod settings;

use patchbay_meta::outbound::{Measure, Rules, Sending};
use patchbay_meta::{Graph, media, messaging};
use patchbay_plugin::hooks::{Connecting, Outcome, Parsed, Report, Webhook};
use patchbay_plugin::messages::{Command, Outbound, Sent};
use patchbay_plugin::{Blob, Call, Channel, Failure, MediaDownload};

use settings::Settings;

/// Instagram: the direct messages of a professional account.
#[derive(Debug)]
pub struct Instagram;

/// What Instagram takes.
const RULES: Rules = Rules {
    name: "Instagram",
    text_max: 1000,
    measure: Measure::Bytes,
    any_file: false,
    call_buttons: false,
    contact_replies: false,
    metadata: false,
    sticker_ids: false,
};

impl Channel for Instagram {
    fn configure(settings: &str) -> Result<String, Failure> {
        settings::configure(settings)
    }

    fn connect(call: &Call, input: Connecting) -> Result<Outcome, Failure> {
        connect::step(call, &input)
    }

    fn send(call: &Call, message: Outbound) -> Sent {
        send(call, &message).into()
    }

    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure> {
        messaging::webhook(messaging::INSTAGRAM, &webhook)
    }

    fn health(call: &Call) -> Result<Report, Failure> {
        health::report(call)
    }
}

fn send(call: &Call, message: &Outbound) -> Result<Sent, Failure> {
    let settings: Settings = call.settings()?;
    let graph = Graph::new(settings.target(), &settings.graph_version);
    match &message.command {
        Command::Custom(custom) if custom.kind == requests::KIND => requests::list(call, &settings),
        _ => {
            let node = settings.node(call).unwrap_or("me");
            Ok(Sending { rules: &RULES, graph, node, human_agent: settings.human_agent_enabled, message, call }.send())
        }
    }
}

impl MediaDownload for Instagram {
    fn download(_: &Call, provider_ref: &str) -> Result<Blob, Failure> {
        media::download(provider_ref)
    }
}

patchbay_plugin::channel!(Instagram: MediaDownload);

#[cfg(test)]
mod tests;
