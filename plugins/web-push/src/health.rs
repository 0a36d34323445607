//! Whether the account could push. Push services can't be asked without pushing.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, crypto};

use crate::{connect, place, token, vapid};

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let public = vapid::public()?;
    let checks = vec![
        Check::ok("vapid_key"),
        if crypto::has(token::KEY) {
            Check::ok("track_key")
        } else {
            Check::failed("track_key", Detail::new("secret_missing", "the key of the tokens isn't there: connect the account again"))
        },
    ];
    Ok(Report { checks, facts: connect::facts(&public, &place::base(call)?) })
}
