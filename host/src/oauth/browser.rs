//! What a browser carries through an authorisation: a ticket, a state, a cookie. Of each, the gateway keeps a hash alone.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;

use super::FLOW_LIFE;

/// A hash to find or to compare by: what is hashed has 256 random bits.
pub(super) fn hash(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec()
}

/// The state that belongs to a ticket. Whoever has the ticket can make it; the provider, who sees the state, learns nothing of
/// the ticket.
pub(super) fn state_of(ticket: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, format!("patchbay oauth state {ticket}").as_bytes()))
}

/// Some browsers and providers leave `#_` or `#_=_` behind the last parameter.
pub(super) fn without_remains(value: &str) -> &str {
    value.split('#').next().unwrap_or_default()
}

/// Each flow has a cookie of its own: two in one browser don't disturb each other.
pub(super) fn cookie_name(flow_id: &str) -> String {
    format!("patchbay_oauth_{}", flow_id.replace('-', ""))
}

pub(super) fn set_cookie(flow_id: &str, value: &str, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/oauth; Max-Age={}; HttpOnly; SameSite=Lax{secure}", cookie_name(flow_id), FLOW_LIFE.as_secs());
    HeaderValue::from_str(&text).ok()
}

/// Whether the request comes from the browser that opened the flow.
pub(super) fn is_same(headers: &HeaderMap, flow_id: &str, browser_hash: Option<&[u8]>) -> bool {
    let Some(known) = browser_hash else { return false };
    let name = cookie_name(flow_id);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    // Hashes are compared, and what is hashed can't be guessed: the time that it takes tells nothing.
    cookies.filter_map(|cookie| cookie.trim().split_once('=')).any(|(own, value)| own == name && hash(value) == known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn a_browser_is_known_by_the_flows_own_cookie() {
        let known = hash("value");
        assert!(is_same(&headers("a=b; patchbay_oauth_0102=value"), "01-02", Some(&known)));
        assert!(!is_same(&headers("patchbay_oauth_0102=other"), "01-02", Some(&known)));
        assert!(!is_same(&headers("patchbay_oauth_0103=value"), "01-02", Some(&known)), "another flow's");
        assert!(!is_same(&headers("a=b"), "01-02", Some(&known)));
        assert!(!is_same(&headers("patchbay_oauth_0102=value"), "01-02", None), "nobody has opened it");
    }

    #[test]
    fn a_cookie_is_for_the_oauth_doors_alone() {
        let plain = set_cookie("01-02", "v", false).unwrap();
        assert_eq!(plain, "patchbay_oauth_0102=v; Path=/oauth; Max-Age=600; HttpOnly; SameSite=Lax");
        assert!(set_cookie("01-02", "v", true).unwrap().to_str().unwrap().ends_with("; Secure"));
    }

    #[test]
    fn remains_behind_a_value_are_cut() {
        for (given, value) in [("abc#_=_", "abc"), ("abc#_", "abc"), ("abc", "abc"), ("#_=_", "")] {
            assert_eq!(without_remains(given), value);
        }
    }

    #[test]
    fn a_state_follows_from_its_ticket_and_is_another_text() {
        assert_eq!(state_of("ticket"), state_of("ticket"));
        assert_ne!(state_of("ticket"), state_of("ticket2"));
        assert_eq!(state_of("ticket").len(), 43);
    }
}
