//! The contract's data, as `bindgen!` makes it from `wit/`: what the host hands to a plugin and gets back. It is the one model
//! inside; what an older version says otherwise is turned into it ([`v0_1`]).

pub(crate) mod v0_1;

pub use crate::bindings::exports::patchbay::channel::{channel, media_download, polling, preview, templates};
pub use crate::bindings::patchbay::channel::{messages, types};

/// The newest version of `wit/` that this gateway speaks.
pub const VERSION: &str = "1.0.0";

/// A version of the contract that plugins may speak. Those of one line run on each other's hosts, as semver says: 1.0.0 and 1.4.2,
/// 0.1.0 and 0.1.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// 0.1.0, frozen in `wit/frozen/0.1.0`.
    V0_1,
    /// What `wit/` has.
    V1,
}

impl Spoken {
    /// Every version, the newest last.
    pub const ALL: [Spoken; 2] = [Spoken::V0_1, Spoken::V1];

    /// The version in full, as it stands behind the `@` of an interface's name.
    pub fn version(self) -> &'static str {
        match self {
            Spoken::V0_1 => "0.1.0",
            Spoken::V1 => VERSION,
        }
    }

    /// What speaks `version`, if anything here does.
    pub fn of(version: &str) -> Option<Spoken> {
        let line = line(version)?;
        Spoken::ALL.into_iter().find(|spoken| self::line(spoken.version()) == Some(line))
    }
}

/// What two versions have in common when code for one runs on the other: the major number, and before 1.0 the minor
/// too. The linker matches by the same rule.
fn line(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    Some((major, if major == 0 { minor } else { 0 }))
}

/// The versions in words: `0.1.0 and 1.0.0`.
pub fn spoken() -> String {
    Spoken::ALL.map(Spoken::version).join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_spoken_as_semver_says() {
        assert_eq!(Spoken::of("0.1.7"), Some(Spoken::V0_1));
        assert_eq!(Spoken::of("0.2.0"), None);
        assert_eq!(Spoken::of("1.4.0"), Some(Spoken::V1));
        assert_eq!(Spoken::of("2.0.0"), None);
        assert_eq!(Spoken::of("none"), None);
    }
}
