//! How files are to be named, and what a name that does not fit should be instead.

use crate::rules::schema::Scope;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// How words are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameStyle {
    /// `harbour-at-dawn`
    Kebab,
    /// `harbour_at_dawn`
    Snake,
    /// No blanks and no signs but `-`, `_` and `.`.
    Plain,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRule {
    /// Which files.
    pub scope: Scope,
    /// How words are joined.
    pub style: Option<NameStyle>,
    /// It begins with one of these; anything when empty.
    pub begins: Vec<String>,
    /// It ends with one of these, without the dot; anything when empty.
    pub ends: Vec<String>,
    /// Whether it ends in a version, such as `_v2`, before the end of the format.
    pub version: bool,
    /// Most characters.
    pub longest: Option<usize>,
    /// What people are told beside the proposal.
    pub message: Option<String>,
}

impl NameRule {
    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        let (stem, end) = split(name);
        self.style.is_none_or(|style| styled(stem, style) == stem)
            && (self.begins.is_empty() || self.begins.iter().any(|begin| name.starts_with(begin.as_str())))
            && (self.ends.is_empty() || self.ends.iter().any(|wanted| end == wanted))
            && (!self.version || version_of(stem).is_some())
            && self.longest.is_none_or(|longest| name.chars().count() <= longest)
    }

    /// A name that fits and says the same, as far as one can be made; never the name itself.
    pub fn propose(&self, name: &str) -> Option<String> {
        let (stem, end) = split(name);
        let mut stem = self.style.map_or_else(|| stem.to_owned(), |style| styled(stem, style));
        if let [only] = self.begins.as_slice()
            && !stem.starts_with(only.as_str())
        {
            stem = format!("{only}{stem}");
        }
        if self.version && version_of(&stem).is_none() {
            let joint = if self.style == Some(NameStyle::Kebab) { '-' } else { '_' };
            stem = format!("{stem}{joint}v1");
        }
        let lower = end.to_lowercase();
        let end = match self.ends.as_slice() {
            [] => end,
            ends => ends.iter().find(|wanted| wanted.to_lowercase() == lower)?,
        };
        if let Some(longest) = self.longest {
            let room = longest.checked_sub(end.chars().count() + 1)?;
            stem = shortened(&stem, room);
        }
        let proposed = if end.is_empty() { stem } else { format!("{stem}.{end}") };
        (proposed != name && self.fits(&proposed)).then_some(proposed)
    }
}

/// The name before its last dot, and what follows it.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => (stem, end),
        _ => (name, ""),
    }
}

/// The version at the end of a name: `_v2`, `-v12`, `v3`.
fn version_of(stem: &str) -> Option<&str> {
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let before = stem[..stem.len() - digits].strip_suffix('v')?;
    let is_parted = before.is_empty() || before.ends_with(['_', '-', '.']);
    (digits > 0 && is_parted).then(|| &stem[before.len()..])
}

fn styled(stem: &str, style: NameStyle) -> String {
    let plain: String = stem.nfkd().filter(|character| !is_combining_mark(*character)).nfc().collect();
    let joint = match style {
        NameStyle::Kebab => '-',
        NameStyle::Snake => '_',
        NameStyle::Plain => {
            let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
            return collapse(plain.chars().map(|c| if fits(c) { c } else { '-' }), '-');
        }
    };
    let mut words = String::new();
    let mut before: Option<char> = None;
    for character in plain.chars() {
        let begins = before.is_some_and(char::is_lowercase) && character.is_uppercase();
        if begins || !character.is_alphanumeric() {
            words.push(joint);
        }
        if character.is_alphanumeric() {
            words.extend(character.to_lowercase());
        }
        before = Some(character);
    }
    collapse(words.chars(), joint)
}

/// Without two joints in a row, and none at the ends.
fn collapse(characters: impl Iterator<Item = char>, joint: char) -> String {
    let mut text = String::new();
    for character in characters {
        if character != joint || !text.ends_with(joint) {
            text.push(character);
        }
    }
    text.trim_matches(joint).to_owned()
}

/// As many characters as there is room for; a version at the end stays.
fn shortened(stem: &str, room: usize) -> String {
    if stem.chars().count() <= room {
        return stem.to_owned();
    }
    let version = version_of(stem).map_or("", |version| &stem[stem.len() - version.len() - 1..]);
    let version = if version.starts_with(['_', '-']) { version } else { "" };
    let keep = room.saturating_sub(version.chars().count());
    let begin: String = stem.chars().take(keep).collect();
    format!("{}{version}", begin.trim_end_matches(['-', '_', '.']))
}
