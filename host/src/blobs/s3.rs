//! Blobs in a bucket: Amazon's, or of any store that speaks the protocol.

use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore};
use url::Url;

use super::S3Settings;
use crate::egress;

/// The least that S3 takes as a part of an upload; a writer holds one while another is on its way.
pub(super) const PART: usize = 5 * 1024 * 1024;

/// Reaches the store as the rest of the gateway reaches the world: by ring and the machine's CA certificates.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = egress::trusted_client().map_err(|error| generic(&error))?;
        Ok(HttpClient::new(client))
    }
}

fn generic(why: &dyn std::fmt::Display) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: why.to_string().into() }
}

pub(super) fn open(settings: &S3Settings) -> object_store::Result<Arc<dyn ObjectStore>> {
    let url = Url::parse(&settings.url).map_err(|error| generic(&error))?;
    let bucket = url.host_str().ok_or_else(|| generic(&"the URL names no bucket"))?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&settings.region)
        .with_allow_http(settings.allow_http)
        .with_http_connector(Connector);
    if !settings.endpoint.is_empty() {
        builder = builder.with_endpoint(&settings.endpoint);
    }
    if !settings.access_key_id.is_empty() {
        builder = builder.with_access_key_id(&settings.access_key_id).with_secret_access_key(&settings.secret_access_key);
    }
    let bucket = builder.build()?;
    Ok(match Path::from_url_path(url.path())? {
        whole if whole.as_ref().is_empty() => Arc::new(bucket),
        prefix => Arc::new(PrefixStore::new(bucket, prefix)),
    })
}
