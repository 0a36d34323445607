use patchbay_plugin::{Blob, Fields as _};

use super::*;
use crate::media;

fn get(address: &str) -> Result<Blob, Failure> {
    media::download(&call(&with(&json!({"base_url": "https://gw.example.test"}))), address)
}

#[test]
fn a_file_is_fetched_from_the_gateways_own_origin() {
    let provider = Provider::new();
    for address in ["https://gw.example.test/f/1?sig=a%2Bb&x", "HTTPS://GW.example.test/f/1?sig=a%2Bb&x#top", "/f/1?sig=a%2Bb&x"] {
        provider.on("GET api /f/1").answer_bytes(200, "application/pdf", "abc");
        let blob = get(address).unwrap();
        assert_eq!((blob.size(), blob.mime_type()), (3, "application/pdf".into()));
    }
    for request in provider.requests() {
        assert_eq!((request.query.value("sig"), request.query.value("x")), (Some("a+b"), Some("")));
    }
}

#[test]
fn the_key_goes_nowhere_else() {
    let provider = Provider::new();
    for address in [
        "https://evil.example/f/1",
        "https://gw.example.test.evil.example/f/1",
        "https://gw.example.test@evil.example/f/1",
        "https://gw.example.test:8443/f/1",
        "http://gw.example.test/f/1",
        "https://gw.example.test",
        "//evil.example/f/1",
        "https://gw.example.test//evil.example/f/1",
        "https://gw.example.test/f/../../x",
        "https://gw.example.test/f/%2E%2e/x",
        "https://gw.example.test/f\\x",
        "file:///etc/passwd",
        "",
    ] {
        assert_eq!(class(&get(address).err().unwrap()), ("rejected", "foreign_file"), "{address}");
    }
    assert!(provider.requests().is_empty());
}

#[test]
fn what_cannot_be_had_is_told_apart_from_what_can_be_had_later() {
    let provider = Provider::new();
    for (status, wanted) in [
        (401, ("unauthorized", "api_key")),
        (404, ("rejected", "file_gone")),
        (429, ("unavailable", "429")),
        (502, ("unavailable", "502")),
        (400, ("rejected", "400")),
    ] {
        provider.on("GET api /f/1").answer_bytes(status, "text/plain", "");
        assert_eq!(class(&get("/f/1").err().unwrap()), wanted);
    }
}
