//! What a repository is set to for good, and the `format` file that says whether a program may open it.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::RepositoryId;

/// The format version that this program writes.
pub const FORMAT: u32 = 1;

/// Features that this program knows. Format 1 needs none beyond itself.
pub const KNOWN_FEATURES: &[&str] = &[];

/// The chunker of a repository; part of its settings because cut points decide what is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkerSettings {
    /// Which chunker.
    pub id: u16,
    /// Smallest chunk in bytes.
    pub min: u32,
    /// Aimed-for chunk in bytes.
    pub normal: u32,
    /// Largest chunk in bytes.
    pub max: u32,
}

/// Settings that a repository is born with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Names the repository and all its clones.
    pub repository: RepositoryId,
    /// How content is cut.
    pub chunker: ChunkerSettings,
}

impl StoreSettings {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::with_version(1);
        encoder.raw(self.repository.as_bytes());
        encoder.uint(u64::from(self.chunker.id)).uint(u64::from(self.chunker.min));
        encoder.uint(u64::from(self.chunker.normal)).uint(u64::from(self.chunker.max));
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new("settings", bytes);
        decoder.version(1)?;
        let repository = RepositoryId::from_bytes(decoder.array()?);
        let mut number = |limit: u64| {
            let start = decoder.clone();
            let value = decoder.uint()?;
            if value <= limit { Ok(value) } else { Err(start.error(DecodeErrorKind::Limit)) }
        };
        let id = number(u64::from(u16::MAX))? as u16;
        let min = number(u64::from(u32::MAX))? as u32;
        let normal = number(u64::from(u32::MAX))? as u32;
        let max = number(u64::from(u32::MAX))? as u32;
        decoder.finish()?;
        Ok(Self { repository, chunker: ChunkerSettings { id, min, normal, max } })
    }
}

/// What the `format` file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatFile {
    /// Version of the format.
    pub version: String,
    /// Features without which the repository may not be opened.
    pub requires: Vec<String>,
    /// Features that may be used.
    pub offers: Vec<String>,
}

impl FormatFile {
    /// The file of a new repository.
    pub fn new() -> Self {
        Self { version: FORMAT.to_string(), requires: Vec::new(), offers: Vec::new() }
    }

    /// Writes the file's text.
    pub fn encode(&self) -> String {
        let mut text = format!("pentimento repository\nformat {}\n", self.version);
        for (word, features) in [("requires", &self.requires), ("offers", &self.offers)] {
            for feature in features {
                text.push_str(&format!("{word} {feature}\n"));
            }
        }
        text
    }

    /// Reads the file's text; an error is the number of the line that is wrong.
    pub fn decode(text: &str) -> Result<Self, usize> {
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some("pentimento repository") {
            return Err(1);
        }
        let version = lines.next().and_then(|(_, line)| line.strip_prefix("format ")).ok_or(2usize)?;
        let mut file = Self { version: version.to_owned(), requires: Vec::new(), offers: Vec::new() };
        for (index, line) in lines {
            match line.split_once(' ') {
                Some(("requires", feature)) => file.requires.push(feature.to_owned()),
                Some(("offers", feature)) => file.offers.push(feature.to_owned()),
                _ => return Err(index + 1),
            }
        }
        Ok(file)
    }
}

impl Default for FormatFile {
    fn default() -> Self {
        Self::new()
    }
}
