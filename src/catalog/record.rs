//! What an asset says about itself so that it can be found.

use crate::base::escape::percent_encode;
use crate::base::id::CommitId;
use crate::base::path::AssetPath;
use crate::catalog::query::{Place, date_key};
use crate::catalog::words::fold;
use std::collections::BTreeSet;

/// Longest text of one thing that is said, in bytes; the rest is not found.
pub const SAID_BYTES_MAX: usize = 256 * 1024;
/// Longest value of a tag, in bytes; a longer one is no tag.
pub const TAG_BYTES_MAX: usize = 4096;
/// Key of the tags that say which folders an asset lies in.
pub const FOLDER_TAG: &str = "dir";
/// Key and value of the tag of what no decoder has looked at yet.
pub const UNREAD: (&str, &str) = ("state", "unread");
/// Key of the words of the folders above.
pub const FOLDER_WORDS: &str = "folder";

/// One version of an asset where it stands on some branches.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Where it stands.
    pub path: AssetPath,
    /// The group of branches that it stands on; empty for the main line.
    pub scope: String,
    /// The commit that made it what it is.
    pub commit: CommitId,
    /// When that was, in milliseconds since 1970.
    pub changed_ms: i64,
    /// A mark of the comments that went in; 0 without any.
    pub comments: u64,
    /// Texts whose words are found.
    pub said: Vec<Said>,
    /// Values that are found as a whole, folded.
    pub tags: BTreeSet<(String, String)>,
    /// Numbers by key.
    pub numbers: Vec<(String, f64)>,
    /// What finds are counted by, as people write it.
    pub facets: BTreeSet<(Facet, String)>,
}

/// What finds are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facet {
    /// The format.
    Type,
    /// Labels.
    Label,
    /// Whoever changed it last.
    By,
    /// Branches.
    On,
    /// The first folder of the path.
    In,
}

impl Facet {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Type, Self::Label, Self::By, Self::On, Self::In];

    /// The key that asks for one of its values.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Label => "label",
            Self::By => "by",
            Self::On => "on",
            Self::In => "in",
        }
    }
}

/// A text and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Where.
    pub place: Place,
    /// The text.
    pub text: String,
}

/// How much words count for the rank of a find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Words of files and of comments, folders, and what programs wrote.
    Plain,
    /// What people say of an asset: labels, title, fields.
    Strong,
    /// The name.
    Name,
}

impl Weight {
    /// What the score is multiplied by.
    pub const fn factor(self) -> f32 {
        match self {
            Self::Plain => 1.0,
            Self::Strong => 2.0,
            Self::Name => 4.0,
        }
    }
}

impl Said {
    /// How much its words count.
    pub fn weight(&self) -> Weight {
        match &self.place {
            Place::Name => Weight::Name,
            Place::Field(key) if key == FOLDER_WORDS || is_embedded(key) => Weight::Plain,
            Place::Field(_) => Weight::Strong,
            Place::Text | Place::Comment | Place::Anywhere | Place::Uncommented => Weight::Plain,
        }
    }
}

/// Whether a field was written into the file by a camera or program.
fn is_embedded(key: &str) -> bool {
    ["exif.", "iptc.", "xmp.", "font", "layer"].iter().any(|group| key.starts_with(group))
}

impl Record {
    /// A record that knows where it stands and nothing else yet.
    pub fn new(path: AssetPath, scope: &str, commit: CommitId, changed_ms: i64) -> Self {
        let mut record = Self {
            path: path.clone(),
            scope: scope.to_owned(),
            commit,
            changed_ms,
            comments: 0,
            said: Vec::new(),
            tags: BTreeSet::new(),
            numbers: vec![("changed".to_owned(), changed_ms as f64)],
            facets: BTreeSet::new(),
        };
        if let Some(first) =
            path.names().next().filter(|_| path.parent().is_some_and(|above| !above.is_root()))
        {
            record.count(Facet::In, &percent_encode(first));
        }
        record.say(Place::Name, &String::from_utf8_lossy(path.name()));
        let mut above = path.parent();
        if let Some(folder) = above.as_ref().filter(|folder| !folder.is_root()) {
            record.say(Place::Field(FOLDER_WORDS.to_owned()), &String::from_utf8_lossy(folder.as_bytes()));
        }
        record.raw_tag(FOLDER_TAG, percent_encode(path.as_bytes()));
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            record.raw_tag(FOLDER_TAG, percent_encode(folder.as_bytes()));
            above = folder.parent();
        }
        record
    }

    /// Adds a text.
    pub fn say(&mut self, place: Place, text: &str) {
        let end = (0..=text.len().min(SAID_BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end));
        let text = &text[..end.unwrap_or(0)];
        if !text.trim().is_empty() {
            self.said.push(Said { place, text: text.to_owned() });
        }
    }

    /// Adds a field of metadata or another thing that has a name.
    pub fn say_field(&mut self, key: &str, text: &str) {
        self.say(Place::Field(key.to_owned()), text);
    }

    /// Adds a value that is found as a whole.
    pub fn tag(&mut self, key: &str, value: &str) {
        self.raw_tag(key, fold(value.trim()));
    }

    fn raw_tag(&mut self, key: &str, value: String) {
        if !value.is_empty() && value.len() <= TAG_BYTES_MAX {
            self.tags.insert((key.to_owned(), value));
        }
    }

    /// Adds a number.
    pub fn number(&mut self, key: &str, value: f64) {
        if value.is_finite() {
            self.numbers.push((key.to_owned(), value));
        }
    }

    /// Adds a moment of a field of metadata, in milliseconds since 1970.
    pub fn date(&mut self, key: &str, unix_ms: f64) {
        self.number(&date_key(key), unix_ms);
    }

    /// Adds a value that finds are counted by.
    pub fn count(&mut self, facet: Facet, value: &str) {
        if !value.is_empty() && value.len() <= TAG_BYTES_MAX {
            self.facets.insert((facet, value.to_owned()));
        }
    }

    /// The values of a tag.
    pub fn tags_of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.tags.iter().filter(move |(other, _)| other == key).map(|(_, value)| value.as_str())
    }
}
