//! The slow lane: calls that use the processor for longer than a tick take turns, and leave one processor to those that don't. A
//! hostile plugin's loops would otherwise have them all, and a short call would wait for a tick at each of its steps.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

/// Places for long calls that run.
#[derive(Clone)]
pub(crate) struct SlowLane(Arc<Semaphore>);

impl SlowLane {
    /// With as many places as there are processors, but for one.
    pub(crate) fn new() -> SlowLane {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        SlowLane(Arc::new(Semaphore::new(processors.saturating_sub(1).max(1))))
    }
}

/// One call's place in the lane, while it has one.
pub(crate) struct Turn {
    lane: SlowLane,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Turn {
    pub(crate) fn new(lane: SlowLane) -> Turn {
        Turn { lane, place: Mutex::new(None) }
    }

    /// Leaves the thread to others, and the lane too; a long call comes back when it is its turn.
    pub(crate) async fn pass(&self, is_long: bool) {
        self.end();
        // Tokio's own yield: a plain wake would be polled again before timers and sockets are looked at.
        yield_now().await;
        if is_long && let Ok(place) = Arc::clone(&self.lane.0).acquire_owned().await {
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        }
    }

    /// Gives the place up: the call waits for something else, or is over.
    pub(crate) fn end(&self) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    /// Whether it comes back without somebody else's doing.
    async fn passes(turn: &Turn, is_long: bool) -> bool {
        let mut pass = pin!(turn.pass(is_long));
        for _ in 0..3 {
            if poll_fn(|cx| Poll::Ready(pass.as_mut().poll(cx))).await.is_ready() {
                return true;
            }
        }
        false
    }

    #[tokio::test]
    async fn long_calls_take_turns_and_short_ones_wait_for_none() {
        let lane = SlowLane(Arc::new(Semaphore::new(1)));
        let (one, two) = (Turn::new(lane.clone()), Turn::new(lane));
        assert!(passes(&one, true).await);
        assert!(!passes(&two, true).await, "the lane is taken");
        assert!(passes(&two, false).await);
        one.end();
        assert!(passes(&two, true).await);
    }
}
