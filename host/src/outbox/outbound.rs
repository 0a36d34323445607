//! A message as the plugin gets it: the same where it is judged and where it is sent.

use std::time::Duration;

use patchbay_sandbox::contract::messages as wit;

use crate::{
    app::App,
    clock::At,
    domain::{
        content::{Content, Source},
        message::{Command, Message},
        subscription::{Endpoint, Subscriber},
    },
    manifest::Capabilities,
    media::Links,
    plugins::convert,
    store, subscriptions,
};

/// How long a provider may fetch a file by its link: it takes the message at once, and may come for the file later.
pub(super) const LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The message for the plugin's `preview` and `send`.
pub(super) async fn outbound(app: &App, capabilities: &Capabilities, message: &Message) -> store::Result<wit::Outbound> {
    let reply_context = match &message.conversation_id {
        Some(id) => store::people::reply_context(&app.db, id).await?,
        None => None,
    };
    let mut command = message.command.clone().unwrap_or_else(|| Command::Message(message.content.clone()));
    link_files(&app.links, capabilities, &mut command, app.clock.now());
    Ok(wit::Outbound {
        id: message.id.clone(),
        to: message.to.clone().unwrap_or_default(),
        conversation: message.to.clone(),
        reply_to: message.reply_to.clone(),
        command: convert::command_out(&command),
        reply_context,
        subscriptions: if capabilities.subscriptions { devices(app, message).await? } else { Vec::new() },
        extras: convert::extras_out(&message.extras),
    })
}

/// Where the recipient's devices are now: some may have come or gone since the message was queued.
async fn devices(app: &App, message: &Message) -> store::Result<Vec<wit::Subscription>> {
    let to = message.to.as_deref().unwrap_or_default();
    let opened = subscriptions::opened(app, &message.channel_account_id, to).await?;
    let device = |(subscriber, endpoint): (Subscriber, Endpoint)| wit::Subscription {
        id: subscriber.id,
        endpoint: endpoint.endpoint,
        keys: convert::extras_out(&endpoint.keys),
        active: true,
        extras: convert::extras_out(&subscriber.extras),
    };
    Ok(opened.into_iter().map(device).collect())
}

/// Puts a link in the place of each file of the gateway's, where the provider fetches by URL.
fn link_files(links: &Links, capabilities: &Capabilities, command: &mut Command, now: At) {
    for part in parts_mut(command) {
        if !is_linked(capabilities, part) {
            continue;
        }
        for source in part.files_mut() {
            if let Source::MediaId(id) = source {
                *source = Source::Url(links.sign_for(id, now, LINK_LIFE).url);
            }
        }
    }
}

fn parts_mut(command: &mut Command) -> &mut [Content] {
    match command {
        Command::Message(parts) => parts,
        Command::Edit(edit) => std::slice::from_mut(&mut edit.content),
        _ => &mut [],
    }
}

pub(super) fn is_linked(capabilities: &Capabilities, part: &Content) -> bool {
    capabilities.content.get(part.kind()).is_some_and(|limits| limits.links == Some(true))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{
        domain::message::Edit,
        manifest::ContentLimits,
        secrets::{Keyring, MasterKey},
    };

    fn links() -> Links {
        let key = MasterKey::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap();
        Links::new(&Keyring::new(vec![key]).unwrap(), "https://gateway.example.com", Duration::from_secs(60)).unwrap()
    }

    fn content(value: &serde_json::Value) -> Content {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn every_file_of_a_linked_kind_becomes_a_link_that_opens_it_for_a_day() {
        let linked = ContentLimits { links: Some(true), ..ContentLimits::default() };
        let kinds = ["media", "album", "sticker", "interactive", "template", "email", "post"];
        let mut content_limits: BTreeMap<_, _> = kinds.iter().map(|kind| ((*kind).to_owned(), linked.clone())).collect();
        content_limits.insert("album".to_owned(), ContentLimits::default());
        let capabilities = Capabilities { content: content_limits, ..Capabilities::default() };
        let now = At::from_micros(1_764_000_000_000_000);
        let image = json!({"kind": "image", "media_id": "f"});
        let mut command = Command::Message(vec![
            content(&json!({"type": "media", "kind": "image", "media_id": "f"})),
            content(&json!({"type": "sticker", "media_id": "f"})),
            content(&json!({"type": "interactive", "body": "b", "carousel": [{"title": "t", "image": {"media_id": "f"}}]})),
            content(&json!({"type": "post", "text": "t", "visibility": "public", "media": [image]})),
        ]);
        link_files(&links(), &capabilities, &mut command, now);
        let Command::Message(parts) = &command else { panic!("{command:?}") };
        for part in parts {
            let [Source::Url(url)] = part.files()[..] else { panic!("{part:?}") };
            assert!(url.starts_with("https://gateway.example.com/media/f?expires="), "{url}");
            let query: BTreeMap<_, _> = url.split_once('?').unwrap().1.split('&').filter_map(|pair| pair.split_once('=')).collect();
            assert_eq!(links().check("f", query["expires"], query["signature"], now), Ok(LINK_LIFE));
        }
        let mut edit = Command::Edit(Box::new(Edit { target: "t".to_owned(), content: parts[0].clone() }));
        link_files(&links(), &capabilities, &mut edit, now);
        assert!(matches!(&edit, Command::Edit(edit) if matches!(edit.content.files()[..], [Source::Url(_)])));
    }

    #[test]
    fn another_kind_keeps_its_file_and_a_url_stays_as_it_is() {
        let linked = ContentLimits { links: Some(true), ..ContentLimits::default() };
        let content_limits = BTreeMap::from([("media".to_owned(), linked), ("sticker".to_owned(), ContentLimits::default())]);
        let capabilities = Capabilities { content: content_limits, ..Capabilities::default() };
        let parts = vec![
            content(&json!({"type": "media", "kind": "image", "url": "https://example.com/a.png"})),
            content(&json!({"type": "media", "kind": "image", "provider_ref": "r"})),
            content(&json!({"type": "sticker", "media_id": "f"})),
        ];
        let mut command = Command::Message(parts.clone());
        link_files(&links(), &capabilities, &mut command, At::from_micros(0));
        assert_eq!(command, Command::Message(parts));
    }
}
