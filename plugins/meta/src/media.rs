//! Files that came with a message: links into Meta's delivery networks. The manifest's target names those hosts, and no other is asked.

use patchbay_plugin::http::Request;
use patchbay_plugin::{Blob, Failure};

/// The target whose manifest lists Meta's media hosts.
pub const MEDIA: &str = "media";

/// Fetches a link. It carries its own permission, for hours to days.
///
/// # Errors
/// [`Failure::Rejected`] where it is over, or leads elsewhere.
pub fn download(url: &str) -> Result<Blob, Failure> {
    if !url.starts_with("https://") {
        return Err(Failure::rejected("media_reference", "a file of Meta's is named by its address"));
    }
    let response = Request::get(MEDIA, url).into_blob().send()?;
    match response.status() {
        200..300 => Ok(response.into_blob()?),
        401 | 403 | 404 | 410 => {
            Err(Failure::rejected("media_gone", "the link has ended: files can be fetched for hours to days, stories for 24 hours"))
        }
        429 => Err(Failure::limited(None, "429", "Meta throttles the download of files")),
        status @ (408 | 500..) => Err(Failure::unavailable(status.to_string(), "Meta's delivery network has a fault")),
        status => Err(Failure::rejected(status.to_string(), "Meta's delivery network refuses the file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;

    const URL: &str = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1&signature=2";

    #[test]
    fn a_link_is_fetched_into_a_blob() {
        let provider = Provider::new();
        provider.on(&format!("GET media {URL}")).answer_bytes(200, "image/jpeg", "abc");
        let blob = download(URL).unwrap();
        assert_eq!((blob.size(), blob.mime_type()), (3, "image/jpeg".into()));
    }

    #[test]
    fn a_story_that_is_over_can_never_be_had_and_a_fault_passes() {
        let provider = Provider::new();
        provider.on(&format!("GET media {URL}")).answer_bytes(404, "text/plain", "");
        provider.on(&format!("GET media {URL}")).answer_bytes(503, "text/plain", "");
        assert!(matches!(download(URL), Err(Failure::Rejected(detail)) if detail.code == "media_gone"));
        assert!(matches!(download(URL), Err(Failure::Unavailable(_))));
        assert!(matches!(download("m_1"), Err(Failure::Rejected(_))));
    }
}
