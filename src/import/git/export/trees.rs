//! Makes Git trees of trees here: as they follow, or as the import noted that they were.

use crate::base::id::{FileId, GitId, TreeId};
use crate::base::monitor::Advance;
use crate::base::path::AssetPath;
use crate::import::error::ImportError;
use crate::import::git::changes::EMPTY_TREE;
use crate::import::git::export::rule::ATTRIBUTES;
use crate::import::git::export::{Exporter, hash_of};
use crate::import::git::lfs::pointer_text;
use crate::import::git::objects::Kind;
use crate::import::git::parse::{self, EntryKind, RawEntry};
use crate::object::tree::{Content, ForeignAlgorithm, TreeEntry};
use crate::object::tree_walk::DirectoryCursor;
use crate::repo::RepoError;
use crate::repo::imports::{BlobRecord, TreeForm, key};
use crate::store::Space;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Content up to this length is hashed in memory before it is written, in bytes.
pub(super) const SMALL_BYTES_MAX: u64 = 1 << 20;
/// What they say of a file.
const LFS_ATTRIBUTES: &str = "filter=lfs diff=lfs merge=lfs -text";

/// What is known of the Git tree that a tree was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// It was this one.
    Was(GitId),
    /// It follows from the tree here.
    Follows,
    /// There was none: files that Git LFS knew before go on as pointers.
    None,
}

/// An entry of the Git tree that is being made.
pub(super) struct Made {
    pub name: Vec<u8>,
    mode: Cow<'static, [u8]>,
    id: GitId,
}

impl Made {
    pub fn new(name: &[u8], kind: EntryKind, id: GitId) -> Self {
        Self { name: name.to_vec(), mode: Cow::Borrowed(kind.mode()), id }
    }

    /// An entry as it stands in another tree.
    pub fn raw(raw: &RawEntry<'_>) -> Self {
        Self { name: raw.name.to_vec(), mode: Cow::Owned(raw.mode.to_vec()), id: raw.id }
    }

    /// Whether it is the same entry.
    pub fn is(&self, raw: &RawEntry<'_>) -> bool {
        self.name == raw.name && *self.mode == *raw.mode && self.id == raw.id
    }

    fn is_directory(&self) -> bool {
        EntryKind::of_mode(&self.mode) == Some(EntryKind::Directory)
    }

    /// The bytes of a tree that has these entries in this order.
    pub fn bytes(all: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in all {
            bytes.extend_from_slice(&entry.mode);
            bytes.push(b' ');
            bytes.extend_from_slice(&entry.name);
            bytes.push(0);
            bytes.extend_from_slice(entry.id.as_bytes());
        }
        bytes
    }
}

impl Exporter<'_> {
    /// Writes a tree, which stands at `path`, with all that is in it and says its id.
    pub(super) fn tree(
        &mut self,
        path: &AssetPath,
        tree: TreeId,
        origin: Origin,
    ) -> Result<GitId, ImportError> {
        // Where files lie matters seldom: else a tree is made once, wherever it stands.
        let place = if self.lfs.by_folder { path.clone() } else { AssetPath::root() };
        let key = (tree, origin, place);
        if let Some(id) = self.trees.get(&key) {
            return Ok(*id);
        }
        self.check_cancelled()?;
        let form = match origin {
            Origin::Was(id) => self.view.git_tree_form(id)?,
            Origin::Follows | Origin::None => None,
        };
        let entries = self.entries(tree)?;
        let bytes = match form {
            Some(TreeForm::Verbatim(bytes)) if self.lfs.is_empty() => {
                self.verbatim(path, &bytes, entries)?;
                bytes
            }
            Some(TreeForm::Verbatim(bytes)) => {
                // Files turn into pointers, so the original bytes do not hold, but what they name does.
                let ids = parse::tree(&bytes).unwrap_or_default();
                let ids = ids.into_iter().map(|entry| (entry.name, entry.id)).collect();
                self.regular(path, entries, &HashSet::new(), &ids, origin)?
            }
            Some(TreeForm::Marked { pointers, ids }) => {
                let pointers = pointers.into_iter().collect();
                let name = |position: u64| entries.get(position as usize).map(|entry| entry.name.clone());
                let ids = ids.into_iter().filter_map(|(at, id)| Some((name(at)?, id))).collect();
                self.regular(path, entries, &pointers, &ids, origin)?
            }
            None => self.regular(path, entries, &HashSet::new(), &HashMap::new(), origin)?,
        };
        let id = self.pack.put(Kind::Tree, &bytes)?;
        self.trees.put(key, id);
        Ok(id)
    }

    pub(super) fn entries(&self, tree: TreeId) -> Result<Vec<TreeEntry>, ImportError> {
        let mut cursor = DirectoryCursor::new(self.view, tree);
        let mut entries = Vec::new();
        while let Some(entry) = cursor.next_entry().map_err(RepoError::from)? {
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Writes what the entries of a tree name whose own bytes are known.
    fn verbatim(
        &mut self,
        path: &AssetPath,
        bytes: &[u8],
        entries: Vec<TreeEntry>,
    ) -> Result<(), ImportError> {
        let originals = parse::tree(bytes).unwrap_or_default();
        let mut by_name: HashMap<&[u8], GitId> = HashMap::new();
        for original in &originals {
            by_name.entry(&original.name).or_insert(original.id);
        }
        let mut there = HashSet::new();
        for entry in entries {
            let Some(id) = by_name.get(entry.name.as_slice()).copied() else { continue };
            self.entry(&below(path, &entry)?, &entry, false, Some(id), Origin::Follows)?;
            there.insert(id);
        }
        let left_out = originals.iter().filter(|entry| entry.kind != Some(EntryKind::Submodule));
        let left_out: Vec<GitId> = left_out.map(|entry| entry.id).filter(|id| !there.contains(id)).collect();
        self.left_out_of_here(left_out)
    }

    /// Writes what has no place here and was kept for the way back.
    fn left_out_of_here(&mut self, mut waiting: Vec<GitId>) -> Result<(), ImportError> {
        while let Some(id) = waiting.pop() {
            if self.pack.has(id) || self.missing.contains(&id) {
                continue;
            }
            if id.as_bytes() == &EMPTY_TREE {
                self.pack.put(Kind::Tree, &[])?;
            } else if let Some(TreeForm::Verbatim(bytes)) = self.view.git_tree_form(id)? {
                let entries = parse::tree(&bytes).unwrap_or_default().into_iter();
                waiting.extend(
                    entries.filter(|entry| entry.kind != Some(EntryKind::Submodule)).map(|entry| entry.id),
                );
                self.pack.put(Kind::Tree, &bytes)?;
            } else if let Some(bytes) = self.view.git_object(id)? {
                self.pack.put(Kind::Blob, &bytes)?;
            } else {
                self.missing.insert(id);
                self.report.missing_blobs += 1;
            }
        }
        Ok(())
    }

    /// The bytes of a tree that follows from its entries, marks considered.
    fn regular(
        &mut self,
        path: &AssetPath,
        entries: Vec<TreeEntry>,
        pointers: &HashSet<u64>,
        ids: &HashMap<Vec<u8>, GitId>,
        origin: Origin,
    ) -> Result<Vec<u8>, ImportError> {
        let origin_below = if origin == Origin::None { Origin::None } else { Origin::Follows };
        let mut made = Vec::with_capacity(entries.len());
        let mut new_pointers = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            let inner = below(path, entry)?;
            let mut pointer = pointers.contains(&(position as u64));
            if let (Origin::None, Content::File { id, .. }) = (origin, &entry.content) {
                pointer = self.lfs.takes_native(&inner) || self.view.lfs_digest(*id)?.is_some();
            }
            if let Content::File { size, .. } = &entry.content
                && !pointer
                && !ids.contains_key(&entry.name)
                && self.lfs.takes(&inner, *size)
            {
                new_pointers.push(entry.name.as_slice());
                pointer = true;
            }
            made.push(self.entry(&inner, entry, pointer, ids.get(&entry.name).copied(), origin_below)?);
        }
        if !new_pointers.is_empty() {
            self.add_attributes(&mut made, &entries, &new_pointers)?;
        }
        Ok(encode(made))
    }

    /// Tells Git LFS in the folder itself which files in it are its own.
    fn add_attributes(
        &mut self,
        made: &mut Vec<Made>,
        entries: &[TreeEntry],
        names: &[&[u8]],
    ) -> Result<(), ImportError> {
        let there = entries.iter().find(|entry| entry.name == ATTRIBUTES);
        let mut bytes = match there.map(|entry| &entry.content) {
            Some(Content::File { id, size, .. }) => self.read(*id, *size)?,
            _ => Vec::new(),
        };
        if bytes.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
        for name in names {
            bytes.extend_from_slice(format!("{} {LFS_ATTRIBUTES}\n", attribute_pattern(name)).as_bytes());
        }
        let id = self.pack.put(Kind::Blob, &bytes)?;
        made.retain(|entry| entry.name != ATTRIBUTES);
        made.push(Made::new(ATTRIBUTES, EntryKind::File, id));
        Ok(())
    }

    /// Writes what an entry names, which stands at `path`. `noted` is the id that it had in Git, `origin_below` what is known of a
    /// folder otherwise.
    pub(super) fn entry(
        &mut self,
        path: &AssetPath,
        entry: &TreeEntry,
        pointer: bool,
        noted: Option<GitId>,
        origin_below: Origin,
    ) -> Result<Made, ImportError> {
        let (kind, id) = match &entry.content {
            Content::Directory { id } => {
                (EntryKind::Directory, self.tree(path, *id, noted.map_or(origin_below, Origin::Was))?)
            }
            Content::Symlink { id, size } => (EntryKind::Symlink, self.blob(*id, *size)?),
            Content::File { id, size, executable } => {
                let kind = if *executable { EntryKind::Executable } else { EntryKind::File };
                (kind, self.file(*id, *size, pointer, noted)?)
            }
            Content::Foreign { algorithm, digest, size, executable } => {
                let kind = if *executable { EntryKind::Executable } else { EntryKind::File };
                self.foreign(*algorithm, digest, *size, kind, noted)?
            }
        };
        Ok(Made::new(&entry.name, kind, id))
    }

    /// Writes a file as it is, as a pointer, or as the pointer of unusual form that it was.
    fn file(
        &mut self,
        file: FileId,
        size: u64,
        pointer: bool,
        noted: Option<GitId>,
    ) -> Result<GitId, ImportError> {
        if let Some(id) = noted
            && let Some(bytes) = self.view.git_object(id)?
            && hash_of(Kind::Blob, &bytes)? == id
        {
            self.lfs_object(file, size)?;
            return self.pack.put(Kind::Blob, &bytes);
        }
        let stood_as_pointer = match (noted, self.view.lfs_digest(file)?) {
            (Some(id), Some(sha256)) => hash_of(Kind::Blob, &pointer_text(&sha256, size))? == id,
            _ => false,
        };
        if !pointer && !stood_as_pointer {
            return self.blob(file, size);
        }
        let sha256 = self.lfs_object(file, size)?;
        self.pack.put(Kind::Blob, &pointer_text(&sha256, size))
    }

    fn foreign(
        &mut self,
        algorithm: ForeignAlgorithm,
        digest: &[u8],
        size: u64,
        kind: EntryKind,
        noted: Option<GitId>,
    ) -> Result<(EntryKind, GitId), ImportError> {
        let tied = self.view.tie(algorithm, digest)?;
        match (algorithm, GitId::from_slice(digest), <&[u8; 32]>::try_from(digest)) {
            (ForeignAlgorithm::GitCommitSha1, Some(id), _) => Ok((EntryKind::Submodule, id)),
            (ForeignAlgorithm::GitBlobSha1, Some(id), _) => {
                match tied {
                    Some((file, size)) => drop(self.blob(file, size)?),
                    None => self.report.missing_blobs += u64::from(self.missing.insert(id)),
                }
                Ok((kind, id))
            }
            (ForeignAlgorithm::Sha256, _, Ok(sha256)) => {
                match tied {
                    Some((file, size)) => drop(self.lfs_object(file, size)?),
                    None => self.report.missing_lfs += u64::from(self.missing_lfs.insert(*sha256)),
                }
                let plain = pointer_text(sha256, size);
                let original = noted.map(|id| self.view.git_object(id)).transpose()?.flatten();
                Ok((kind, self.pack.put(Kind::Blob, &original.unwrap_or(plain))?))
            }
            _ => Err(ImportError::Argument {
                text: format!("{algorithm:?}"),
                reason: "content known by this hash cannot be written to a Git repository".to_owned(),
            }),
        }
    }

    /// Writes a blob, once, and says its id.
    fn blob(&mut self, file: FileId, size: u64) -> Result<GitId, ImportError> {
        if let Some(id) = self.blobs.get(&file) {
            return Ok(*id);
        }
        self.check_cancelled()?;
        if self.view.is_erased(file)? {
            let id = self.erased_blob(file)?;
            self.report.missing_blobs += u64::from(self.missing.insert(id));
            self.blobs.insert(file, id);
            return Ok(id);
        }
        let id = if size <= SMALL_BYTES_MAX {
            let bytes = self.read(file, size)?;
            self.pack.put(Kind::Blob, &bytes)?
        } else {
            let extractor = &self.extractor;
            self.pack.put_stream(size, |out| -> Result<(), ImportError> {
                Ok(extractor.write_file(file, size, out)?)
            })?
        };
        self.blobs.insert(file, id);
        self.report.files += 1;
        self.report.bytes += size;
        self.monitor.advance(Advance { files: 1, ..Advance::default() });
        Ok(id)
    }

    /// The id that an erased file had in Git, by the records of imports.
    fn erased_blob(&mut self, file: FileId) -> Result<GitId, ImportError> {
        if self.erased.is_none() {
            let mut erased = HashMap::new();
            for row in self.view.snapshot().scan_prefix(Space::Imports, key::BLOBS)? {
                let (key, bytes) = row?;
                if let (Some(id), Ok(BlobRecord::File { file, .. })) =
                    (GitId::from_slice(&key[1..]), BlobRecord::decode(&bytes))
                    && self.view.is_erased(file)?
                {
                    erased.insert(file, id);
                }
            }
            self.erased = Some(erased);
        }
        match self.erased.as_ref().and_then(|erased| erased.get(&file)) {
            Some(id) => Ok(*id),
            // Reading it says who erased it, when and why.
            None => Err(self.read(file, 0).err().unwrap_or(ImportError::Cancelled)),
        }
    }

    fn read(&self, file: FileId, size: u64) -> Result<Vec<u8>, ImportError> {
        let mut bytes = Vec::new();
        self.extractor.write_file(file, size, &mut bytes)?;
        Ok(bytes)
    }
}

pub(super) fn below(path: &AssetPath, entry: &TreeEntry) -> Result<AssetPath, ImportError> {
    path.join(&entry.name).map_err(|error| ImportError::Argument {
        text: path.to_string(),
        reason: format!("a path in it cannot be used: {error}"),
    })
}

/// A name as a pattern of `.gitattributes` that fits it in its own folder and nothing else.
fn attribute_pattern(name: &[u8]) -> String {
    let mut pattern = String::from("\"/");
    for byte in name {
        match byte {
            b'*' | b'?' | b'[' | b']' => pattern.push_str(&format!("\\\\{}", char::from(*byte))),
            b'\\' => pattern.push_str("\\\\\\\\"),
            b'"' => pattern.push_str("\\\""),
            0x20..=0x7e => pattern.push(char::from(*byte)),
            _ => pattern.push_str(&format!("\\{byte:03o}")),
        }
    }
    pattern + "\""
}

/// The bytes of a tree in Git's order.
pub(super) fn encode(mut made: Vec<Made>) -> Vec<u8> {
    made.sort_by(|left, right| {
        parse::git_order((&left.name, left.is_directory()), (&right.name, right.is_directory()))
    });
    Made::bytes(&made)
}
