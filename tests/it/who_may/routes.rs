//! Every route that there is. The paths come from the source: a path that a router answers is written there, and a form that this can't
//! read fails the test. Which of them is below which prefix, by which methods, and whether it lets strangers in, is asked of the gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use reqwest::Method;

use super::{Told, ask};
use crate::harness::{Gateway, root};

/// How a route takes somebody who shows no key and no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// 401, before anything else is looked at.
    Locked,
    Open,
}

pub(super) const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What isn't the gateway's own door: the stand-in that the conformance suite makes.
const ELSEWHERE: [&str; 2] = ["conformance", "conformance.rs"];

/// Ways to add a route whose path this doesn't read.
const UNREADABLE: [&str; 4] = [".route_service(", ".nest_service(", ".fallback_service(", "MethodRouter::new"];

/// Every route as `GET /rest/v1/messages/{id}`, with its door.
///
/// `reader` is a key that may read alone: what it asks changes nothing.
pub(super) async fn all(gateway: &Gateway, reader: &str) -> BTreeMap<String, Door> {
    let (paths, prefixes) = written();
    let mut routes = BTreeMap::new();
    for prefix in &prefixes {
        for path in &paths {
            let whole = format!("{prefix}{path}");
            for method in METHODS {
                if let Some(door) = knock(gateway, reader, method.clone(), &whole).await {
                    routes.insert(format!("{method} {whole}"), door);
                }
            }
        }
    }
    let reached: BTreeSet<&str> = routes.keys().map(|route| route.split_once(' ').unwrap().1).collect();
    for path in &paths {
        let is_reached = prefixes.iter().any(|prefix| reached.contains(format!("{prefix}{path}").as_str()));
        assert!(is_reached, "{path} is written in host/src, and the gateway answers it below none of {prefixes:?}: is its router merged?");
    }
    routes
}

async fn knock(gateway: &Gateway, reader: &str, method: Method, path: &str) -> Option<Door> {
    // Any text stands for what is to be named.
    let path: String = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
    let told = Told::of(ask(gateway, method.clone(), &path)).await;
    match (told.status, told.body()["code"].as_str()) {
        (404, Some("no_such_route" | "PGRST125" | "PGRST205")) | (405, _) => None,
        (401, Some("PGRST302")) => {
            // Nobody is told which methods there are; and a stream's answer has no end to wait for.
            let status = ask(gateway, method, &path).bearer_auth(reader).send().await.unwrap().status();
            (status != 405).then_some(Door::Locked)
        }
        _ => Some(Door::Open),
    }
}

/// The paths and the prefixes that are written in the source of the gateway.
fn written() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut paths, mut prefixes) = (BTreeSet::new(), BTreeSet::from([String::new()]));
    let source = root().join("host/src");
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_elsewhere = folder == source && ELSEWHERE.contains(&name.as_str());
            if path.is_dir() && !is_elsewhere {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" && !is_elsewhere {
                read(&path, &mut paths, &mut prefixes);
            }
        }
    }
    assert!(paths.len() > 50 && prefixes.contains("/rest/v1"), "the routes aren't where they were: {paths:?} below {prefixes:?}");
    (paths, prefixes)
}

fn read(file: &Path, paths: &mut BTreeSet<String>, prefixes: &mut BTreeSet<String>) {
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    for form in UNREADABLE {
        assert!(!text.contains(form), "{}: {form} adds routes that {} can't read; teach it first", file.display(), file!());
    }
    // An operation, without which `routes!` takes no handler, has its path among its attributes.
    for rest in text.split("#[utoipa::path(").skip(1) {
        let path = rest.split_once("path = \"").and_then(|(_, rest)| rest.split('"').next()).filter(|path| path.starts_with('/'));
        paths.insert(path.unwrap_or_else(|| panic!("{}: an operation without a path: {rest:.60}", file.display())).to_owned());
    }
    for (form, found) in [(".route(", &mut *paths), (".nest(", &mut *prefixes)] {
        for rest in text.split(form).skip(1) {
            let path = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()).filter(|path| path.starts_with('/'));
            let path = path.unwrap_or_else(|| panic!("{}: {form} without a path in quotes: {:.60}", file.display(), rest));
            found.insert(path.to_owned());
        }
    }
}
