//! How the content of one asset changed, open for every medium.
//!
//! A [`ContentDiffer`] understands one family of content. [`Differs`] holds them, the most specific
//! first, and asks the first that accepts both sides; bytes accept everything and come last. What
//! they say is a [`ContentDiff`]: data, not text, and the shape of `--json`.

use crate::base::id::ManifestNodeId;
use crate::base::path::AssetPath;
use crate::diff::DiffError;
use crate::diff::bytes::{ByteDiff, Part, diff_bytes};
use crate::diff::text::{TEXT_BYTES_MAX, Text, TextDiff, TextLimits, diff_text, may_be_text};
use serde::Serialize;

/// How many bytes of a file's beginning are enough to sniff it.
pub const SNIFF_BYTES: usize = 8 << 10;

/// What is known of a file before it is read: its name and how it begins.
#[derive(Debug, Clone, Copy)]
pub struct Sniffed<'a> {
    /// Where it stands. A name may mislead; the bytes decide.
    pub path: &'a AssetPath,
    /// Length in bytes.
    pub size: u64,
    /// Its first [`SNIFF_BYTES`], or all of it when it is shorter.
    pub head: &'a [u8],
}

/// Gives a differ the content of one file, as much of it as it asks for.
pub trait ContentAccess {
    /// Length in bytes.
    fn size(&self) -> u64;

    /// Fills `into` with the bytes from `offset` on; fails when the file ends before.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), DiffError>;

    /// The pieces it consists of, as its manifest names them directly.
    fn parts(&self) -> Result<Vec<Part>, DiffError>;

    /// The pieces that one node of its manifest names.
    fn parts_of(&self, node: ManifestNodeId) -> Result<Vec<Part>, DiffError>;
}

/// Content without bytes: the other side of what was added or removed.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoContent;

impl ContentAccess for NoContent {
    fn size(&self) -> u64 {
        0
    }

    fn read_at(&self, _: u64, into: &mut [u8]) -> Result<(), DiffError> {
        if into.is_empty() {
            Ok(())
        } else {
            Err(DiffError::Content(Box::new(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))))
        }
    }

    fn parts(&self) -> Result<Vec<Part>, DiffError> {
        Ok(Vec::new())
    }

    fn parts_of(&self, node: ManifestNodeId) -> Result<Vec<Part>, DiffError> {
        Err(DiffError::MalformedManifest { node })
    }
}

/// How much a difference may say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffLimits {
    /// For text.
    pub text: TextLimits,
}

/// How the content of one asset changed, in the language of its medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "medium", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ContentDiff {
    /// Lines and words.
    Text(TextDiff),
    /// Ranges of bytes.
    Bytes(ByteDiff),
}

/// Understands one family of content.
pub trait ContentDiffer: Send + Sync {
    /// Its name, for example `text`.
    fn name(&self) -> &'static str;

    /// Whether it expects to understand both sides, judged by how they begin.
    fn accepts(&self, before: &Sniffed<'_>, after: &Sniffed<'_>) -> bool;

    /// Finds how the content changed. `None` when a side turns out to be something else after all,
    /// or is too large for it: the next differ is asked.
    fn diff(
        &self,
        before: &dyn ContentAccess,
        after: &dyn ContentAccess,
        limits: DiffLimits,
    ) -> Result<Option<ContentDiff>, DiffError>;
}

/// All differs, the most specific first.
pub struct Differs {
    list: Vec<Box<dyn ContentDiffer>>,
}

impl Default for Differs {
    fn default() -> Self {
        Self { list: vec![Box::new(TextDiffer), Box::new(ByteDiffer)] }
    }
}

impl Differs {
    /// Puts a differ before all others.
    pub fn put_first(&mut self, differ: Box<dyn ContentDiffer>) {
        self.list.insert(0, differ);
    }

    /// Their names in the order in which they are asked.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.list.iter().map(|differ| differ.name())
    }

    /// Finds how content changed, by the first differ that understands both sides; else as bytes.
    pub fn diff(
        &self,
        before: (&dyn ContentAccess, Sniffed<'_>),
        after: (&dyn ContentAccess, Sniffed<'_>),
        limits: DiffLimits,
    ) -> Result<ContentDiff, DiffError> {
        for differ in self.list.iter().filter(|differ| differ.accepts(&before.1, &after.1)) {
            if let Some(diff) = differ.diff(before.0, after.0, limits)? {
                return Ok(diff);
            }
        }
        Ok(ContentDiff::Bytes(diff_bytes(before.0, after.0)?))
    }
}

/// Compares text by line and word.
struct TextDiffer;

impl ContentDiffer for TextDiffer {
    fn name(&self) -> &'static str {
        "text"
    }

    fn accepts(&self, before: &Sniffed<'_>, after: &Sniffed<'_>) -> bool {
        [before, after].iter().all(|side| may_be_text(side.head, side.size))
    }

    fn diff(
        &self,
        before: &dyn ContentAccess,
        after: &dyn ContentAccess,
        limits: DiffLimits,
    ) -> Result<Option<ContentDiff>, DiffError> {
        let (before, after) = (read_text(before)?, read_text(after)?);
        let texts = before.zip(after);
        Ok(texts.map(|(before, after)| ContentDiff::Text(diff_text(&before, &after, limits.text))))
    }
}

fn read_text(content: &dyn ContentAccess) -> Result<Option<Text>, DiffError> {
    if content.size() > TEXT_BYTES_MAX {
        return Ok(None);
    }
    let mut bytes = vec![0; content.size() as usize];
    content.read_at(0, &mut bytes)?;
    Ok(Text::decode(&bytes))
}

/// Compares anything as bytes.
struct ByteDiffer;

impl ContentDiffer for ByteDiffer {
    fn name(&self) -> &'static str {
        "bytes"
    }

    fn accepts(&self, _: &Sniffed<'_>, _: &Sniffed<'_>) -> bool {
        true
    }

    fn diff(
        &self,
        before: &dyn ContentAccess,
        after: &dyn ContentAccess,
        _: DiffLimits,
    ) -> Result<Option<ContentDiff>, DiffError> {
        diff_bytes(before, after).map(ContentDiff::Bytes).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Loud;

    impl ContentDiffer for Loud {
        fn name(&self) -> &'static str {
            "loud"
        }

        fn accepts(&self, before: &Sniffed<'_>, _: &Sniffed<'_>) -> bool {
            before.head.starts_with(b"LOUD")
        }

        fn diff(
            &self,
            _: &dyn ContentAccess,
            _: &dyn ContentAccess,
            _: DiffLimits,
        ) -> Result<Option<ContentDiff>, DiffError> {
            let nothing = ByteDiff { bytes_before: 7, bytes_after: 0, bytes_shared: 0, ranges: Vec::new() };
            Ok(Some(ContentDiff::Bytes(nothing)))
        }
    }

    #[test]
    fn a_new_medium_is_asked_before_text_and_bytes() {
        let mut differs = Differs::default();
        differs.put_first(Box::new(Loud));
        assert_eq!(differs.names().collect::<Vec<_>>(), ["loud", "text", "bytes"]);
        let path = AssetPath::root();
        let sniffed = |head| Sniffed { path: &path, size: 0, head };
        let diff = |head| {
            let (before, after) = ((&NoContent as &dyn ContentAccess, sniffed(head)), sniffed(b""));
            differs.diff(before, (&NoContent, after), DiffLimits::default()).expect("readable")
        };
        assert!(matches!(diff(b"LOUD"), ContentDiff::Bytes(ByteDiff { bytes_before: 7, .. })));
        assert!(matches!(diff(b"quiet"), ContentDiff::Text(_)));
    }
}
