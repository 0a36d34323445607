//! The push service's address of one browser. It comes from the browser, so it is believed only as far as it names a known service.

use patchbay_plugin::crypto::{HashAlgorithm, digest};

use crate::address::Address;

/// The push services of the browsers: as `hosts` of the manifest's target, which a test compares.
pub(crate) const SERVICES: [&str; 4] = ["fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"];

/// Browsers' own are a third of it.
const LENGTH_MAX: usize = 2048;

/// The address in its parts, where it is one that this account may push to; else why not.
pub(crate) fn check(endpoint: &str, allowlist: &[String]) -> Result<Address, &'static str> {
    if endpoint.len() > LENGTH_MAX {
        return Err("is longer than any push service's address");
    }
    let address = Address::parse(endpoint).ok_or("isn't the address of a push service")?;
    let listed = allowlist.iter().any(|entry| matches(entry, &address));
    if !address.is_https && !listed {
        return Err("isn't https");
    }
    let known = address.port.is_none() && SERVICES.iter().any(|pattern| is_of(pattern, &address.host));
    if known || listed { Ok(address) } else { Err("isn't of a push service that the account allows: see endpoint_allowlist") }
}

/// The subscription's id: the same for the same address.
pub(crate) fn id(endpoint: &str) -> String {
    let hash = hex::encode(digest(HashAlgorithm::Sha256, endpoint.as_bytes()));
    hash.chars().take(32).collect()
}

fn is_of(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => host == pattern,
    }
}

/// Plain http only where the entry says so itself.
fn matches(entry: &str, address: &Address) -> bool {
    if entry.contains("://") { address.origin() == entry } else { address.is_https && address.authority() == entry }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_services_are_known_and_nothing_that_looks_like_them() {
        for right in [
            "https://fcm.googleapis.com/fcm/send/abc:def",
            "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
            "https://web.push.apple.com/QGx",
            "https://wns2-par02p.notify.windows.com/w/?token=BQY%3d",
        ] {
            assert!(check(right, &[]).is_ok(), "{right}");
        }
        for wrong in [
            "http://fcm.googleapis.com/fcm/send/abc",
            "https://fcm.googleapis.com:8443/x",
            "https://fcm.googleapis.com.evil.example/x",
            "https://evil-fcm.googleapis.com/x",
            "https://push.apple.com/x",
            "https://evilpush.apple.com/x",
            "https://user@web.push.apple.com/x",
            "https://127.0.0.1/x",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "",
        ] {
            assert!(check(wrong, &[]).is_err(), "{wrong}");
        }
        assert!(check(&format!("https://fcm.googleapis.com/{}", "a".repeat(2048)), &[]).is_err());
    }

    #[test]
    fn the_account_allows_others_by_host_port_or_origin() {
        let allowed = |endpoint: &str, entry: &str| check(endpoint, &[entry.to_owned()]).is_ok();
        assert!(allowed("https://push.example.org/x", "push.example.org"));
        assert!(allowed("https://push.example.org:8443/x", "push.example.org:8443"));
        assert!(allowed("http://127.0.0.1:9109/p/1", "http://127.0.0.1:9109"));
        assert!(!allowed("http://push.example.org/x", "push.example.org"), "plain http is asked for by an origin");
        assert!(!allowed("https://push.example.org:8443/x", "push.example.org"));
        assert!(!allowed("https://127.0.0.1:9109/p/1", "http://127.0.0.1:9109"));
        assert!(!allowed("https://a.push.example.org/x", "push.example.org"));
    }

    #[test]
    fn the_id_is_the_endpoints() {
        // echo -n https://fcm.googleapis.com/fcm/send/abc | sha256sum
        assert_eq!(id("https://fcm.googleapis.com/fcm/send/abc"), "4e9bdab8bbe7189c00aebb0922fc49fe");
        assert_ne!(id("https://fcm.googleapis.com/fcm/send/abc"), id("https://fcm.googleapis.com/fcm/send/abd"));
    }

    #[test]
    fn the_manifest_lets_requests_out_to_the_same_services() {
        let manifest: toml::Table = include_str!("../plugin.toml").parse().unwrap();
        let hosts: Vec<&str> = manifest["egress"]["push"]["hosts"].as_array().unwrap().iter().map(|host| host.as_str().unwrap()).collect();
        assert_eq!(hosts, SERVICES);
    }
}
