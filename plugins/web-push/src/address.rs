//! Addresses, as far as a push needs to know what is in them.

/// An http(s) address in its parts. Host and scheme are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) is_https: bool,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// With the query; empty or beginning with `/`, `?` or `#`.
    pub(crate) path: String,
}

impl Address {
    /// None where it isn't one that every reader of it takes for the same.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port != 0)?)),
            None => (authority, None),
        };
        let usual = if is_https { 443 } else { 80 };
        let port = port.filter(|port| *port != usual);
        is_host(host).then(|| Self { is_https, host: host.to_ascii_lowercase(), port, path: path.to_owned() })
    }

    /// `https://host[:port]`, as browsers write it.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// `host[:port]`.
    pub(crate) fn authority(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// Whether the host is the machine itself.
    pub(crate) fn is_local(&self) -> bool {
        is_local(&self.host)
    }
}

/// A name, or an address of four numbers.
pub(crate) fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let edges = !label.starts_with('-') && !label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && edges && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.len() <= 253 && host.split('.').all(label)
}

pub(crate) fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1"
}

/// What a browser may fetch or open: http(s) and a host, or a path at the site.
pub(crate) fn is_link(text: &str) -> bool {
    let clean = !text.chars().any(|character| character.is_whitespace() || character.is_control() || character == '\\');
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let host = ["https://", "http://"].iter().find(|scheme| lower.starts_with(**scheme)).and_then(|scheme| text.get(scheme.len()..));
    let absolute = host.is_some_and(|host| !host.is_empty() && !host.starts_with(['/', '?', '#', ':', '@']));
    clean && (absolute || (text.starts_with('/') && !text.starts_with("//")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_apart_and_its_origin_is_as_browsers_write_it() {
        let origin = |text: &str| Address::parse(text).map(|address| address.origin());
        assert_eq!(origin("https://fcm.googleapis.com/fcm/send/a:b").as_deref(), Some("https://fcm.googleapis.com"));
        assert_eq!(origin("HTTPS://Push.Example.ORG:443?x").as_deref(), Some("https://push.example.org"));
        assert_eq!(origin("https://push.example.org:8443").as_deref(), Some("https://push.example.org:8443"));
        assert_eq!(origin("http://127.0.0.1:9109/p/1").as_deref(), Some("http://127.0.0.1:9109"));
        for wrong in [
            "",
            "https://",
            "https:///x",
            "ftp://a.example",
            "https://user@a.example/",
            "https://a.example:0/",
            "https://a.example:x/",
            "https://a.example:99999/",
            "https://a.example\\@b.example/",
            "https://a .example/",
            "https://a.exämple/",
            "https://[::1]/",
            "https://-a.example/",
            "https://a..example/",
        ] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_link_is_a_web_address_or_a_path_of_the_site() {
        for right in ["https://a.example/x?y#z", "http://a.example", "/orders/7", "/", "HTTPS://a.example", "https://متجر.example/"] {
            assert!(is_link(right), "{right}");
        }
        for wrong in [
            "javascript:alert(1)",
            "//evil.example",
            "data:text/html,x",
            "orders",
            "",
            "https://",
            "https:///x",
            "/a b",
            "/\\evil",
            "ftp://a",
        ] {
            assert!(!is_link(wrong), "{wrong}");
        }
    }
}
