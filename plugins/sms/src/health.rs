//! What the provider knows against the account.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Field};

use crate::settings::{Provider, Settings};
use crate::{notify, victorylink};

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let settings: Settings = call.settings()?;
    match settings.provider {
        Provider::AppgainNotify => {
            notify::probe(&settings)?;
            Ok(Report::checks(vec![Check::ok("credentials")]))
        }
        Provider::VictoryLink => {
            let balance = victorylink::credit(&settings)?;
            let facts = vec![Field::new("credit", balance.to_string())];
            Ok(Report { checks: vec![Check::ok("credentials"), credit(balance)], facts })
        }
    }
}

fn credit(balance: f64) -> Check {
    if balance > 0.0 {
        return Check::ok("credit");
    }
    Check::failed("credit", Detail::new("out_of_credit", "the account has no credit left: top it up at VictoryLink"))
}
