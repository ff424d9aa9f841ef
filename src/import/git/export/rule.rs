//! Which files become Git LFS pointers on the way out.

use crate::base::path::AssetPath;
use crate::rules::ignore::IgnoreStack;

/// Name of the files that tell Git LFS which files are its own.
pub(super) const ATTRIBUTES: &[u8] = b".gitattributes";

/// Which files stand in the exported trees as Git LFS pointers, beside those that did before. Patterns
/// are those of `.gitattributes`, from the top folder: the last one that fits decides, and one behind a
/// `!` takes out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LfsRule {
    /// Files of at least so many bytes.
    pub above: Option<u64>,
    /// Files that fit these patterns.
    pub patterns: Vec<String>,
    /// The same, for commits only that Git has never seen: their `.gitattributes` speak for them.
    pub native: Vec<String>,
}

/// A rule that was understood.
pub(super) struct Matcher {
    above: Option<u64>,
    patterns: IgnoreStack,
    native: IgnoreStack,
    asks_every_commit: bool,
    /// Whether it matters in which folder a file lies.
    pub by_folder: bool,
}

impl Matcher {
    pub fn new(rule: &LfsRule) -> Self {
        let has_folder = |pattern: &String| pattern.contains('/');
        Self {
            above: rule.above,
            patterns: IgnoreStack::of_patterns(&rule.patterns),
            native: IgnoreStack::of_patterns(&rule.native),
            asks_every_commit: rule.above.is_some() || !rule.patterns.is_empty(),
            by_folder: rule.patterns.iter().chain(&rule.native).any(has_folder),
        }
    }

    /// Whether it takes no file of a commit that came from Git.
    pub fn is_empty(&self) -> bool {
        !self.asks_every_commit
    }

    /// Whether it takes a file of any commit.
    pub fn takes(&self, path: &AssetPath, size: u64) -> bool {
        if self.is_empty() || path.name() == ATTRIBUTES {
            return false;
        }
        self.above.is_some_and(|above| size >= above) || self.patterns.is_ignored(path.as_bytes(), false)
    }

    /// Whether it takes a file of a commit that Git has never seen.
    pub fn takes_native(&self, path: &AssetPath) -> bool {
        self.native.is_ignored(path.as_bytes(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides_and_folders_count() {
        let patterns = ["*.psd", "/video/**/*.mov", "!old.psd", "#x"].map(str::to_owned).to_vec();
        let matcher = Matcher::new(&LfsRule { above: Some(9), patterns, native: vec!["*.wav".to_owned()] });
        let path = |text: &str| AssetPath::from_bytes(text).expect("a path");
        for (text, taken) in [
            ("a/b.psd", true),
            ("a/old.psd", false),
            ("video/x.mov", true),
            ("video/deep/x.mov", true),
            ("x.mov", false),
            ("#x", true),
            ("a/.gitattributes", false),
        ] {
            assert_eq!(matcher.takes(&path(text), 1), taken, "{text}");
        }
        assert!(matcher.takes(&path("any"), 9));
        assert!(matcher.takes_native(&path("a/b.wav")) && !matcher.takes_native(&path("a/b.psd")));
        assert!(matcher.by_folder);
    }
}
