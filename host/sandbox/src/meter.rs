//! Processor time of one call: what passes while the call's future is polled. A guest that waits for the host, or has
//! yielded, isn't being polled, so it is charged nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How often the engine's epoch moves, and so how often a running guest is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Shared by the future that is polled and the guest's epoch callback, both on the polling thread.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Reading>);

#[derive(Debug, Default)]
struct Reading {
    used: Duration,
    /// Set once the guest has run into a tick: from then on the exact and dear clock is worth its price.
    long: bool,
    since: Option<Start>,
}

/// Most calls are over within microseconds: for them the wall clock (50 ns a reading) will do, and a stretch is never
/// charged more than a tick, so that losing the processor to somebody else costs the guest little. A call that has
/// seen a tick is charged by its thread's own clock (1 µs a reading, twice in 10 ms).
#[derive(Debug, Clone, Copy)]
enum Start {
    Wall(Instant),
    Thread(Duration),
}

impl Start {
    fn now(long: bool) -> Start {
        if long { Start::Thread(thread_time()) } else { Start::Wall(Instant::now()) }
    }

    fn elapsed(self) -> Duration {
        match self {
            Start::Wall(start) => start.elapsed().min(TICK),
            Start::Thread(start) => thread_time().saturating_sub(start),
        }
    }
}

impl Meter {
    /// The processor time used so far. Called at each tick that finds the guest running.
    pub(crate) fn tick(&self) -> Duration {
        let mut reading = self.reading();
        reading.long = true;
        reading.used + reading.since.map(Start::elapsed).unwrap_or_default()
    }

    fn start(&self) {
        let mut reading = self.reading();
        reading.since = Some(Start::now(reading.long));
    }

    fn stop(&self) {
        let mut reading = self.reading();
        if let Some(start) = reading.since.take() {
            reading.used += start.elapsed();
        }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a future and charges its polls to the meter.
pub(crate) async fn metered<F: Future>(meter: &Meter, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        meter.start();
        let poll = future.as_mut().poll(cx);
        meter.stop();
        poll
    })
    .await
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn busy(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn waiting_is_free_and_working_is_not() {
        let meter = Meter::default();
        metered(&meter, tokio::time::sleep(Duration::from_millis(30))).await;
        assert!(meter.tick() < Duration::from_millis(5));
        metered(&meter, busy(Duration::from_millis(5))).await;
        assert!(meter.tick() >= Duration::from_millis(1));
    }

    #[tokio::test]
    async fn a_stretch_before_the_first_tick_is_charged_one_tick_at_most() {
        let meter = Meter::default();
        metered(&meter, async { std::thread::sleep(3 * TICK) }).await;
        assert_eq!(meter.tick(), TICK);
    }

    #[tokio::test]
    async fn after_a_tick_being_off_the_processor_is_free() {
        let meter = Meter::default();
        meter.tick();
        metered(&meter, async { std::thread::sleep(3 * TICK) }).await;
        assert!(meter.tick() < TICK);
    }
}
