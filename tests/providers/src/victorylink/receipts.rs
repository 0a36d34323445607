//! Receipts: `GET <DLRURL>?userSMSId=…&dlrResponseStatus=…`, tried again until it is taken.

use std::sync::Arc;

use axum::http::Method;
use bytes::Bytes;
use tokio::time::sleep;

use crate::desk::{Delivery, gap, pause};
use crate::victorylink::account::Sms;
use crate::victorylink::codes;
use crate::victorylink::server::{Receipts, Server};

/// The receipts that come of a message by themselves. Those that come before the answer are waited for.
pub(crate) async fn follow(server: &Arc<Server>, sms: &Sms) {
    let knobs = server.knobs();
    let statuses = match codes::end_of(&sms.to).filter(|_| knobs.magic) {
        Some(end) => vec![end.to_owned()],
        None => knobs.receipt_statuses.clone(),
    };
    let (server, id) = (Arc::clone(server), sms.id.clone());
    let tell_all = async move {
        for status in statuses {
            tell(&server, &id, &status).await;
        }
    };
    match knobs.receipts {
        Receipts::Off => {}
        Receipts::Before => tell_all.await,
        Receipts::After => {
            tokio::spawn(async move {
                pause(knobs.receipt_delay_ms).await;
                tell_all.await;
            });
        }
    }
}

/// Keeps the status, for those who poll, and calls the message's URL where it has one.
pub(crate) async fn tell(server: &Arc<Server>, id: &str, status: &str) -> Delivery {
    let known = server.accounts.lock().sms_mut(id).map(|sms| {
        sms.status = status.to_owned();
        (sms.id.clone(), sms.dlr_url.clone())
    });
    let (id, url) = match known {
        None => return Delivery::nowhere("there is no message with this id"),
        Some((_, None)) => return Delivery::nowhere("the message was sent without a DLRURL"),
        Some((id, Some(url))) => (id, url),
    };
    let written = if server.knobs.lock().receipt_numeric { numeric(status) } else { status };
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("userSMSId", &id)
        .append_pair("dlrResponseStatus", written)
        .finish();
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{joint}{query}");
    let delivery = attempt(server, &url).await;
    if !delivery.delivered {
        let again = Arc::clone(server);
        tokio::spawn(async move {
            let stop = again.desk.stop.clone();
            stop.run_until_cancelled(retry(&again, &url)).await
        });
    }
    delivery
}

async fn retry(server: &Server, url: &str) {
    for failed in 0..server.options.receipt_retries {
        sleep(gap(server.options.receipt_gap, failed)).await;
        if attempt(server, url).await.delivered {
            return;
        }
    }
}

async fn attempt(server: &Server, url: &str) -> Delivery {
    server.desk.knock(Method::GET, url, &[], Bytes::new()).await
}

/// Nobody has published the numbers; 5 has been seen for delivered.
fn numeric(status: &str) -> &str {
    match status {
        "Submitted" => "1",
        "Delivered" => "5",
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        _ => "2",
    }
}
