//! Leases compare the clocks of several machines: they have to agree to some seconds, and the database's is the one that all of
//! them can see.

use std::time::Duration;

use anyhow::bail;

use crate::{
    app::App,
    clock::{At, Clock},
    store::{self, Db},
};

/// A clock that is wrong by more refuses to start: leases would run out while they are held.
const SKEW_MAX: Duration = Duration::from_secs(10);
/// And is warned of when it is wrong by more while the gateway runs.
const SKEW_WARNED: Duration = Duration::from_secs(3);
pub(super) const CHECK_EVERY: Duration = Duration::from_secs(60 * 60);

/// # Errors
/// This machine's clock and the database's are too far apart; the database doesn't answer.
pub async fn check(db: &Db, clock: &dyn Clock) -> anyhow::Result<()> {
    match measure(db, clock).await? {
        Some(skew) if skew > SKEW_MAX => bail!(
            "this machine's clock and the database's are {:.1} s apart; {} s are the most, because leases compare them. \
             Let NTP set both (timedatectl shows whether it does).",
            skew.as_secs_f64(),
            SKEW_MAX.as_secs()
        ),
        _ => Ok(()),
    }
}

pub(super) async fn warn_of_skew(app: &App) {
    match measure(&app.db, app.clock.as_ref()).await {
        Ok(Some(skew)) if skew > SKEW_WARNED => {
            tracing::warn!(skew_s = skew.as_secs_f64(), "this machine's clock and the database's are apart: let NTP set both");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the database's clock could not be read"),
    }
}

async fn measure(db: &Db, clock: &dyn Clock) -> store::Result<Option<Duration>> {
    let before = clock.now();
    let told = store::nodes::database_time(db).await?;
    Ok(told.map(|told| skew(before, told, clock.now())))
}

/// How far apart two clocks are at least, when the other one told its time between `before` and `after` of ours.
fn skew(before: At, told: At, after: At) -> Duration {
    before.since(told).or_else(|| told.since(after)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_way_cannot_explain_is_skew() {
        let at = |seconds: i64| At::from_micros(seconds * 1_000_000);
        assert_eq!(skew(at(100), at(103), at(107)), Duration::ZERO, "a slow answer is no skew");
        assert_eq!(skew(at(100), at(80), at(101)), Duration::from_secs(20), "ours is ahead");
        assert_eq!(skew(at(100), at(120), at(101)), Duration::from_secs(19), "ours is behind");
    }
}
