//! Other nodes activate versions too: this one follows. What ran goes on until the new version is compiled here.

use std::{sync::Arc, time::Duration};

use super::sync;
use crate::app::App;

/// How often the desired state is looked at without a word from another node.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows until the gateway stops.
pub async fn follow(app: Arc<App>) {
    loop {
        tokio::select! {
            () = app.wake.plugins.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.tasks.stopping() => return,
        }
        tokio::select! {
            synced = sync(&app) => {
                if let Err(error) = synced {
                    tracing::error!(%error, "active plugins could not be read");
                }
            }
            // A compiler that is still at it ends with its future.
            () = app.tasks.stopping() => return,
        }
    }
}
