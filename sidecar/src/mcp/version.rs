//! Protocol versions, and the two eras they fall into.
//!
//! Versions are enumerated and anything else is refused: comparing them as text would let a version that does not exist
//! choose an era.

use std::fmt;

/// How a version is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Era {
    /// Up to 2025-11-25: an `initialize` handshake, sessions, server requests, a GET stream.
    Legacy,
    /// From 2026-07-28: every request stands alone and carries its own metadata.
    Modern,
}

impl Era {
    /// Both, oldest first.
    pub const ALL: [Self; 2] = [Self::Legacy, Self::Modern];

    /// Whether it has sessions. In one that has none no header names one, whatever it says.
    pub fn has_sessions(self) -> bool {
        self == Self::Legacy
    }

    /// The word used in metrics, logs and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A published version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is its own date")]
pub enum Version {
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// What a message without a version header speaks (specification 2025-06-18, "Protocol Version Header").
    pub const ASSUMED: Self = Self::V2025_03_26;

    /// The version of this exact name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it belongs to.
    pub fn era(self) -> Era {
        match self {
            Self::V2024_11_05 | Self::V2025_03_26 | Self::V2025_06_18 | Self::V2025_11_25 => Era::Legacy,
            Self::V2026_07_28 => Era::Modern,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_reads_back_and_eras_follow_their_order() {
        for version in Version::ALL {
            assert_eq!(Version::parse(version.as_str()), Some(version));
        }
        assert!(Version::ALL.is_sorted() && Version::ALL.map(Version::era).is_sorted());
        assert_eq!(Version::ASSUMED.era(), Era::Legacy);
    }

    #[test]
    fn what_was_never_published_is_no_version() {
        for text in ["", "2024-10-07", "2026-07-29", "2099-01-01", "2025-11-25 ", "v2025-11-25", "DRAFT-2026-v1"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
