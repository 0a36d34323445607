//! The window for answers: ten messages within 48 hours after the person's last word. TikTok has no code of its own for a window that is
//! closed, so it is counted here. When it opened comes with the last inbound message; the count is kept for each conversation.

use patchbay_plugin::{Failure, Field, kv, log};
use serde::{Deserialize, Serialize};

use crate::clock;

const HOURS_48_MS: i64 = 48 * 60 * 60 * 1000;
const TTL_S: u32 = 48 * 60 * 60;
/// Messages of the business.
const MOST: u32 = 10;
/// Another call of the same account may write at the same moment.
const TRIES: u32 = 8;

/// What the last inbound message hands over to the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Context {
    /// When the person wrote: milliseconds since 1970.
    pub(crate) opened_at: i64,
    pub(crate) message: String,
    /// TikTok's type of it, in lower case.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

impl Context {
    pub(crate) fn read(bytes: Option<&[u8]>) -> Option<Self> {
        serde_json::from_slice(bytes?).ok()
    }

    pub(crate) fn written(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }
}

/// When a window that opened then is closed.
pub(crate) fn closes_at(opened_at: i64) -> String {
    clock::written(opened_at.saturating_add(HOURS_48_MS))
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Kept {
    opened_at: i64,
    used: u32,
}

/// Messages that have been taken out of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hold {
    opened_at: i64,
    /// Used before this hold.
    before: u32,
}

impl Hold {
    /// Of the message that is the `number`th of this hold, from 0.
    pub(crate) fn facts(&self, number: u32) -> [Field; 2] {
        let used = self.before.saturating_add(number).saturating_add(1);
        [Field::new("window_closes_at", closes_at(self.opened_at)), Field::new("window_left", MOST.saturating_sub(used).to_string())]
    }
}

/// Of one conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) conversation: &'a str,
    pub(crate) now_ms: Option<i64>,
    /// When the person wrote last, as far as is known.
    pub(crate) opened_at: Option<i64>,
}

/// Why there is no hold.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Of the newest window that is known.
    pub(crate) opened_at: i64,
    pub(crate) failure: Failure,
}

impl Window<'_> {
    /// Takes so many messages; none where no window is known, which TikTok decides then.
    pub(crate) fn take(&self, messages: u32) -> Result<Option<Hold>, Closed> {
        let mut hold = None;
        let write = |kept: Option<Kept>| {
            let Some(kept) = self.newest(kept) else { return Ok(None) };
            self.check(kept, messages)?;
            hold = Some(Hold { opened_at: kept.opened_at, before: kept.used });
            Ok(Some(Kept { used: kept.used.saturating_add(messages), ..kept }))
        };
        self.update(write)?;
        Ok(hold)
    }

    /// Gives back what TikTok has certainly not taken.
    pub(crate) fn give_back(&self, hold: Hold, messages: u32) {
        if messages > 0 {
            let write = |kept: Option<Kept>| {
                let same = kept.filter(|kept| kept.opened_at == hold.opened_at);
                Ok(same.map(|kept| Kept { used: kept.used.saturating_sub(messages), ..kept }))
            };
            // It only gives back.
            self.update(write).ok();
        }
    }

    /// A newer word of the person begins a new count.
    fn newest(&self, kept: Option<Kept>) -> Option<Kept> {
        match (self.opened_at, kept) {
            (Some(opened_at), Some(kept)) if opened_at <= kept.opened_at => Some(kept),
            (Some(opened_at), _) => Some(Kept { opened_at, used: 0 }),
            (None, kept) => kept,
        }
    }

    fn check(&self, kept: Kept, messages: u32) -> Result<(), Closed> {
        let closed = |words: String| Closed { opened_at: kept.opened_at, failure: Failure::window_closed("window_closed", words) };
        let way_out = "only a new message of theirs opens the window again";
        if self.now_ms.is_some_and(|now| now.saturating_sub(kept.opened_at) > HOURS_48_MS) {
            return Err(closed(format!("the person wrote more than 48 hours ago, and {way_out}")));
        }
        match MOST.saturating_sub(kept.used) {
            left if messages <= left => Ok(()),
            0 => Err(closed(format!("{MOST} messages have been sent since the person's last one, and {way_out}"))),
            left => Err(closed(format!("it takes {messages} messages, and {left} of {MOST} are left: {way_out}"))),
        }
    }

    /// Compares and sets. A store that is full costs the count, not the message: TikTok counts too.
    fn update(&self, mut write: impl FnMut(Option<Kept>) -> Result<Option<Kept>, Closed>) -> Result<(), Closed> {
        let key = format!("window:{}", self.conversation);
        for _ in 0..TRIES {
            let entry = kv::get(&key);
            let kept = entry.as_ref().and_then(|entry| serde_json::from_slice(&entry.value).ok());
            let Some(next) = write(kept)? else { return Ok(()) };
            let Ok(bytes) = serde_json::to_vec(&next) else { return Ok(()) };
            match kv::set_if(&key, &bytes, Some(TTL_S), entry.map_or(0, |entry| entry.version)) {
                Err(kv::Problem::Conflict(_)) => {}
                Err(problem) => {
                    log::warn("the messages of a window could not be counted", &[("problem", &format!("{problem:?}"))]);
                    return Ok(());
                }
                Ok(_) => return Ok(()),
            }
        }
        log::warn("the messages of a window could not be counted", &[("problem", "others write all the time")]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;

    const OPENED: i64 = 1_764_000_000_000;

    fn window(opened_at: Option<i64>, hours: i64) -> Window<'static> {
        Window { conversation: "Yx+1Q==", now_ms: Some(OPENED + hours * 3_600_000), opened_at }
    }

    fn left(window: Window<'_>, messages: u32) -> Option<String> {
        let hold = window.take(messages).unwrap().unwrap();
        hold.facts(messages - 1).into_iter().find(|fact| fact.name == "window_left").map(|fact| fact.value)
    }

    #[test]
    fn ten_messages_fit_and_the_eleventh_does_not() {
        let _world = Provider::new();
        let window = window(Some(OPENED), 1);
        assert_eq!(left(window, 8).as_deref(), Some("2"));
        let Err(closed) = window.take(3) else { panic!("taken") };
        assert!(matches!(closed.failure, Failure::WindowClosed(detail) if detail.message.contains("2 of 10")));
        assert_eq!(left(window, 2).as_deref(), Some("0"));
        assert!(window.take(1).is_err());
    }

    #[test]
    fn a_newer_word_opens_it_again_and_an_older_one_does_not() {
        let _world = Provider::new();
        window(Some(OPENED), 1).take(10).unwrap();
        assert!(window(Some(OPENED - 5), 1).take(1).is_err(), "webhooks overtake each other");
        assert!(window(None, 1).take(1).is_err(), "what is kept counts");
        assert_eq!(left(window(Some(OPENED + 5), 1), 1).as_deref(), Some("9"));
    }

    #[test]
    fn it_closes_after_48_hours() {
        let _world = Provider::new();
        assert!(window(Some(OPENED), 48).take(1).is_ok());
        let Err(closed) = window(Some(OPENED), 49).take(1) else { panic!("taken") };
        assert_eq!(closed.opened_at, OPENED);
        assert_eq!(closes_at(OPENED), "2025-11-26T16:00:00Z");
    }

    #[test]
    fn what_was_not_taken_is_given_back_to_the_same_window_alone() {
        let _world = Provider::new();
        let early = window(Some(OPENED), 1);
        let hold = early.take(10).unwrap().unwrap();
        early.give_back(hold, 4);
        assert_eq!(left(early, 4).as_deref(), Some("0"));
        let late = window(Some(OPENED + 5), 1);
        late.take(10).unwrap();
        early.give_back(hold, 4);
        assert!(late.take(1).is_err());
    }

    #[test]
    fn an_unknown_window_is_for_tiktok_to_judge() {
        let _world = Provider::new();
        assert_eq!(window(None, 1).take(1).unwrap(), None);
    }
}
