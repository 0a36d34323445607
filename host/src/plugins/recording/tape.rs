//! What is noted while a call runs. It costs a call a few allocations, and is dropped with one that ends well.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use patchbay_sandbox::services::LogLevel;

use super::{
    exchange::{Answer, Asked, Exchange},
    kept::Room,
    record::Line,
};
use crate::secrets::Secret;

/// Exchanges of one call: what a usual call may ask of the host, several times over.
const EXCHANGES_MAX: usize = 2_000;
/// Bytes of one call, of questions and answers together.
const BYTES_MAX: usize = 512 * 1024;

/// One call's; clones are the same one. Off, it notes nothing.
#[derive(Clone, Default)]
pub struct Tape(Option<Arc<Mutex<Reel>>>);

struct Reel {
    exchanges: Vec<Exchange>,
    log: Vec<Line>,
    room: Room,
    left_out: u32,
    instance_calls: u32,
    secrets: BTreeMap<String, Secret>,
}

/// What there is when the call is over.
pub struct Ended {
    pub exchanges: Vec<Exchange>,
    pub log: Vec<Line>,
    /// Exchanges that had no room.
    pub left_out: u32,
    /// Calls that the instance had answered before.
    pub instance_calls: u32,
    /// What the call could have been told of the account's secrets.
    pub secrets: BTreeMap<String, Secret>,
}

impl Tape {
    pub fn new() -> Tape {
        Tape(Some(Arc::new(Mutex::new(Reel {
            exchanges: Vec::new(),
            log: Vec::new(),
            room: Room::of(BYTES_MAX),
            left_out: 0,
            instance_calls: 0,
            secrets: BTreeMap::new(),
        }))))
    }

    /// Notes nothing.
    pub fn off() -> Tape {
        Tape(None)
    }

    /// Notes a question; answers its place, where it has one.
    pub(super) fn asked(&self, asked: impl FnOnce(&mut Room) -> Asked) -> Option<usize> {
        let mut reel = self.reel()?;
        // Without a gap: behind one that is left out none would be of use.
        if reel.left_out > 0 || reel.room.is_full() || reel.exchanges.len() >= EXCHANGES_MAX {
            reel.left_out = reel.left_out.saturating_add(1);
            return None;
        }
        let asked = asked(&mut reel.room);
        reel.exchanges.push(Exchange { asked, answer: None });
        Some(reel.exchanges.len() - 1)
    }

    pub(super) fn answered(&self, place: Option<usize>, answer: impl FnOnce(&mut Room) -> Answer) {
        let (Some(place), Some(mut reel)) = (place, self.reel()) else { return };
        let answer = answer(&mut reel.room);
        if let Some(exchange) = reel.exchanges.get_mut(place) {
            exchange.answer = Some(answer);
        }
    }

    /// The sandbox bounds what a call logs.
    pub(super) fn note_line(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        if let Some(mut reel) = self.reel() {
            reel.log.push(Line { level, message: message.to_owned(), fields: fields.to_vec() });
        }
    }

    pub(super) fn note_instance(&self, calls: u32) {
        if let Some(mut reel) = self.reel() {
            reel.instance_calls = calls;
        }
    }

    /// What must not be in a record: noted when the services of the call are dropped.
    pub fn note_secrets(&self, secrets: BTreeMap<String, Secret>) {
        if let Some(mut reel) = self.reel() {
            reel.secrets = secrets;
        }
    }

    /// Everything, once; none where nothing was to be noted.
    pub fn end(&self) -> Option<Ended> {
        let mut reel = self.reel()?;
        Some(Ended {
            exchanges: mem::take(&mut reel.exchanges),
            log: mem::take(&mut reel.log),
            left_out: reel.left_out,
            instance_calls: reel.instance_calls,
            secrets: mem::take(&mut reel.secrets),
        })
    }

    fn reel(&self) -> Option<MutexGuard<'_, Reel>> {
        self.0.as_ref().map(|reel| reel.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_ends_where_its_room_does() {
        let tape = Tape::new();
        let place = tape.asked(|_| Asked::WallClock);
        tape.answered(place, |room| Answer::Bytes(room.answered(&vec![0; BYTES_MAX])));
        for _ in 0..3 {
            let place = tape.asked(|_| Asked::WallClock);
            tape.answered(place, |_| Answer::Time(None));
        }
        let ended = tape.end().unwrap();
        assert_eq!((ended.exchanges.len(), ended.left_out), (1, 3));
        assert!(ended.exchanges[0].answer.is_some());
    }

    #[test]
    fn what_a_call_waited_for_in_vain_has_no_answer() {
        let tape = Tape::new();
        tape.asked(|_| Asked::WallClock);
        assert_eq!(tape.end().unwrap().exchanges, [Exchange { asked: Asked::WallClock, answer: None }]);
        assert!(Tape::off().asked(|_| Asked::WallClock).is_none() && Tape::off().end().is_none());
    }

    #[test]
    fn a_flood_of_questions_is_cut() {
        let tape = Tape::new();
        for _ in 0..EXCHANGES_MAX + 7 {
            tape.asked(|_| Asked::WallClock);
        }
        let ended = tape.end().unwrap();
        assert_eq!((ended.exchanges.len(), ended.left_out), (EXCHANGES_MAX, 7));
    }
}
