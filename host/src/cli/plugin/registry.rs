//! `patchbay plugin push` and `pull`: components in OCI registries.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::TryStreamExt;
use oci_client::{
    Client, Reference, annotations,
    client::{ClientConfig, ClientProtocol, Config, ImageLayer},
    manifest::{OCI_IMAGE_MEDIA_TYPE, OciImageManifest},
    secrets::RegistryAuth,
};
use serde::Deserialize;
use serde_json::json;

use super::component;
use crate::{
    config, oci, plugins,
    signing::{self, PublicKey},
};

/// Bytes of a component that is pulled: what gateways take by default, sixteen times over.
const PULLED_MAX: usize = 1024 * 1024 * 1024;

/// How a registry is talked to.
#[derive(clap::Args)]
pub(in crate::cli) struct Access {
    /// Who asks; without it, whom the docker configuration file has for the registry, else nobody
    #[arg(long, requires = "password_stdin")]
    username: Option<String>,
    /// Reads the password from the standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// The folder with docker's config.json, else ~/.docker
    #[arg(long, env = "DOCKER_CONFIG", value_name = "FOLDER")]
    docker_config: Option<PathBuf>,
    /// Speaks http: for a registry on this machine
    #[arg(long)]
    plain_http: bool,
}

/// What is of use in docker's `config.json`.
#[derive(Deserialize, Default)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize, Default)]
struct DockerAuth {
    /// Base64 of `user:password`.
    #[serde(default)]
    auth: String,
}

impl Access {
    fn client(&self, reference: &Reference) -> anyhow::Result<(Client, RegistryAuth)> {
        // Whoever installed one before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let auth = self.auth(reference.registry())?;
        let plain = self.plain_http;
        if plain && auth != RegistryAuth::Anonymous {
            ensure!(
                config::is_loopback(reference.registry()),
                "with --plain-http everybody on the way reads the password: not to {}",
                reference.registry()
            );
        }
        let protocol = if plain { ClientProtocol::Http } else { ClientProtocol::Https };
        let user_agent = concat!("patchbay/", env!("CARGO_PKG_VERSION"));
        let settings = ClientConfig { protocol, user_agent, platform_resolver: None, use_monolithic_push: true, ..ClientConfig::default() };
        Ok((Client::try_from(settings)?, auth))
    }

    fn auth(&self, registry: &str) -> anyhow::Result<RegistryAuth> {
        if let Some(username) = &self.username {
            let mut password = String::new();
            std::io::stdin().read_to_string(&mut password).context("the password could not be read from the standard input")?;
            return Ok(RegistryAuth::Basic(username.clone(), password.trim_end_matches(['\r', '\n']).to_owned()));
        }
        let folder = self.docker_config.clone().or_else(|| Some(std::env::home_dir()?.join(".docker")));
        let Some(file) = folder.map(|folder| folder.join("config.json")).filter(|file| file.exists()) else {
            return Ok(RegistryAuth::Anonymous);
        };
        let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let mut docker: DockerConfig = serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
        let known = docker.auths.remove(registry).or_else(|| docker.auths.remove(&format!("https://{registry}")));
        let Some(known) = known.filter(|known| !known.auth.is_empty()) else { return Ok(RegistryAuth::Anonymous) };
        let wrong = || format!("{}: auths.\"{registry}\".auth isn't base64 of user:password", file.display());
        let pair = STANDARD.decode(known.auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).with_context(wrong)?;
        let (username, password) = pair.split_once(':').with_context(wrong)?;
        Ok(RegistryAuth::Basic(username.to_owned(), password.to_owned()))
    }
}

/// Puts a component into a registry.
pub(super) async fn push(file: &Path, reference: &str, access: &Access) -> anyhow::Result<()> {
    let reference = oci::parse(reference)?;
    ensure!(reference.digest().is_none(), "{reference}: push to a tag; the digest comes of it");
    let bytes = component::read(file)?;
    let (manifest, interfaces) = component::parts(&bytes).with_context(|| file.display().to_string())?;
    let signatures = signing::signatures(&bytes)?;
    let digest = format!("sha256:{}", plugins::digest_of(&bytes));
    let settings = json!({
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [digest],
        "component": {"imports": interfaces.imports, "exports": interfaces.exports, "target": null},
    });
    let mut notes = BTreeMap::from([
        (annotations::ORG_OPENCONTAINERS_IMAGE_TITLE.to_owned(), manifest.name.clone()),
        (annotations::ORG_OPENCONTAINERS_IMAGE_VERSION.to_owned(), manifest.version.clone()),
        ("patchbay.plugin.type".to_owned(), manifest.channel_type.clone()),
        ("patchbay.plugin.contract".to_owned(), manifest.contract.clone()),
    ]);
    if !manifest.description.is_empty() {
        notes.insert(annotations::ORG_OPENCONTAINERS_IMAGE_DESCRIPTION.to_owned(), manifest.description.clone());
    }
    if !signatures.is_empty() {
        let keys: Vec<String> = signatures.iter().map(|found| found.key_id.to_string()).collect();
        notes.insert("patchbay.plugin.signed-by".to_owned(), keys.join(" "));
    }
    let (client, auth) = access.client(&reference)?;
    let layers = [ImageLayer::new(bytes, oci::LAYER.to_owned(), None)];
    let settings = Config::new(serde_json::to_vec(&settings)?, oci::CONFIG.to_owned(), None);
    let mut image = OciImageManifest::build(&layers, &settings, Some(notes));
    image.media_type = Some(OCI_IMAGE_MEDIA_TYPE.to_owned());
    client.push(&reference, &layers, settings, &auth, Some(image)).await.with_context(|| format!("{reference} could not be pushed"))?;
    let pushed = client.fetch_manifest_digest(&reference, &auth).await.with_context(|| reference.to_string())?;
    println!("{} {} is {reference}", manifest.channel_type, manifest.version);
    println!("by its digest {}/{}@{pushed}", reference.registry(), reference.repository());
    println!("component {digest}");
    Ok(())
}

/// Fetches a component out of a registry into a file.
pub(super) async fn pull(reference: &str, out: Option<PathBuf>, keys: &[PublicKey], access: &Access) -> anyhow::Result<()> {
    let reference = oci::parse(reference)?;
    let (client, auth) = access.client(&reference)?;
    let (image, digest) =
        client.pull_image_manifest(&reference, &auth).await.with_context(|| format!("{reference} could not be pulled"))?;
    let layer = oci::component_layer(&image).map_err(|why| anyhow::anyhow!("{reference} is no plugin: {why}"))?;
    let mut stream = client.pull_blob_stream(&reference, layer).await.with_context(|| format!("{reference} could not be pulled"))?;
    let mut bytes = Vec::new();
    while let Some(piece) = stream.stream.try_next().await.with_context(|| format!("{reference} could not be pulled"))? {
        if bytes.len() + piece.len() > PULLED_MAX {
            bail!("{reference} has more than {PULLED_MAX} bytes");
        }
        bytes.extend_from_slice(&piece);
    }
    // The library looks too; a component that isn't what was asked for must not depend on it.
    let found = format!("sha256:{}", plugins::digest_of(&bytes));
    ensure!(found == layer.digest, "the component was changed: {} was asked for, and {found} came", layer.digest);
    let (manifest, _) = component::parts(&bytes).with_context(|| reference.to_string())?;
    let signatures = component::signatures_in_words(&bytes, keys)?;
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.wasm", manifest.id)));
    component::write(&out, &bytes)?;
    println!("{} ({} {}, {} bytes)", out.display(), manifest.channel_type, manifest.version, bytes.len());
    println!("by its digest {}/{}@{digest}", reference.registry(), reference.repository());
    println!("component {found}");
    for line in signatures {
        println!("{line}");
    }
    Ok(())
}
