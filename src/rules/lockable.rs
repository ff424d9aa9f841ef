//! Which files one person at a time should change, because nobody can merge them.
//!
//! The policy says it for the whole team, the repository's own settings for one clone: what these say of a
//! file decides, be it that it is none of them.

use crate::base::path::AssetPath;
use crate::rules::ignore::IgnoreStack;
use crate::rules::pattern::Pattern;

/// The patterns of both.
#[derive(Debug, Clone)]
pub struct Lockable {
    policy: Vec<Pattern>,
    own: IgnoreStack,
    is_empty: bool,
}

impl Lockable {
    /// Takes the policy's patterns, and patterns of the form of `.gitattributes` from the top folder: the
    /// last one that fits decides, and one behind a `!` takes out. What is no pattern is passed over.
    pub fn new(policy: &[String], own: &[String]) -> Self {
        let policy: Vec<Pattern> = policy.iter().filter_map(|text| Pattern::new(text).ok()).collect();
        let is_empty = policy.is_empty() && own.is_empty();
        Self { policy, own: IgnoreStack::of_patterns(own), is_empty }
    }

    /// Whether no file is covered.
    pub const fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Whether a file is one of them.
    pub fn covers(&self, path: &AssetPath) -> bool {
        match self.own.explain(path.as_bytes(), false) {
            Some(rule) => rule.ignored,
            None => self.policy.iter().any(|pattern| pattern.matches_path(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clones_own_patterns_decide_before_the_policys() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let lockable = Lockable::new(&texts(&["**/*.psd", "film"]), &texts(&["*.mov", "!old.psd", "#x"]));
        let path = |text: &str| AssetPath::from_bytes(text).expect("a path");
        for (text, covered) in [
            ("logo.psd", true),
            ("brand/logo.psd", true),
            ("brand/old.psd", false),
            ("film/notes.txt", true),
            ("a/b.mov", true),
            ("#x", true),
            ("poster.txt", false),
        ] {
            assert_eq!(lockable.covers(&path(text)), covered, "{text}");
        }
        assert!(Lockable::new(&[], &[]).is_empty());
    }
}
