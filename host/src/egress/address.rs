//! The URL of a request: the target's base with its secrets, and the path that the plugin appends.

use std::collections::BTreeMap;

use patchbay_sandbox::services::Denial;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use url::{Host, Origin, Url};

use super::Refused;
use crate::manifest::{Target, TemplatePart, host_matches};
use crate::secrets::Secret;

/// All but what may stand as it is in a path's segment (RFC 3986, `pchar`).
pub(super) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// What a plugin's path may not hold as it is. Its own percent-encoding stays.
const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Where a request goes.
pub(super) struct Place {
    pub(super) url: Url,
    /// The target's own origin: credentials go there alone.
    pub(super) home: Origin,
}

/// The target's base with the path behind it; or, where the target lists hosts, the whole URL that the path is.
pub(super) fn place(target: &Target, settings: &Value, secrets: &BTreeMap<String, Secret>, path: &str) -> Result<Place, Refused> {
    if target.takes_urls() && (path.starts_with("https://") || path.starts_with("http://")) {
        let url = elsewhere(target, settings, path)?;
        if target.trusted_hosts {
            return Ok(Place { home: url.origin(), url });
        }
        let base = match own_base(target, settings)? {
            Some(own) => own,
            // Its path has secrets that don't matter here.
            None => join(target.base.parts(), settings, &|_: &str| Ok("x".to_owned()))?,
        };
        let base = Url::parse(&base).map_err(|_| Refused::new(Denial::NotGranted, "the base is no URL"))?;
        return Ok(Place { url, home: base.origin() });
    }
    let url = url(target, settings, secrets, path)?;
    Ok(Place { home: url.origin(), url })
}

/// A URL that a provider gave to the plugin: https to a host that the target lists, at the usual port, or to a place that the account's
/// setting lists.
fn elsewhere(target: &Target, settings: &Value, text: &str) -> Result<Url, Refused> {
    let wrong = |why: &str| Refused::new(Denial::NotGranted, why);
    let mut url = Url::parse(text).map_err(|_| wrong("the path begins as a URL and isn't one"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("a whole URL must not name a user or a password"));
    }
    let by_setting = || target.hosts_setting.as_deref().is_some_and(|name| places(settings, name).any(|place| is_at(&place, &url)));
    let usual = url.scheme() == "https" && url.port().is_none();
    let listed = usual && matches!(url.host(), Some(Host::Domain(host)) if target.allows_host(host));
    if !listed && !by_setting() {
        let way_out = target.hosts_setting.as_deref().map(|name| format!(", nor does the account's setting {name}"));
        return Err(wrong(&format!("the manifest's target doesn't list this place{}", way_out.unwrap_or_default())));
    }
    url.set_fragment(None);
    Ok(url)
}

/// What a setting lists: an array of texts, or one text with commas or spaces between.
fn places<'a>(settings: &'a Value, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let texts: Vec<&str> = match settings.get(name) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let words = texts.into_iter().flat_map(|text| text.split(|c: char| c == ',' || c.is_whitespace()));
    words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase)
}

/// Whether the URL is at the place: `host` and `host:port` are https, an origin is what it says. A host may begin with `*.`.
fn is_at(place: &str, url: &Url) -> bool {
    let (scheme, authority) = place.split_once("://").unwrap_or(("https", place));
    let authority = authority.trim_end_matches('/');
    // A port stands behind the last colon, unless that is an IPv6 address's own.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, if scheme == "http" { Some(80) } else { Some(443) }),
    };
    let named = match url.host() {
        Some(Host::Domain(name)) => host_matches(host, name),
        Some(_) => url.host_str() == Some(host),
        None => false,
    };
    named && url.scheme() == scheme && port.is_some() && url.port_or_known_default() == port
}

fn url(target: &Target, settings: &Value, secrets: &BTreeMap<String, Secret>, path: &str) -> Result<Url, Refused> {
    let wrong = |why: &str| Refused::new(Denial::NotGranted, why);
    check_path(target, path)?;
    let own = own_base(target, settings)?;
    // The base's own host isn't asked for where another takes its place.
    let settings = if own.is_some() { &Value::Null } else { settings };
    let filled = |name: &str| secret(secrets, name).map(|secret| utf8_percent_encode(secret.expose(), SEGMENT).to_string());
    let base = join(target.base.parts(), settings, &filled)?;
    let base = base.strip_prefix("https://").ok_or_else(|| wrong("the base isn't https"))?;
    let (authority, base_path) = base.split_once('/').unwrap_or((base, ""));
    // An operator may write the address with the path that the base has anyway.
    let repeats =
        |own: &str| !base_path.trim_end_matches('/').is_empty() && own.ends_with(&format!("/{}", base_path.trim_end_matches('/')));
    let base_path = if own.as_deref().is_some_and(repeats) { "" } else { base_path };
    let origin = match own {
        Some(own) => own,
        None => format!("https://{authority}"),
    };
    let mut whole = String::new();
    for part in [base_path.trim_end_matches('/'), path.trim_start_matches('/')].into_iter().filter(|part| !part.is_empty()) {
        whole.push('/');
        whole.push_str(&utf8_percent_encode(part, PATH).to_string());
    }
    // A base that ends with a slash keeps it where nothing follows.
    if path.is_empty() && (base_path.ends_with('/') || whole.is_empty()) {
        whole.push('/');
    }
    let url = Url::parse(&format!("{origin}{whole}")).map_err(|_| wrong("the base and the path make no URL"))?;
    // Had the parser resolved a segment, a secret of dots for instance, the path would be another.
    if !url.path().ends_with(&whole) || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("the path isn't a plain one"));
    }
    Ok(url)
}

/// Scheme, host, port and path prefix of the account's own choice.
fn own_base(target: &Target, settings: &Value) -> Result<Option<String>, Refused> {
    let Some(name) = &target.base_setting else { return Ok(None) };
    let Some(text) = settings.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = || Refused::new(Denial::NotGranted, &format!("the setting {name} must be http(s)://host[:port][/path]"));
    let own = Url::parse(text).map_err(|_| wrong())?;
    let bare = own.username().is_empty() && own.password().is_none() && own.query().is_none() && own.fragment().is_none();
    if !bare || !matches!(own.scheme(), "http" | "https") {
        return Err(wrong());
    }
    Ok(Some(own.as_str().trim_end_matches('/').to_owned()))
}

/// A template's text with each secret, as its place has it, and each setting, which is a host.
fn join(parts: &[TemplatePart], settings: &Value, secret: &impl Fn(&str) -> Result<String, Refused>) -> Result<String, Refused> {
    parts
        .iter()
        .map(|part| match part {
            TemplatePart::Text(text) => Ok(text.clone()),
            TemplatePart::Secret(name) => secret(name),
            // Another base takes its place.
            TemplatePart::Setting(_) if settings.is_null() => Ok("x".to_owned()),
            TemplatePart::Setting(name) => host(settings, name),
        })
        .collect()
}

/// A setting that is a host: by name, of two labels at least, and no more than that.
fn host(settings: &Value, name: &str) -> Result<String, Refused> {
    let wrong = |why: &str| Refused::new(Denial::NotGranted, &format!("the setting {name} {why}"));
    let text = settings.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_ascii_lowercase();
    if text.is_empty() {
        return Err(wrong("isn't set, and it is the host that requests go to"));
    }
    let of_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_label =
        |label: &str| (1..=63).contains(&label.len()) && label.chars().all(of_label) && !label.starts_with('-') && !label.ends_with('-');
    let is_name = text.len() <= 253 && text.contains('.') && text.split('.').all(is_label);
    if !is_name || !matches!(Host::parse(&text), Ok(Host::Domain(_))) {
        return Err(wrong("must be the name of a host and no more: shop.example.com"));
    }
    Ok(text)
}

/// A credential's text with the secrets in it.
pub(super) fn credential(parts: &[TemplatePart], secrets: &BTreeMap<String, Secret>) -> Result<String, Refused> {
    join(parts, &Value::Null, &|name| secret(secrets, name).map(|secret| secret.expose().to_owned()))
}

pub(super) fn secret<'a>(secrets: &'a BTreeMap<String, Secret>, name: &str) -> Result<&'a Secret, Refused> {
    let found = secrets.get(name).filter(|secret| !secret.expose().is_empty());
    found.ok_or_else(|| Refused::new(Denial::CredentialMissing, &format!("the secret \"{name}\" isn't set")))
}

fn check_path(target: &Target, path: &str) -> Result<(), Refused> {
    let wrong = |why: &str| Err(Refused::new(Denial::NotGranted, why));
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    if path.starts_with("//") || path.contains("://") {
        return wrong("a path must not name an authority");
    }
    if path.contains(['?', '#']) {
        return wrong("a query goes into `query`, not into the path");
    }
    if decoded.contains('\\') || decoded.chars().any(char::is_control) {
        return wrong("a path must not hold backslashes or control characters");
    }
    // Encoded slashes too: some servers decode before they resolve.
    if decoded.split('/').any(|segment| matches!(segment, "." | "..")) {
        return wrong("a path must not hold `.` or `..`");
    }
    if !target.allows_path(path) {
        return wrong("the manifest's target doesn't list this path");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(base: &str) -> Target {
        serde_json::from_value(json!({ "base": base, "base_setting": "base_url", "methods": ["POST"] })).unwrap()
    }

    fn secrets(token: &str) -> BTreeMap<String, Secret> {
        BTreeMap::from([("token".to_owned(), Secret::from(token))])
    }

    fn built(base: &str, settings: &Value, token: &str, path: &str) -> Result<String, Refused> {
        url(&target(base), settings, &secrets(token), path).map(String::from)
    }

    const BOT: &str = "https://api.example.com/bot{secret:token}";

    #[test]
    fn a_path_that_the_setting_has_already_is_not_there_twice() {
        let built = |own: &str| built("https://api.example.com/open/v1", &json!({ "base_url": own }), "", "/x/").unwrap();
        assert_eq!(built("http://127.0.0.1:9"), "http://127.0.0.1:9/open/v1/x/");
        assert_eq!(built("http://127.0.0.1:9/open/v1/"), "http://127.0.0.1:9/open/v1/x/");
        assert_eq!(built("http://127.0.0.1:9/proxy"), "http://127.0.0.1:9/proxy/open/v1/x/");
    }

    #[test]
    fn a_path_is_appended_to_the_base() {
        let ok = |base: &str, path: &str| built(base, &json!({}), "12:Ab_-", path).unwrap();
        assert_eq!(ok(BOT, "/sendMessage"), "https://api.example.com/bot12:Ab_-/sendMessage");
        assert_eq!(ok(BOT, "sendMessage"), "https://api.example.com/bot12:Ab_-/sendMessage");
        assert_eq!(ok(BOT, ""), "https://api.example.com/bot12:Ab_-");
        assert_eq!(ok("https://a.example", ""), "https://a.example/");
        assert_eq!(ok("https://a.example/v1/", "x"), "https://a.example/v1/x");
        assert_eq!(ok("https://a.example/v1/", ""), "https://a.example/v1/");
        assert_eq!(ok("https://a.example:8443", "/a b/%2Fc/é"), "https://a.example:8443/a%20b/%2Fc/%C3%A9");
    }

    #[test]
    fn a_secret_never_leaves_its_segment() {
        let ok = |token: &str| built(BOT, &json!({}), token, "/x").unwrap();
        assert_eq!(ok("a/../b?c#d%2e"), "https://api.example.com/bota%2F..%2Fb%3Fc%23d%252e/x");
        assert!(built("https://a.example/{secret:token}/x", &json!({}), "..", "/y").is_err());
        assert_eq!(built(BOT, &json!({}), "", "/x").unwrap_err().denial, Denial::CredentialMissing);
    }

    #[test]
    fn a_path_never_leaves_the_base() {
        for path in [
            "/../x",
            "..",
            "/a/..",
            "/%2e%2e/x",
            "/.%2E/x",
            "/a/./b",
            "//evil.example/x",
            "https://evil.example/",
            "/a\\b",
            "/a%5cb",
            "/a?b=c",
            "/a#b",
            "/a\nb",
            "/a%0d%0ab",
            "/a%00",
            "/a%2f..%2fb",
            "/a/\u{7f}",
        ] {
            assert_eq!(built(BOT, &json!({}), "12:Ab", path).map_err(|refused| refused.denial), Err(Denial::NotGranted), "{path}");
        }
    }

    #[test]
    fn a_setting_replaces_the_origin_and_keeps_the_rest() {
        let ok = |own: &str| built(BOT, &json!({ "base_url": own }), "12:Ab", "/getMe").unwrap();
        assert_eq!(ok("https://bots.example.com"), "https://bots.example.com/bot12:Ab/getMe");
        assert_eq!(ok("http://10.0.0.1:8081/bots/"), "http://10.0.0.1:8081/bots/bot12:Ab/getMe");
        assert_eq!(ok(""), "https://api.example.com/bot12:Ab/getMe");
        for own in ["ftp://a.example", "file:///etc", "https://user@a.example", "https://a.example/?x=", "https://a.example/#", "a.example"]
        {
            assert!(built(BOT, &json!({ "base_url": own }), "12:Ab", "/getMe").is_err(), "{own}");
        }
    }

    #[test]
    fn a_whole_url_goes_to_a_listed_host_alone() {
        let mut target = target("https://files.example.com");
        let placed = |target: &Target, path: &str| place(target, &json!({}), &secrets("12:Ab"), path);
        assert!(placed(&target, "https://files.example.com/x").is_err(), "no hosts are listed");
        target.hosts = vec!["*.cdn.example.net".to_owned(), "files.example.com".to_owned()];
        for right in ["https://a.cdn.example.net/v/1.jpg?sig=%2Fx&e=1", "https://b.a.CDN.example.net/", "https://files.example.com/x"] {
            let place = placed(&target, right).unwrap();
            assert_eq!(place.url, Url::parse(right).unwrap());
            assert_eq!(place.url.origin() == place.home, right.contains("files"), "{right}");
        }
        for wrong in [
            "https://cdn.example.net/x",
            "https://evilcdn.example.net/x",
            "https://.cdn.example.net/x",
            "https://a.cdn.example.net.evil.example/x",
            "https://a.cdn.example.net:8443/x",
            "https://user@a.cdn.example.net/x",
            "https://evil.example\\.cdn.example.net/x",
            "https://127.0.0.1/x",
            "http://a.cdn.example.net/x",
            "https://",
        ] {
            assert!(placed(&target, wrong).is_err(), "{wrong}");
        }
        assert_eq!(placed(&target, "/a").unwrap().url.as_str(), "https://files.example.com/a");
    }

    #[test]
    fn a_setting_lists_further_places_with_their_ports() {
        let mut target = target("https://push.example.com");
        target.hosts = vec!["*.push.example.net".to_owned()];
        target.hosts_setting = Some("places".to_owned());
        let list =
            json!(["Own.example.org", "other.example.org:8443", "http://127.0.0.1:9109", "https://[fd00::1]:9/", "*.in.example.org"]);
        let reached = |settings: &Value, path: &str| place(&target, settings, &secrets("12:Ab"), path).map(|place| String::from(place.url));
        let settings = json!({ "places": list });
        for right in [
            "https://own.example.org/a?b=c",
            "https://OTHER.example.org:8443/",
            "http://127.0.0.1:9109/push/1",
            "https://[fd00::1]:9/x",
            "https://a.in.example.org/",
            "https://a.push.example.net/x",
        ] {
            assert_eq!(reached(&settings, right).unwrap(), Url::parse(right).unwrap().as_str());
        }
        for wrong in [
            "http://own.example.org/",
            "https://own.example.org:8443/",
            "https://own.example.org.evil.example/",
            "https://sub.own.example.org/",
            "https://other.example.org/",
            "https://127.0.0.1:9109/",
            "http://127.0.0.1:9110/",
            "http://127.0.0.1/",
            "http://[fd00::1]:9/",
            "https://in.example.org/",
            "https://a.in.example.org:8443/",
            "https://a.push.example.net:8443/x",
            "http://a.push.example.net/x",
            "https://user@own.example.org/",
        ] {
            let refused = reached(&settings, wrong).unwrap_err();
            assert_eq!(refused.denial, Denial::NotGranted, "{wrong}");
        }
        let refused = reached(&json!({}), "https://own.example.org/").unwrap_err();
        assert!(refused.why.contains("setting places"), "{refused:?}");
        assert!(reached(&json!({"places": "a.example.org, own.example.org"}), "https://own.example.org/").is_ok(), "one text will do");
        for junk in [json!([""]), json!(["own.example.org:x"]), json!([7]), json!({}), json!(["://own.example.org"])] {
            assert!(reached(&json!({ "places": junk }), "https://own.example.org/").is_err(), "{junk}");
        }
    }

    #[test]
    fn a_setting_is_the_whole_host() {
        let shop = |setting: Value| built("https://{setting:shop}/admin/{secret:token}", &json!({"shop": setting}), "12:Ab", "/x");
        assert_eq!(shop(json!("a-1.example.com")).unwrap(), "https://a-1.example.com/admin/12:Ab/x");
        assert_eq!(shop(json!(" A-1.Example.COM ")).unwrap(), "https://a-1.example.com/admin/12:Ab/x");
        for wrong in [
            "",
            "localhost",
            "a.example.com:8443",
            "a.example.com/x",
            "https://a.example.com",
            "user@a.example.com",
            "a.example.com?x",
            "a.example.com#x",
            "a..example.com",
            ".example.com",
            "a.example.com.",
            "-a.example.com",
            "a_b.example.com",
            "a b.example.com",
            "é.example.com",
            "127.0.0.1",
            "0x7f.1",
            "[::1]",
            "a.example.com\\x",
            "a%2eexample.com",
        ] {
            let refused = shop(json!(wrong)).unwrap_err();
            assert!(refused.denial == Denial::NotGranted && refused.why.contains("setting shop"), "{wrong}: {refused:?}");
        }
        assert!(shop(json!(7)).is_err() && shop(json!(null)).is_err());
        // Another base takes its place, whatever it is.
        let own = json!({"base_url": "https://own.example.com/p"});
        assert_eq!(built("https://{setting:shop}/admin", &own, "t", "/x").unwrap(), "https://own.example.com/p/admin/x");
    }
}
