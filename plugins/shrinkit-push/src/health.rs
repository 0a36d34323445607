//! Whether Appgain is there and takes the key.

use patchbay_plugin::hooks::{Check, Report};
use patchbay_plugin::{Call, Failure, Field};

use crate::probe;
use crate::settings::Settings;

pub(crate) fn report(call: &Call) -> Result<Report, Failure> {
    let settings: Settings = call.settings()?;
    let status = probe::status(&settings)?;
    Ok(Report { checks: vec![Check::ok("api_key")], facts: vec![Field::new("probe_status", status.to_string())] })
}
