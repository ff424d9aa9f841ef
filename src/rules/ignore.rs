//! Which untracked files and folders are left out.
//!
//! `.pentignore` files in any folder follow the rules of gitignore (the matching is that of `gix`):
//! later lines win over earlier ones, deeper files over higher ones, `!pattern` brings back, a
//! folder that is left out hides everything in it. Below them all stands the built-in list of
//! [`defaults`]. Files that are tracked already are never left out, so only untracked ones are asked.

pub mod defaults;

use crate::base::path::AssetPath;
use defaults::CREATIVE_DEFAULTS;
use gix::bstr::ByteSlice;
use gix::glob::Pattern;
use gix::glob::pattern::{Case, Mode};
use gix::glob::wildmatch::Mode as WildMode;
use std::sync::{Arc, OnceLock};

/// Name of the files that hold the rules.
pub const IGNORE_FILE: &[u8] = b".pentignore";
/// Longest file of rules that is read, in bytes; what follows is not looked at.
pub const IGNORE_FILE_BYTES_MAX: usize = 1 << 20;
/// Most patterns of one file; what follows is not looked at.
const PATTERNS_MAX: usize = 20_000;
/// Most wildcards in one pattern: matching costs more with each, and a stranger writes some of them.
const WILDCARDS_MAX: usize = 16;

/// Where a rule was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSource {
    /// In the built-in list, under this heading.
    BuiltIn(&'static str),
    /// In the user's own settings, which hold for every repository.
    Settings,
    /// In the `.pentignore` of this folder.
    Folder(AssetPath),
}

/// The rule that decided about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMatch {
    /// Where it stands.
    pub source: RuleSource,
    /// Its line, from 1; 0 in the built-in list.
    pub line: usize,
    /// Its text.
    pub pattern: Vec<u8>,
    /// Whether the path is left out; `false` for a `!pattern`.
    pub ignored: bool,
}

/// The rules that hold in one folder. Cheap to clone: folders share what they inherit.
#[derive(Debug, Clone)]
pub struct IgnoreStack {
    top: Option<Arc<Layer>>,
    /// Set inside a folder that is itself left out.
    all_ignored: bool,
    with_defaults: bool,
}

/// The rules of one file, above those of the folders higher up.
#[derive(Debug)]
struct Layer {
    source: RuleSource,
    /// Length of the part of a path that leads to the folder, its slash included.
    base_bytes: usize,
    rules: Vec<Rule>,
    below: Option<Arc<Layer>>,
}

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    line: usize,
}

impl IgnoreStack {
    /// The rules of the top folder before its own `.pentignore`: the built-in list, then `settings`,
    /// the text of the user's own rules (may be empty).
    pub fn new(settings: &[u8]) -> Self {
        let stack = Self { top: None, all_ignored: false, with_defaults: true };
        stack.with_layer(RuleSource::Settings, 0, settings)
    }

    /// Rules that leave out nothing at all.
    pub fn none() -> Self {
        Self { top: None, all_ignored: false, with_defaults: false }
    }

    /// Patterns from the top folder, of which the last one that fits decides; one behind a `!` takes out.
    pub fn of_patterns(patterns: &[String]) -> Self {
        let lines = patterns.iter().map(|pattern| {
            if pattern.starts_with('#') { format!("\\{pattern}\n") } else { format!("{pattern}\n") }
        });
        Self::none().push_dir(&AssetPath::root(), Some(lines.collect::<String>().as_bytes()))
    }

    /// The rules inside `folder`, given the bytes of its `.pentignore` when it has one.
    #[must_use]
    pub fn push_dir(&self, folder: &AssetPath, rules: Option<&[u8]>) -> Self {
        let Some(rules) = rules else { return self.clone() };
        let base_bytes = if folder.is_root() { 0 } else { folder.as_bytes().len() + 1 };
        self.with_layer(RuleSource::Folder(folder.clone()), base_bytes, rules)
    }

    /// The rules inside a folder that is left out: nothing in it can be brought back.
    #[must_use]
    pub fn inside_ignored(&self) -> Self {
        Self { all_ignored: true, ..self.clone() }
    }

    /// Whether an untracked path, which must lie right in the folder that this stack is for, is left out.
    pub fn is_ignored(&self, path: &[u8], is_dir: bool) -> bool {
        if self.all_ignored {
            return true;
        }
        let decided = self.deciding_rule(path, is_dir).map(|(_, rule)| !rule.pattern.is_negative());
        decided.unwrap_or_else(|| self.with_defaults && built_in().find(name_of(path), is_dir).is_some())
    }

    /// The rule that decides about a path; `None` when no rule speaks of it.
    pub fn explain(&self, path: &[u8], is_dir: bool) -> Option<RuleMatch> {
        if let Some((source, rule)) = self.deciding_rule(path, is_dir) {
            let pattern = rule.pattern.to_string().into_bytes();
            let ignored = !rule.pattern.is_negative();
            return Some(RuleMatch { source: source.clone(), line: rule.line, pattern, ignored });
        }
        let found = if self.with_defaults { built_in().find(name_of(path), is_dir) } else { None };
        found.map(|(heading, pattern)| RuleMatch {
            source: RuleSource::BuiltIn(heading),
            line: 0,
            pattern: pattern.to_string().into_bytes(),
            ignored: true,
        })
    }

    fn with_layer(&self, source: RuleSource, base_bytes: usize, text: &[u8]) -> Self {
        let rules = parse_rules(text);
        if rules.is_empty() {
            return self.clone();
        }
        let layer = Layer { source, base_bytes, rules, below: self.top.clone() };
        Self { top: Some(Arc::new(layer)), ..self.clone() }
    }

    fn deciding_rule(&self, path: &[u8], is_dir: bool) -> Option<(&RuleSource, &Rule)> {
        let mut layer = self.top.as_deref();
        while let Some(rules) = layer {
            let relative = path.get(rules.base_bytes..).unwrap_or_default();
            let found = rules.rules.iter().rev().find(|rule| rule.matches(relative, is_dir));
            if let Some(rule) = found {
                return Some((&rules.source, rule));
            }
            layer = rules.below.as_deref();
        }
        None
    }
}

impl Rule {
    fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        let name_start = path.rfind_byte(b'/').map(|slash| slash + 1);
        self.pattern.matches_repo_relative_path(
            path.as_bstr(),
            name_start,
            Some(is_dir),
            Case::Sensitive,
            WildMode::NO_MATCH_SLASH_LITERAL,
        )
    }
}

fn parse_rules(text: &[u8]) -> Vec<Rule> {
    let text = &text[..text.len().min(IGNORE_FILE_BYTES_MAX)];
    gix::ignore::parse(text, false)
        .map(|(pattern, line, _)| Rule { pattern, line })
        .filter(|rule| wildcards(&rule.pattern) <= WILDCARDS_MAX)
        .take(PATTERNS_MAX)
        .collect()
}

fn wildcards(pattern: &Pattern) -> usize {
    pattern.text.iter().filter(|byte| **byte == b'*').count()
}

fn name_of(path: &[u8]) -> &[u8] {
    path.rfind_byte(b'/').map_or(path, |slash| &path[slash + 1..])
}

/// The built-in patterns, arranged so that a name is compared with a handful of them only.
struct BuiltIn {
    patterns: Vec<(&'static str, Pattern)>,
    /// Patterns whose first byte, in lower case, is known.
    by_first: Vec<Vec<u16>>,
    /// Of the others, those whose last byte is known.
    by_last: Vec<Vec<u16>>,
    /// The rest.
    others: Vec<u16>,
}

fn built_in() -> &'static BuiltIn {
    static BUILT_IN: OnceLock<BuiltIn> = OnceLock::new();
    BUILT_IN.get_or_init(BuiltIn::compile)
}

impl BuiltIn {
    fn compile() -> Self {
        let mut this = Self {
            patterns: Vec::new(),
            by_first: vec![Vec::new(); 256],
            by_last: vec![Vec::new(); 256],
            others: Vec::new(),
        };
        let all =
            CREATIVE_DEFAULTS.iter().flat_map(|(heading, texts)| texts.iter().map(|text| (*heading, *text)));
        for (heading, text) in all {
            let Some(pattern) = Pattern::from_bytes_without_negation(text.as_bytes()) else { continue };
            this.add(heading, pattern);
        }
        this
    }

    fn add(&mut self, heading: &'static str, pattern: Pattern) {
        let number = self.patterns.len() as u16;
        let is_plain = |byte: &&u8| !matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\');
        let first = pattern.text.first().filter(is_plain).map(u8::to_ascii_lowercase);
        let last = pattern.text.last().filter(is_plain).map(u8::to_ascii_lowercase);
        match (first, last) {
            (Some(first), _) => self.by_first[usize::from(first)].push(number),
            (None, Some(last)) => self.by_last[usize::from(last)].push(number),
            (None, None) => self.others.push(number),
        }
        self.patterns.push((heading, pattern));
    }

    fn find(&self, name: &[u8], is_dir: bool) -> Option<(&'static str, &Pattern)> {
        let first = usize::from(name.first()?.to_ascii_lowercase());
        let last = usize::from(name.last()?.to_ascii_lowercase());
        let candidates = self.by_first[first].iter().chain(&self.by_last[last]).chain(&self.others);
        candidates.filter_map(|number| self.patterns.get(usize::from(*number))).find_map(
            |(heading, pattern)| {
                let fits = is_dir || !pattern.mode.contains(Mode::MUST_BE_DIR);
                (fits && pattern.matches(name.as_bstr(), WildMode::IGNORE_CASE))
                    .then_some((*heading, pattern))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(text: &str) -> AssetPath {
        AssetPath::from_bytes(text).expect("a valid path")
    }

    #[test]
    fn what_design_tools_leave_behind_is_left_out() {
        let stack = IgnoreStack::new(b"");
        for name in [
            ".DS_Store",
            "thumbs.db",
            "._logo.psd",
            "~brochure~a1b2c3.idlk",
            "scene.blend1",
            "scene.blend12",
            "scene.blend@",
            "paint.kra~",
            "paint.kra-autosave.kra",
            ".~lock.brief.odt#",
            "~$brief.docx",
            "notes.txt~",
            ".notes.swp",
            ".pent-tmp-0123456789abcdef",
            "Icon\r",
            "scene_bak1.c4d",
            "~ps12.tmp",
        ] {
            assert!(stack.is_ignored(name.as_bytes(), false), "{name}");
        }
        for name in [
            "Adobe Premiere Pro Auto-Save",
            "media cache files",
            "film.aep Logs",
            ".mayaSwatches",
            "CacheClip",
            ".git",
        ] {
            assert!(stack.is_ignored(format!("shots/{name}").as_bytes(), true), "{name}");
        }
    }

    #[test]
    fn work_is_never_left_out_by_the_built_in_list() {
        let stack = IgnoreStack::new(b"");
        for name in [
            "logo.psd",
            "logo.psb",
            "scene.blend",
            "a.kra",
            "brief.docx",
            "cover.indd",
            "film.prproj",
            "film.aep",
            "mix.als",
            "beat.wav",
            "score.log",
            "old.bak",
            "lock.svg",
            "cache.png",
            "data.mdb",
            "catalog.lrcat",
            ".pentignore",
            "~approved.psd",
            "model.max",
            "shot.hip",
            "comp.nk",
            "Media Cache.txt",
            "thumbs.png",
            "git",
            "part 1.mov",
            "drawing.svg",
        ] {
            assert!(!stack.is_ignored(name.as_bytes(), false), "{name}");
        }
        for name in ["cache", "Renders", "Previews", "Auto-Save", "tmp", "backup", "Proxies"] {
            assert!(!stack.is_ignored(name.as_bytes(), true), "{name}");
        }
    }

    #[test]
    fn a_user_brings_back_what_the_built_in_list_leaves_out() {
        let stack = IgnoreStack::new(b"!*.blend1\n");
        assert!(!stack.is_ignored(b"scene.blend1", false));
        assert!(stack.is_ignored(b"scene.blend2", false));
        let inside = stack.push_dir(&folder("a"), Some(b"*.blend1\n"));
        assert!(inside.is_ignored(b"a/scene.blend1", false));
    }

    #[test]
    fn rules_follow_gitignore() {
        let top = IgnoreStack::new(b"")
            .push_dir(&AssetPath::root(), Some(b"# comment\n/out\nrenders/\n*.tif\n!keep.tif\na/**/z\n"));
        assert!(top.is_ignored(b"out", false));
        assert!(top.is_ignored(b"renders", true));
        assert!(!top.is_ignored(b"renders", false));
        assert!(!top.is_ignored(b"keep.tif", false));
        let sub = top.push_dir(&folder("sub"), Some(b"keep.tif\n/only\n"));
        assert!(!sub.is_ignored(b"sub/out", false));
        assert!(sub.is_ignored(b"sub/x.tif", false));
        assert!(sub.is_ignored(b"sub/keep.tif", false));
        assert!(sub.is_ignored(b"sub/only", false));
        assert!(top.is_ignored(b"a/b/c/z", false));
    }

    #[test]
    fn nothing_comes_back_inside_a_folder_that_is_left_out() {
        let inside = IgnoreStack::new(b"").inside_ignored().push_dir(&folder("cache"), Some(b"!*\n"));
        assert!(inside.is_ignored(b"cache/x", false));
    }

    #[test]
    fn the_rule_that_decided_can_be_shown() {
        let stack = IgnoreStack::new(b"").push_dir(&folder("a"), Some(b"\n*.tif\n"));
        let rule = stack.explain(b"a/x.tif", false).expect("a rule");
        assert_eq!((rule.source, rule.line, rule.ignored), (RuleSource::Folder(folder("a")), 2, true));
        let rule = stack.explain(b"a/.DS_Store", false).expect("a rule");
        assert_eq!(rule.source, RuleSource::BuiltIn("macOS"));
        assert_eq!(stack.explain(b"a/logo.psd", false), None);
    }

    #[test]
    fn patterns_made_to_take_for_ever_are_not_looked_at() {
        let hostile = b"a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b\n";
        let stack = IgnoreStack::none().push_dir(&AssetPath::root(), Some(hostile));
        assert!(!stack.is_ignored("a".repeat(200).as_bytes(), false));
        assert!(!stack.is_ignored(format!("{}b", "a".repeat(200)).as_bytes(), false));
    }

    #[test]
    fn every_built_in_pattern_is_a_single_name_and_found_by_its_own_text() {
        for (heading, texts) in CREATIVE_DEFAULTS {
            for text in *texts {
                let name = text.trim_end_matches('/');
                assert!(!name.contains('/') && !name.starts_with('!'), "{heading}: {text}");
                if !name.contains(['*', '[']) {
                    assert!(built_in().find(name.as_bytes(), true).is_some(), "{heading}: {text}");
                }
            }
        }
    }
}
