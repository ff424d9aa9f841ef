//! Patterns of branch names and paths in policies.
//!
//! Few signs, so that nobody has to guess: `*` stands for anything inside one name, `**` for
//! anything across folders, `?` for one character. A pattern without signs means that path and
//! everything below it; so does `brand/**` for `brand`. Upper and lower case differ.

use crate::base::path::AssetPath;
use gix::glob::wildmatch;
use gix::glob::wildmatch::Mode;
use std::fmt;

/// Longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;
/// Most signs in one pattern: matching costs more with each, and a stranger may write some of them.
const SIGNS_MAX: usize = 8;

/// Why text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {PATTERN_BYTES_MAX} bytes")]
    TooLong,
    #[error("it has more than {SIGNS_MAX} of * and ?")]
    TooManySigns,
    #[error("only * ** and ? are signs; [ ] {{ }} \\ and ! are none and would only confuse")]
    UnknownSign,
    #[error("it begins or ends with a slash, or has two in a row")]
    Slash,
    #[error("it has characters that cannot be seen")]
    Invisible,
}

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    text: String,
}

impl Pattern {
    /// Checks and takes a pattern.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        if text.chars().any(crate::base::escape::is_unsafe_to_show) {
            return Err(PatternError::Invisible);
        }
        if text.contains(['[', ']', '{', '}', '\\', '!']) {
            return Err(PatternError::UnknownSign);
        }
        if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            return Err(PatternError::Slash);
        }
        if text.matches(['*', '?']).count() > SIGNS_MAX {
            return Err(PatternError::TooManySigns);
        }
        Ok(Self { text: text.to_owned() })
    }

    /// The pattern of everything.
    pub fn everything() -> Self {
        Self { text: "**".to_owned() }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether everything matches.
    pub fn is_everything(&self) -> bool {
        self.text == "**"
    }

    /// Whether the name of a branch or tag matches.
    pub fn matches_name(&self, name: &str) -> bool {
        self.is_everything() || matches(&self.text, name.as_bytes())
    }

    /// Whether a path matches.
    pub fn matches_path(&self, path: &AssetPath) -> bool {
        if self.is_everything() {
            return true;
        }
        let bytes = path.as_bytes();
        if !self.text.contains(['*', '?']) {
            let folder = self.text.as_bytes();
            return bytes.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        }
        let above = self.text.strip_suffix("/**");
        matches(&self.text, bytes) || above.is_some_and(|above| matches(above, bytes))
    }
}

fn matches(pattern: &str, value: &[u8]) -> bool {
    wildmatch(pattern.into(), value.into(), Mode::NO_MATCH_SLASH_LITERAL)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, path: &str) -> bool {
        let path = AssetPath::from_bytes(path).expect("a path");
        Pattern::new(pattern).expect("a pattern").matches_path(&path)
    }

    #[test]
    fn a_folder_is_covered_with_all_that_is_in_it_and_nothing_beside_it() {
        for pattern in ["brand", "brand/**"] {
            assert!(covers(pattern, "brand/logo.svg") && covers(pattern, "brand/a/b.png"), "{pattern}");
            assert!(covers(pattern, "brand"), "{pattern} covers the folder as an asset");
            assert!(!covers(pattern, "branding/logo.svg") && !covers(pattern, "x/brand/a"), "{pattern}");
        }
    }

    #[test]
    fn one_star_stays_inside_a_name_and_two_cross_folders() {
        assert!(covers("*/final/*.psd", "spring/final/a.psd"));
        assert!(!covers("*/final/*.psd", "spring/x/final/a.psd"));
        assert!(covers("**/final/*.psd", "spring/x/final/a.psd"));
        assert!(covers("**", "anything/at/all"));
        assert!(!covers("Brand/**", "brand/a"), "case counts");
        let release = Pattern::new("release/*").expect("a pattern");
        assert!(release.matches_name("release/1") && !release.matches_name("release/1/x"));
    }

    #[test]
    fn patterns_that_would_not_mean_what_they_seem_to_are_refused() {
        let bad = ["", "/a", "a/", "a//b", "!a", "[ab]", "{a,b}", "a\\b", "x\u{202e}y", "*?*?*?*?*"];
        for text in bad {
            assert!(Pattern::new(text).is_err(), "{text:?}");
        }
    }
}
