//! Files that the program carries: the contract, the SDKs, the example channels. See `host/build.rs`.

/// By their paths in the repository.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/carried.rs"));

/// The files below a folder, by their paths in it.
pub(super) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| Some((path.strip_prefix(folder)?.strip_prefix('/')?, *text)))
}

/// One file by its path in the repository.
pub(super) fn file(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

/// The contract as it is now: not its frozen versions.
pub(super) fn contract() -> impl Iterator<Item = (&'static str, &'static str)> {
    below("wit").filter(|(name, _)| !name.contains('/') && name.ends_with(".wit"))
}
