//! The host's functions under their names. `bindgen!` could tie them to one version's names only; here each function is written
//! down once and serves every version in which it has the same type, which the linker compares when a component is loaded.

use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType};

use crate::bindings::patchbay::channel::types::HostBlob;
use crate::bindings::patchbay::channel::{crypto, http, kv, log, mail};
use crate::contract::Spoken;
use crate::imports::blob::Blob;
use crate::state::State;

type Interface<'a> = LinkerInstance<'a, State>;

/// Ties all that a plugin of that version may import.
pub(crate) fn everything(linker: &mut Linker<State>, spoken: Spoken) -> wasmtime::Result<()> {
    let version = spoken.version();
    let mut interface =
        |name: &str, tie: fn(Interface<'_>) -> wasmtime::Result<()>| tie(linker.instance(&format!("patchbay:channel/{name}@{version}"))?);
    interface("types", types)?;
    interface("messages", |_| Ok(()))?;
    interface("log", log)?;
    interface("kv", kv)?;
    interface("http", http)?;
    interface("crypto", crypto)?;
    interface("mail", mail)
}

fn types(mut at: Interface<'_>) -> wasmtime::Result<()> {
    at.resource("blob", ResourceType::host::<Blob>(), |mut store, handle| HostBlob::drop(store.data_mut(), Resource::new_own(handle)))?;
    at.func_wrap_async("[constructor]blob", |mut store, (mime_type,): (String,)| {
        Box::new(async move { Ok((HostBlob::new(store.data_mut(), mime_type).await?,)) })
    })?;
    at.func_wrap("[method]blob.size", |mut store, (blob,): (Resource<Blob>,)| Ok((store.data_mut().size(blob)?,)))?;
    at.func_wrap("[method]blob.mime-type", |mut store, (blob,): (Resource<Blob>,)| Ok((store.data_mut().mime_type(blob)?,)))?;
    at.func_wrap("[method]blob.reference", |mut store, (blob,): (Resource<Blob>,)| Ok((store.data_mut().reference(blob)?,)))?;
    at.func_wrap_async("[method]blob.read", |mut store, (blob, offset, max): (Resource<Blob>, u32, u32)| {
        Box::new(async move { Ok((store.data_mut().read(blob, offset, max).await?,)) })
    })?;
    at.func_wrap_async("[method]blob.append", |mut store, (blob, chunk): (Resource<Blob>, Vec<u8>)| {
        Box::new(async move { Ok((store.data_mut().append(blob, chunk).await?,)) })
    })
}

fn log(mut at: Interface<'_>) -> wasmtime::Result<()> {
    at.func_wrap("write", |mut store, (level, message, fields)| log::Host::write(store.data_mut(), level, message, fields))
}

fn kv(mut at: Interface<'_>) -> wasmtime::Result<()> {
    at.func_wrap_async("get", |mut store, (key,)| Box::new(async move { Ok((kv::Host::get(store.data_mut(), key).await?,)) }))?;
    at.func_wrap_async("set", |mut store, (key, value, ttl_s, expected)| {
        Box::new(async move { Ok((kv::Host::set(store.data_mut(), key, value, ttl_s, expected).await?,)) })
    })?;
    at.func_wrap_async("delete", |mut store, (key,)| Box::new(async move { kv::Host::delete(store.data_mut(), key).await }))
}

fn http(mut at: Interface<'_>) -> wasmtime::Result<()> {
    at.func_wrap_async("send", |mut store, (request,)| Box::new(async move { Ok((http::Host::send(store.data_mut(), request).await?,)) }))
}

fn crypto(mut at: Interface<'_>) -> wasmtime::Result<()> {
    use crypto::Host;
    at.func_wrap("digest", |mut store, (algorithm, data)| Ok((Host::digest(store.data_mut(), algorithm, data)?,)))?;
    at.func_wrap("has", |mut store, (secret,)| Ok((Host::has(store.data_mut(), secret)?,)))?;
    at.func_wrap("hmac", |mut store, (secret, algorithm, data)| Ok((Host::hmac(store.data_mut(), secret, algorithm, data)?,)))?;
    at.func_wrap("sign", |mut store, (secret, algorithm, data)| Ok((Host::sign(store.data_mut(), secret, algorithm, data)?,)))?;
    at.func_wrap("public-key", |mut store, (secret,)| Ok((Host::public_key(store.data_mut(), secret)?,)))?;
    at.func_wrap("constant-time-equal", |mut store, (a, b)| Ok((Host::constant_time_equal(store.data_mut(), a, b)?,)))?;
    at.func_wrap("random", |mut store, (length,)| Ok((Host::random(store.data_mut(), length)?,)))
}

fn mail(mut at: Interface<'_>) -> wasmtime::Result<()> {
    use mail::Host;
    at.func_wrap_async("submit", |mut store, (target, envelope, letter)| {
        Box::new(async move { Ok((Host::submit(store.data_mut(), target, envelope, letter).await?,)) })
    })?;
    at.func_wrap_async("fetch", |mut store, (target, query)| {
        Box::new(async move { Ok((Host::fetch(store.data_mut(), target, query).await?,)) })
    })?;
    at.func_wrap_async("mark-seen", |mut store, (target, folder, validity, uids)| {
        Box::new(async move { Ok((Host::mark_seen(store.data_mut(), target, folder, validity, uids).await?,)) })
    })?;
    at.func_wrap_async("probe", |mut store, (target,)| Box::new(async move { Ok((Host::probe(store.data_mut(), target).await?,)) }))
}
