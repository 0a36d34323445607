//! Durations: how many, and how long on the whole.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::stats::Amount;

/// By bucket: see [`Label::duration`](crate::domain::stats::Label::duration).
pub(super) type Buckets = BTreeMap<u16, Amount>;

/// Always with their number: a median of two says little. The times are in seconds, none where there is nothing to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Durations {
    pub n: i64,
    /// Exact.
    pub mean_s: Option<f64>,
    /// Of the bucket that holds it, the mean: exact where it holds one, else within a sixteenth.
    pub median_s: Option<f64>,
    /// As exact as the median.
    pub p90_s: Option<f64>,
}

impl Durations {
    pub(super) fn of(buckets: &Buckets) -> Durations {
        let mut whole = Amount::default();
        for amount in buckets.values() {
            whole += *amount;
        }
        Durations {
            n: whole.count,
            mean_s: mean_s(whole),
            median_s: quantile_s(buckets, whole.count, 50),
            p90_s: quantile_s(buckets, whole.count, 90),
        }
    }
}

fn mean_s(amount: Amount) -> Option<f64> {
    const MICROS: f64 = 1e6;
    (amount.count > 0).then(|| amount.sum as f64 / amount.count as f64 / MICROS)
}

/// The nearest rank: the shortest that so many percent don't exceed.
fn quantile_s(buckets: &Buckets, n: i64, percent: i64) -> Option<f64> {
    let rank = n.saturating_mul(percent).saturating_add(99) / 100;
    let mut passed = 0;
    buckets.values().find_map(|amount| {
        passed += amount.count;
        if passed >= rank { mean_s(*amount) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::stats::Label;

    fn buckets(millis: impl IntoIterator<Item = u64>) -> Buckets {
        let mut buckets = Buckets::new();
        for millis in millis {
            let took = Duration::from_millis(millis);
            let Label::Bucket(bucket) = Label::duration(took) else { panic!("a duration has a bucket") };
            *buckets.entry(bucket).or_default() += Amount::lasting(took);
        }
        buckets
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!(Durations::of(&Buckets::new()), Durations::default());
    }

    #[test]
    fn few_are_told_exactly() {
        let three = Durations::of(&buckets([1_000, 60_000, 3_600_000]));
        assert_eq!(three, Durations { n: 3, mean_s: Some(1_220.333_333_333_333_3), median_s: Some(60.0), p90_s: Some(3600.0) });
    }

    #[test]
    fn many_are_told_within_a_sixteenth() {
        let many = Durations::of(&buckets((1..=10_000).map(|n| n * 7)));
        assert_eq!(many.n, 10_000);
        for (told, exact) in [(many.median_s, 35.0), (many.p90_s, 63.0)] {
            let told = told.unwrap();
            assert!((told - exact).abs() / exact < 1.0 / 16.0, "{told} for {exact}");
        }
    }

    #[test]
    fn a_bucket_that_was_emptied_again_counts_for_nothing() {
        let mut some = buckets([5, 500]);
        for amount in some.values_mut().take(1) {
            *amount = Amount::default();
        }
        assert_eq!(Durations::of(&some), Durations { n: 1, mean_s: Some(0.5), median_s: Some(0.5), p90_s: Some(0.5) });
    }
}
