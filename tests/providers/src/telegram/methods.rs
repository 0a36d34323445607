//! The methods of the Bot API that this server knows.

mod account;
mod edit;
mod poll;
mod send;
mod webhook;

use std::sync::Arc;

use serde_json::Value;

use crate::telegram::answer::Outcome;
use crate::telegram::bots::Bot;
use crate::telegram::params::Params;
use crate::telegram::server::Server;

macro_rules! methods {
    ($($method:ident = $name:literal),* $(,)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Method { $($method),* }

        impl Method {
            const ALL: &[Self] = &[$(Self::$method),*];

            /// As documented.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$method => $name),* }
            }
        }
    };
}

methods! {
    SendMessage = "sendMessage", SendPhoto = "sendPhoto", SendVideo = "sendVideo", SendAudio = "sendAudio", SendVoice = "sendVoice",
    SendDocument = "sendDocument", SendAnimation = "sendAnimation", SendVideoNote = "sendVideoNote", SendSticker = "sendSticker",
    SendMediaGroup = "sendMediaGroup", SendPoll = "sendPoll", StopPoll = "stopPoll", SendLocation = "sendLocation",
    SendVenue = "sendVenue", SendContact = "sendContact", SendDice = "sendDice", SendChatAction = "sendChatAction",
    AnswerCallbackQuery = "answerCallbackQuery", EditMessageText = "editMessageText", EditMessageCaption = "editMessageCaption",
    EditMessageMedia = "editMessageMedia", EditMessageReplyMarkup = "editMessageReplyMarkup", DeleteMessage = "deleteMessage",
    DeleteMessages = "deleteMessages", SetMessageReaction = "setMessageReaction", GetMe = "getMe", GetFile = "getFile", GetChat = "getChat",
    SetWebhook = "setWebhook", DeleteWebhook = "deleteWebhook", GetWebhookInfo = "getWebhookInfo", GetUpdates = "getUpdates",
    LogOut = "logOut", Close = "close",
}

impl Method {
    /// In any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name().eq_ignore_ascii_case(name))
    }

    /// Calling these on Telegram's own server locks the bot out for ten minutes: no gateway should.
    pub(crate) fn is_mistake(self) -> bool {
        matches!(self, Self::LogOut | Self::Close)
    }
}

/// Does what the method does.
pub(crate) async fn call(server: &Arc<Server>, bot: &Arc<Bot>, method: Method, params: &Params) -> Outcome {
    use crate::telegram::files::Kind;
    match method {
        Method::SendMessage => send::message(server, bot, params),
        Method::SendPhoto => send::media(server, bot, Kind::Photo, params).await,
        Method::SendVideo => send::media(server, bot, Kind::Video, params).await,
        Method::SendAudio => send::media(server, bot, Kind::Audio, params).await,
        Method::SendVoice => send::media(server, bot, Kind::Voice, params).await,
        Method::SendDocument => send::media(server, bot, Kind::Document, params).await,
        Method::SendAnimation => send::media(server, bot, Kind::Animation, params).await,
        Method::SendVideoNote => send::media(server, bot, Kind::VideoNote, params).await,
        Method::SendSticker => send::media(server, bot, Kind::Sticker, params).await,
        Method::SendMediaGroup => send::album(server, bot, params).await,
        Method::SendLocation => send::location(server, bot, params),
        Method::SendVenue => send::venue(server, bot, params),
        Method::SendContact => send::contact(server, bot, params),
        Method::SendDice => send::dice(server, bot, params),
        Method::SendChatAction => send::chat_action(server, params),
        Method::SendPoll => poll::send(server, bot, params),
        Method::StopPoll => poll::stop(server, bot, params),
        Method::EditMessageText => edit::text(server, bot, params),
        Method::EditMessageCaption => edit::caption(server, bot, params),
        Method::EditMessageMedia => edit::media(server, bot, params).await,
        Method::EditMessageReplyMarkup => edit::reply_markup(server, bot, params),
        Method::DeleteMessage => edit::delete(server, bot, params),
        Method::DeleteMessages => edit::delete_many(server, bot, params),
        Method::SetMessageReaction => edit::react(server, bot, params),
        Method::AnswerCallbackQuery => account::answer_callback_query(bot, params),
        Method::GetMe => Ok(bot.me().into()),
        Method::GetFile => account::file(server, params),
        Method::GetChat => account::chat(server, params),
        Method::SetWebhook => webhook::set(server, bot, params),
        Method::DeleteWebhook => webhook::delete(bot, params),
        Method::GetWebhookInfo => Ok(bot.feed.info().into()),
        Method::GetUpdates => webhook::updates(bot, params).await,
        Method::LogOut | Method::Close => done(),
    }
}

/// What many methods answer.
pub(crate) fn done() -> Outcome {
    Ok(Value::Bool(true).into())
}
