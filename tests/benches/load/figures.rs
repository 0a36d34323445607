//! What a load run comes to.

use std::fmt;
use std::time::Duration;

/// The latencies of one run.
pub(crate) struct Figures {
    sorted: Vec<Duration>,
    elapsed: Duration,
    /// Processor time of the server, not of the one that asks.
    processor: Option<Duration>,
}

impl Figures {
    pub(crate) fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Figures {
        latencies.sort_unstable();
        Figures { sorted: latencies, elapsed, processor: None }
    }

    pub(crate) fn with_processor(mut self, time: Duration) -> Figures {
        self.processor = Some(time);
        self
    }

    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The latency that so many of a hundred stay under.
    pub(crate) fn percentile(&self, of_hundred: usize) -> Duration {
        let place = (self.sorted.len() * of_hundred / 100).min(self.sorted.len().saturating_sub(1));
        self.sorted.get(place).copied().unwrap_or_default()
    }
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A row of the table that [`head`] begins.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.count() as f64 / self.elapsed.as_secs_f64();
        write!(f, "{:>8} {per_second:>9.0} {:>8.2} {:>8.2}", self.count(), ms(self.percentile(50)), ms(self.percentile(99)))?;
        match self.processor {
            Some(time) => write!(f, " {:>10.0}", time.as_secs_f64() * 1e6 / self.count().max(1) as f64),
            None => write!(f, " {:>10}", "-"),
        }
    }
}

pub(crate) fn head(title: &str) {
    println!("\n{title}");
    println!("{:34} {:>8} {:>9} {:>8} {:>8} {:>10}", "", "answered", "per s", "p50 ms", "p99 ms", "CPU µs each");
}

pub(crate) fn row(name: &str, figures: &Figures) {
    println!("{name:34} {figures}");
}
