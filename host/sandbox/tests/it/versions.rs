//! The contract as it was: what is frozen stays as it is, what is new fits it, and what was built for it runs.

use std::path::{Path, PathBuf};

use patchbay_sandbox::CallLimits;
use patchbay_sandbox::contract::channel::Webhook;
use patchbay_sandbox::contract::messages::{Content, Happening};
use patchbay_sandbox::contract::{Spoken, VERSION};
use wit_component::semver_check;
use wit_parser::{Resolve, UnresolvedPackageGroup};

use crate::host::{Notes, load, webhook};

/// The worlds that components are made for: each may import more, export less, and has the same data.
const WORLDS: [&str; 6] = ["plugin", "plugin-polling", "plugin-media-download", "plugin-templates", "plugin-preview", "plugin-full"];

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// All files of a folder as one text, so that a test can change it.
fn text_of(folder: &Path) -> String {
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wit"));
    files.sort();
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let package = |line: &&str| line.starts_with("package ");
    let mut lines: Vec<String> = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let first = lines.iter().find(|line| package(&line.as_str())).unwrap().clone();
    lines.retain(|line| !package(&line.as_str()));
    format!("{first}\n{}", lines.join("\n"))
}

/// Whether what was built for `prev` runs on a host that offers `new`.
fn fits(prev: &str, new: &str) -> Result<(), String> {
    // One world may stand twice in a resolve only under two versions: the numbers say nothing here.
    let versioned = |text: &str, version: &str| {
        let (package, rest) = text.split_once('\n').unwrap();
        format!("{}@{version};\n{rest}", package.split('@').next().unwrap())
    };
    WORLDS.iter().try_for_each(|world| {
        let mut resolve = Resolve::default();
        let parse = |text: &str| UnresolvedPackageGroup::parse("channel.wit", text).unwrap();
        let prev = resolve.push_group(parse(&versioned(prev, "7.0.0"))).unwrap();
        let new = resolve.push_group(parse(&versioned(new, "7.1.0"))).unwrap();
        let (prev, new) = (resolve.select_world(&[prev], Some(world)).unwrap(), resolve.select_world(&[new], Some(world)).unwrap());
        semver_check(resolve, prev, new).map_err(|error| format!("{world}: {error:#}"))
    })
}

#[test]
fn the_contract_fits_every_frozen_version_of_its_line() {
    let now = text_of(&wit());
    let mut checked = 0;
    for folder in wit().join("frozen").read_dir().unwrap() {
        let folder = folder.unwrap();
        let version = folder.file_name().into_string().unwrap();
        assert!(Spoken::of(&version).is_some(), "wit/frozen/{version} is spoken by nothing");
        if Spoken::of(&version) == Spoken::of(VERSION) {
            fits(&text_of(&folder.path()), &now).unwrap();
            checked += 1;
        }
    }
    assert!(checked > 0, "nothing is frozen");
}

#[test]
fn the_version_that_is_spoken_is_frozen() {
    let frozen = wit().join("frozen").join(VERSION);
    assert_eq!(
        text_of(&frozen),
        text_of(&wit()),
        "a change of the contract is a new version, with a frozen copy of its own: wit/README.md"
    );
}

/// Each line says what a change would do, so that the check itself is known to find it.
#[test]
fn imports_grow_and_data_never_changes() {
    let before = text_of(&wit());
    let changed = |from: &str, to: &str| {
        assert!(before.contains(from), "wit/ no longer has `{from}`");
        fits(&before, &before.replacen(from, to, 1))
    };
    // Grows.
    assert_eq!(changed("  delete: func(key: string);", "  delete: func(key: string); forget-all: func();"), Ok(()));
    assert_eq!(changed("world imports {", "interface clock { now: func() -> f64; } world imports { import clock;"), Ok(()));
    // Breaks.
    assert!(changed("  record vote { poll: string,", "  record vote { weight: u32, poll: string,").is_err(), "a field more");
    assert!(changed("    opted-in,\n", "    opted-in,\n    left,\n").is_err(), "a case more");
    assert!(changed("enum level { debug,", "enum level { trace, debug,").is_err(), "a word more");
    assert!(changed("  delete: func(key: string);", "").is_err(), "an import less");
    assert!(changed("  health: func(call: call)", "  goodbye: func(); health: func(call: call)").is_err(), "an export more");
}

/// `tests/it/pager-0.1.0` was built when the contract was 0.1.0.
#[tokio::test]
async fn a_plugin_of_the_version_before_runs() {
    let component = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/it/pager-0.1.0/pager.wasm")).unwrap();
    let plugin = load(&component);
    assert_eq!(plugin.contract(), "0.1.0");
    assert!(plugin.groups().polling);
    let body = br#"{"pages": [{"kind": "page", "id": "1", "from": "7", "text": "Hi"}, {"kind": "stop", "id": "2", "from": "7"},
                              {"kind": "battery", "id": "3", "from": "7"}]}"#;
    let received = Webhook { body: body.to_vec(), ..webhook() };
    let notes = Notes::default();
    for hot in [None, Some("account"), Some("account")] {
        let answer = plugin.parse_inbound(CallLimits::default(), notes.services(), &received, hot).await.unwrap().unwrap();
        let [page, stop, battery] = answer.events.as_slice() else { panic!("three events: {answer:?}") };
        let Happening::Message(inbound) = &page.what else { panic!("a message: {page:?}") };
        assert!(matches!(inbound.content.as_slice(), [Content::Text(text)] if text.body == "Hi"));
        assert_eq!((page.dedupe_key.as_str(), page.extras.len()), ("1", 0));
        assert!(matches!(&stop.what, Happening::OptedOut(detail) if detail.code == "stop" && detail.extras.is_empty()));
        assert!(matches!(&battery.what, Happening::Account(status) if status.state == "degraded" && status.detail.code == "battery"));
    }
}
