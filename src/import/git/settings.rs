//! What `.gitignore` and `.gitattributes` ask for, in terms of this program. The files themselves stay in
//! the trees as they are and mean nothing here; what they ask for is kept outside of the trees.

use crate::base::path::AssetPath;
use crate::import::git::quoted::{quote, unquote};
use std::collections::HashMap;

/// Most rules that are taken over.
const RULES_MAX: usize = 10_000;
/// Where the rules that follow came from.
pub const IGNORE_BEGIN: &str = "# >>> from .gitignore files: every `pent import git` writes these lines anew";
/// The end of them.
pub const IGNORE_END: &str = "# <<<";

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Translated {
    /// Rules for what is left out, in the form of `.pentignore`, each from the top folder.
    pub ignore: Vec<String>,
    /// Files that stand in Git LFS, as patterns from the top folder.
    pub lfs: Vec<String>,
    /// Files that one person at a time may change, as patterns from the top folder.
    pub lockable: Vec<String>,
    /// Words that stand for several attributes, with those (`[attr]name ...` in the file of the top folder).
    #[serde(skip)]
    macros: HashMap<String, Vec<String>>,
}

impl Translated {
    /// Adds what the `.gitignore` of a folder says. Files of folders higher up come first.
    pub fn add_ignore(&mut self, folder: &AssetPath, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let line = line.trim_end_matches('\r');
            // Blanks at the end count only behind a backslash.
            let trimmed = line.trim_end_matches(' ');
            let line =
                if trimmed.ends_with('\\') { &line[..line.len().min(trimmed.len() + 1)] } else { trimmed };
            if line.is_empty() || line.starts_with('#') || self.ignore.len() >= RULES_MAX {
                continue;
            }
            let (sign, pattern) = line.strip_prefix('!').map_or(("", line), |rest| ("!", rest));
            if let Some(pattern) = from_top(folder, pattern) {
                self.ignore.push(format!("{sign}{pattern}"));
            }
        }
    }

    /// Adds what the `.gitattributes` of a folder says of Git LFS and of locks. The last pattern that fits a
    /// file decides: one behind a `!` takes out.
    pub fn add_attributes(&mut self, folder: &AssetPath, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            if let Some(definition) = line.trim().strip_prefix("[attr]") {
                // Git takes these from the top folder only.
                if folder.is_root() && self.macros.len() < RULES_MAX {
                    let mut words = definition.split_ascii_whitespace().map(str::to_owned);
                    self.macros.extend(words.next().map(|name| (name, words.collect())));
                }
                continue;
            }
            let Some((pattern, attributes)) = attribute_line(line.trim()) else { continue };
            // Git does not know what takes out by a pattern here, and passes it over.
            if pattern.starts_with('!') {
                continue;
            }
            let Some(pattern) = from_top(folder, &pattern) else { continue };
            let words = self.words(attributes);
            // The last word on the line decides.
            let last = |fits: &dyn Fn(&str) -> Option<bool>| words.iter().rev().find_map(|word| fits(word));
            let lfs = last(&|word| match word {
                "filter=lfs" => Some(true),
                "-filter" | "!filter" | "filter" => Some(false),
                other => other.starts_with("filter=").then_some(false),
            });
            let lockable = last(&|word| match word {
                "lockable" => Some(true),
                "-lockable" | "!lockable" => Some(false),
                _ => None,
            });
            decide(&mut self.lfs, &pattern, lfs);
            decide(&mut self.lockable, &pattern, lockable);
        }
    }

    /// The attributes of a line, with what stands for several replaced by those.
    fn words(&self, attributes: &str) -> Vec<String> {
        let mut words = Vec::new();
        for word in attributes.split_ascii_whitespace() {
            words.push(word.to_owned());
            words.extend(self.macros.get(word).into_iter().flatten().cloned());
        }
        words
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.ignore.is_empty() && self.lfs.is_empty() && self.lockable.is_empty()
    }
}

/// Lets a pattern decide, after all others.
fn decide(list: &mut Vec<String>, pattern: &str, decided: Option<bool>) {
    let Some(wanted) = decided else { return };
    let is_same = |other: &String| other.strip_prefix('!').unwrap_or(other) == pattern;
    list.retain(|other| !is_same(other));
    if wanted && list.len() < RULES_MAX {
        list.push(pattern.to_owned());
    } else if !wanted && !list.is_empty() && list.len() < RULES_MAX {
        list.push(format!("!{pattern}"));
    }
}

/// A pattern of a folder's file as it reads from the top folder.
fn from_top(folder: &AssetPath, pattern: &str) -> Option<String> {
    if folder.is_root() {
        return Some(pattern.to_owned());
    }
    let folder = escaped(std::str::from_utf8(folder.as_bytes()).ok()?);
    let inner = pattern.trim_end_matches('/');
    Some(match inner.strip_prefix('/') {
        Some(rest) => format!("/{folder}/{rest}{}", &pattern[inner.len()..]),
        None if inner.contains('/') => format!("/{folder}/{pattern}"),
        None => format!("/{folder}/**/{pattern}"),
    })
}

/// A name in which nothing is taken for a part of a pattern.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '!' | '#' | ' ') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// Splits a line of `.gitattributes` into its pattern and the rest; `None` for comments and macros.
fn attribute_line(line: &str) -> Option<(String, &str)> {
    if line.is_empty() || line.starts_with('#') || line.starts_with("[attr]") {
        return None;
    }
    let Some(quoted) = line.strip_prefix('"') else {
        let end = line.find(|c: char| c.is_ascii_whitespace()).unwrap_or(line.len());
        return Some((line[..end].to_owned(), &line[end..]));
    };
    let (pattern, rest) = unquote(quoted)?;
    Some((String::from_utf8(pattern).ok()?, rest))
}

/// The text of the file of rules with what was written by the last import replaced.
pub fn merged_rules(present: &str, rules: &[String]) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in present.lines() {
        match line {
            IGNORE_BEGIN => inside = true,
            IGNORE_END if inside => inside = false,
            _ if inside => {}
            line => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    if rules.is_empty() {
        return kept;
    }
    // What the user wrote stands below and so wins.
    format!("{IGNORE_BEGIN}\n{}\n{IGNORE_END}\n{kept}", rules.join("\n"))
}

/// Patterns on one line, parted by blanks; those that would not be read back stand in quotation marks, as in
/// `.gitattributes`.
pub fn one_line(patterns: &[String]) -> String {
    let is_unclear = |pattern: &String| {
        let has_blank = pattern.chars().any(|c| c.is_whitespace() || c.is_ascii_control());
        has_blank
            || pattern.is_empty()
            || ["\"", "#", "[attr]"].iter().any(|start| pattern.starts_with(start))
    };
    let shown =
        patterns.iter().map(|pattern| if is_unclear(pattern) { quote(pattern) } else { pattern.clone() });
    shown.collect::<Vec<_>>().join(" ")
}

/// Reverses [`one_line`].
pub fn patterns_of(line: &str) -> Vec<String> {
    let mut patterns = Vec::new();
    let mut rest = line.trim();
    while let Some((pattern, after)) = attribute_line(rest) {
        patterns.push(pattern);
        rest = after.trim_start();
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text.as_bytes()).expect("a path")
    }

    #[test]
    fn rules_of_inner_folders_read_from_the_top() {
        let mut translated = Translated::default();
        translated.add_ignore(&AssetPath::root(), b"# comment\n*.tmp\n/build/\n!keep.tmp\r\n\n");
        translated.add_ignore(&path("a b/c"), b"*.log\n/only\nx/y\nfolder/\n!z\n");
        assert_eq!(
            translated.ignore,
            [
                "*.tmp",
                "/build/",
                "!keep.tmp",
                "/a\\ b/c/**/*.log",
                "/a\\ b/c/only",
                "/a\\ b/c/x/y",
                "/a\\ b/c/**/folder/",
                "!/a\\ b/c/**/z",
            ]
        );
    }

    #[test]
    fn attributes_say_what_stands_in_git_lfs_and_what_is_locked() {
        let mut translated = Translated::default();
        let text = b"*.psd filter=lfs diff=lfs merge=lfs -text lockable\n\"a b.bin\" filter=lfs\n*.txt text\n[attr]x y\n";
        translated.add_attributes(&AssetPath::root(), text);
        translated.add_attributes(&path("video"), b"*.mov lockable filter=lfs\n");
        translated.add_attributes(&AssetPath::root(), b"*.psd -filter\n");
        assert_eq!(translated.lfs, ["a b.bin", "/video/**/*.mov", "!*.psd"]);
        assert_eq!(translated.lockable, ["*.psd", "/video/**/*.mov"]);
        assert_eq!(patterns_of(&one_line(&translated.lfs)), translated.lfs);
    }

    #[test]
    fn patterns_in_quotation_marks_are_read_as_git_reads_them() {
        let mut translated = Translated::default();
        let text = br##""/\303\274 x.psd" lockable
"tab\tx.bin" lockable
"\#x" lockable
"#y \\*z" lockable
"open lockable
!*.psd -lockable
"##;
        translated.add_attributes(&AssetPath::root(), text);
        assert_eq!(translated.lockable, ["/\u{fc} x.psd", "tab\tx.bin", "#y \\*z"]);
        let odd = ["#", "[attr]x", "\"", "a\u{a0}b", "\u{1}", "plain", "\\*"].map(str::to_owned);
        assert_eq!(patterns_of(&one_line(&odd)), odd);
        assert_eq!(patterns_of(&one_line(&translated.lockable)), translated.lockable);
    }

    #[test]
    fn words_that_stand_for_several_attributes_count_and_later_lines_decide() {
        let mut translated = Translated::default();
        translated.add_attributes(
            &AssetPath::root(),
            b"[attr]big filter=lfs lockable\n*.psd big\n*.tif big -lockable\n",
        );
        translated.add_attributes(&path("docs"), b"[attr]big text\n*.tif filter=other\n");
        assert_eq!(translated.lfs, ["*.psd", "*.tif", "!/docs/**/*.tif"]);
        assert_eq!(translated.lockable, ["*.psd", "!*.tif"]);
    }

    #[test]
    fn what_the_user_wrote_stays_when_rules_are_written_anew() {
        let first = merged_rules("mine\n", &["a".to_owned(), "b".to_owned()]);
        let second = merged_rules(&first, &["c".to_owned()]);
        assert_eq!(second, format!("{IGNORE_BEGIN}\nc\n{IGNORE_END}\nmine\n"));
        assert_eq!(merged_rules(&second, &[]), "mine\n");
    }
}
