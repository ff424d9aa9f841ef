//! Decides for one asset, attribute by attribute.

use crate::base::id::{AssetId, FileId, MetadataId};
use crate::diff::DiffError;
use crate::diff::merge::tracks::Track;
use crate::diff::merge::{
    Choice, Conflict, ConflictKind, MergeContent, TextMerge, TreeMerge, choose, merge_metadata, merge_text,
};
use crate::diff::text::TEXT_BYTES_MAX;
use crate::diff::tree::Located;
use crate::object::commit::AssetNote;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::Content;

/// What should become of one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What our tree has.
    pub(super) ours: Option<Box<Located>>,
    /// What the merged tree should have.
    pub(super) result: Option<Box<Located>>,
    /// The other two states, for conflicts about the path.
    pub(super) base: Option<Box<Located>>,
    pub(super) theirs: Option<Box<Located>>,
}

/// Decides about assets and notes conflicts, new metadata and aliases in the merge.
pub(super) struct AssetMerger<'a, S> {
    pub(super) source: &'a S,
    pub(super) content: &'a mut dyn MergeContent,
    pub(super) merge: &'a mut TreeMerge,
}

impl<S: ObjectSource> AssetMerger<'_, S> {
    pub(super) fn decide(&mut self, track: Track) -> Result<Wanted, DiffError> {
        let result = match (&track.ours, &track.theirs) {
            (None, None) => None,
            (Some(ours), Some(theirs)) => {
                let (ours, theirs) = (ours.clone(), theirs.clone());
                Some(Box::new(self.merge_states(&track, &ours, &theirs)?))
            }
            (Some(side), None) | (None, Some(side)) => self.keep_if_changed(&track, side),
        };
        let Track { base, ours, theirs } = track;
        Ok(Wanted { ours, result, base, theirs })
    }

    /// One side has it and the other does not: it goes if that side left it alone.
    fn keep_if_changed(&mut self, track: &Track, side: &Located) -> Option<Box<Located>> {
        match &track.base {
            None => Some(Box::new(side.clone())),
            Some(base) if is_same(base, side) => None,
            Some(_) => {
                self.conflict(track, side, ConflictKind::EditedAndRemoved);
                Some(Box::new(side.clone()))
            }
        }
    }

    fn merge_states(
        &mut self,
        track: &Track,
        ours: &Located,
        theirs: &Located,
    ) -> Result<Located, DiffError> {
        let base = track.base.as_deref();
        let mut result = ours.clone();
        match choose(&base.map(|base| &base.path), &Some(&ours.path), &Some(&theirs.path)) {
            Choice::Ours => {}
            Choice::Theirs => result.path = theirs.path.clone(),
            Choice::Conflict => self.conflict(track, &result, ConflictKind::MovedApart),
        }
        result.value.asset = self.merge_asset(base, ours.value.asset, theirs.value.asset);
        result.value.content = self.merge_content(track, &result, &theirs.value.content)?;
        result.value.metadata = self.merge_metadata(track, &result, theirs.value.metadata)?;
        Ok(result)
    }

    /// Two names of one asset: the smaller stays and the other is on record.
    fn merge_asset(
        &mut self,
        base: Option<&Located>,
        ours: Option<AssetId>,
        theirs: Option<AssetId>,
    ) -> Option<AssetId> {
        let base = base.map(|base| base.value.asset);
        match (choose(&base, &Some(ours), &Some(theirs)), ours, theirs) {
            (Choice::Theirs, _, _) => theirs,
            (Choice::Conflict, Some(ours), Some(theirs)) => {
                let (asset, other) = (ours.min(theirs), ours.max(theirs));
                self.merge.notes.push(AssetNote::AliasOf { asset, other });
                Some(asset)
            }
            _ => ours.or(theirs),
        }
    }

    /// Decides on kind, bytes and executable bit. `result` has our content.
    fn merge_content(
        &mut self,
        track: &Track,
        result: &Located,
        theirs: &Content,
    ) -> Result<Content, DiffError> {
        let base = track.base.as_ref().map(|base| &base.value.content);
        let ours = &result.value.content;
        let choice = choose(&base.map(bytes_of), &Some(bytes_of(ours)), &Some(bytes_of(theirs)));
        let merged = match choice {
            Choice::Ours => ours.clone(),
            Choice::Theirs => theirs.clone(),
            Choice::Conflict => match self.merge_edits(base, ours, theirs)? {
                Some(merged) => {
                    self.merge.texts_merged.push(result.path.clone());
                    merged
                }
                None => {
                    self.conflict(track, result, conflict_of(base, ours, theirs));
                    ours.clone()
                }
            },
        };
        let modes = (base.map(Content::is_executable), ours.is_executable(), theirs.is_executable());
        let mode = choose(&modes.0, &Some(modes.1), &Some(modes.2));
        if mode == Choice::Conflict && choice != Choice::Conflict {
            self.conflict(track, result, ConflictKind::BothAdded);
        }
        Ok(with_mode(merged, if mode == Choice::Theirs { modes.2 } else { modes.1 }))
    }

    /// Merges two edits of one text file; `None` when that cannot be done.
    fn merge_edits(
        &mut self,
        base: Option<&Content>,
        ours: &Content,
        theirs: &Content,
    ) -> Result<Option<Content>, DiffError> {
        let (Some(base), Some(ours), Some(theirs)) =
            (base.and_then(text_candidate), text_candidate(ours), text_candidate(theirs))
        else {
            return Ok(None);
        };
        let Some(base) = self.content.read(base.0, base.1)? else { return Ok(None) };
        let Some(ours) = self.content.read(ours.0, ours.1)? else { return Ok(None) };
        let Some(theirs) = self.content.read(theirs.0, theirs.1)? else { return Ok(None) };
        match merge_text(&base, &ours, &theirs) {
            TextMerge::Clean(bytes) => {
                let id = self.content.keep(&bytes)?;
                Ok(Some(Content::File { id, size: bytes.len() as u64, executable: false }))
            }
            TextMerge::Conflict(_) | TextMerge::NotText => Ok(None),
        }
    }

    /// Decides on the metadata. `result` has ours.
    fn merge_metadata(
        &mut self,
        track: &Track,
        result: &Located,
        theirs: Option<MetadataId>,
    ) -> Result<Option<MetadataId>, DiffError> {
        let base = track.base.as_ref().and_then(|base| base.value.metadata);
        let ours = result.value.metadata;
        match choose(&base, &ours, &theirs) {
            Choice::Ours => return Ok(ours),
            Choice::Theirs => return Ok(theirs),
            Choice::Conflict => {}
        }
        let merged = merge_metadata(&self.load(base)?, &self.load(ours)?, &self.load(theirs)?);
        for field in merged.conflicts {
            self.conflict(track, result, ConflictKind::Metadata { field });
        }
        if merged.metadata.is_empty() {
            return Ok(None);
        }
        let id = merged.metadata.id();
        if Some(id) != ours && Some(id) != theirs {
            self.merge.metadata.push(merged.metadata);
        }
        Ok(Some(id))
    }

    fn load(&self, id: Option<MetadataId>) -> Result<Metadata, DiffError> {
        match id {
            Some(id) => self.source.metadata(id).map_err(|error| DiffError::Object(Box::new(error))),
            None => Ok(Metadata::default()),
        }
    }

    fn conflict(&mut self, track: &Track, at: &Located, kind: ConflictKind) {
        self.merge.conflicts.push(Conflict {
            path: at.path.clone(),
            asset: at.value.asset,
            kind,
            base: track.base.clone(),
            ours: track.ours.clone(),
            theirs: track.theirs.clone(),
        });
    }
}

/// Whether a side left an asset alone. What a folder holds is decided for each thing in it.
fn is_same(base: &Located, side: &Located) -> bool {
    let same_content = match (&base.value.content, &side.value.content) {
        (Content::Directory { .. }, Content::Directory { .. }) => true,
        (base, side) => base == side,
    };
    let plain = |located: &Located| (located.value.asset, located.value.metadata);
    same_content && base.path == side.path && plain(base) == plain(side)
}

/// What a content says apart from its executable bit; all folders are alike.
fn bytes_of(content: &Content) -> Option<Content> {
    match content {
        Content::Directory { .. } => None,
        other => Some(with_mode(other.clone(), false)),
    }
}

fn with_mode(mut content: Content, mode: bool) -> Content {
    if let Content::File { executable, .. } | Content::Foreign { executable, .. } = &mut content {
        *executable = mode;
    }
    content
}

/// Id and size of a file that is small enough to be text.
fn text_candidate(content: &Content) -> Option<(FileId, u64)> {
    match content {
        Content::File { id, size, .. } if *size <= TEXT_BYTES_MAX => Some((*id, *size)),
        _ => None,
    }
}

fn conflict_of(base: Option<&Content>, ours: &Content, theirs: &Content) -> ConflictKind {
    if std::mem::discriminant(ours) != std::mem::discriminant(theirs) {
        ConflictKind::TypeChanged
    } else if base.is_none() {
        ConflictKind::BothAdded
    } else {
        ConflictKind::BothEdited
    }
}

impl Wanted {
    /// Whether the merged tree has it where our tree has it.
    pub(super) fn stays(&self) -> bool {
        match (&self.ours, &self.result) {
            (Some(ours), Some(result)) => ours.path == result.path,
            _ => false,
        }
    }

    /// Whether our tree has it as it should be.
    pub(super) fn is_settled(&self) -> bool {
        match (&self.ours, &self.result) {
            (Some(ours), Some(result)) => is_same(ours, result),
            (None, None) => true,
            _ => false,
        }
    }
}
