//! What a repository is set to for good, and the `format` file that says whether a program may open it.

use crate::base::codec::{DecodeError, Decoder, Encoder};
use crate::base::id::RepositoryId;
use crate::object::chunker::{ChunkerId, ChunkerParameters};

/// The format version that this program writes.
pub const FORMAT: u32 = 1;

/// Features that this program knows. Format 1 needs none beyond itself.
pub const KNOWN_FEATURES: &[&str] = &[];

/// Settings that a repository is born with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Names the repository and all its clones.
    pub repository: RepositoryId,
    /// How content is cut.
    pub chunker: ChunkerParameters,
}

impl StoreSettings {
    /// The settings of a new repository: the default chunker.
    pub fn new(repository: RepositoryId) -> Self {
        Self { repository, chunker: ChunkerParameters::default() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::with_version(1);
        encoder.raw(self.repository.as_bytes()).raw(self.chunker.id().as_bytes());
        encoder.finish()
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new("settings", bytes);
        decoder.version(1)?;
        let repository = RepositoryId::from_bytes(decoder.array()?);
        let chunker = ChunkerParameters::decode(decoder.raw(ChunkerId::SIZE)?)?;
        decoder.finish()?;
        Ok(Self { repository, chunker })
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
