//! What may have to be sent, one after the other: objects, then the parts of each file that the file
//! before it does not have.

use crate::base::id::{ChunkId, FileId, ManifestNodeId, PersonId};
use crate::object::manifest::{ChunkEntry, verified_key};
use crate::object::tree::ForeignAlgorithm;
use crate::repo::{RepoError, View};
use crate::store::Space;
use crate::sync::bundle::{encode_person, identify};
use crate::sync::content::{Parts, new_parts};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::listed::{Listed, Record};
use crate::sync::logs::log_object_bytes;
use crate::sync::origins;
use crate::sync::receive::{manifest_nodes, space_of};
use crate::sync::remote::{Kind, ObjectKey};
use crate::sync::walk::{Found, NewFile};
use std::collections::VecDeque;

/// Something that may have to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sync) struct Candidate {
    pub key: ObjectKey,
    /// Raw length of a chunk in bytes; 0 for other objects.
    pub chunk_bytes: u32,
}

/// One step on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sync) enum Step {
    /// Something that may have to be sent.
    Candidate(Candidate),
    /// A file was looked through; so many of its bytes are in the file before it.
    FileDone { shared_bytes: u64 },
    /// A file whose content is not here.
    NotHere(NewFile),
}

/// What comes next. Long lists are gone through block by block.
enum Part {
    Beginning,
    Trees(usize),
    Metadata(usize),
    Others,
    Files { block: usize, left: std::vec::IntoIter<NewFile> },
    Foreign(usize),
}

/// Goes through what was found.
pub(in crate::sync) struct Candidates<'a> {
    view: &'a View,
    found: &'a Found,
    next: Part,
    waiting: VecDeque<Step>,
    /// What a file is put together from, and comes when nothing waits. Of one long file that may be millions.
    parts: Option<FileParts>,
    /// Whether imports left anything here.
    has_origins: bool,
    of_logs: &'a [ObjectKey],
}

/// What one file is put together from, as far as it is new.
struct FileParts {
    all: Listed<Candidate>,
    next_block: usize,
    shared_bytes: u64,
}

impl Record for Candidate {
    const BYTES: usize = 1 + 32 + 4;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.key.kind.number());
        out.extend_from_slice(&self.key.id);
        out.extend_from_slice(&self.chunk_bytes.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (id, length) = rest.split_first_chunk::<32>()?;
        let key = ObjectKey::new(Kind::from_number(*kind)?, *id);
        Some(Self { key, chunk_bytes: u32::from_le_bytes(length.try_into().ok()?) })
    }
}

impl<'a> Candidates<'a> {
    pub(in crate::sync) fn new(view: &'a View, found: &'a Found) -> Self {
        let next = Part::Beginning;
        let waiting = VecDeque::new();
        Self { view, found, next, waiting, parts: None, has_origins: false, of_logs: &[] }
    }

    /// The same, and these objects of logs before all others.
    pub(in crate::sync) fn with_logs(self, of_logs: &'a [ObjectKey]) -> Self {
        Self { of_logs, ..self }
    }

    fn add(&mut self, key: ObjectKey) {
        self.waiting.push_back(Step::Candidate(Candidate { key, chunk_bytes: 0 }));
    }

    /// Adds what comes next; `None` when nothing does.
    fn add_next(&mut self) -> SyncResult<Option<Part>> {
        let found = self.found;
        Ok(Some(match std::mem::replace(&mut self.next, Part::Foreign(usize::MAX)) {
            Part::Beginning => {
                self.of_logs.iter().for_each(|key| self.add(*key));
                found.commits.iter().for_each(|id| self.add(ObjectKey::new(Kind::Commit, *id.as_bytes())));
                Part::Trees(0)
            }
            Part::Trees(number) => match found.trees.block(number)? {
                Some(block) => {
                    block.iter().for_each(|id| self.add(ObjectKey::new(Kind::Tree, *id.as_bytes())));
                    Part::Trees(number + 1)
                }
                None => Part::Metadata(0),
            },
            Part::Metadata(number) => match found.metadata.block(number)? {
                Some(block) => {
                    block.iter().for_each(|id| self.add(ObjectKey::new(Kind::Metadata, *id.as_bytes())));
                    Part::Metadata(number + 1)
                }
                None => Part::Others,
            },
            Part::Others => {
                self.add_others()?;
                Part::Files { block: 0, left: Vec::new().into_iter() }
            }
            Part::Files { block, mut left } => match left.next() {
                Some(file) => {
                    if self.has_origins
                        && let Some(key) = origins::key_of_file(self.view, file.id)?
                    {
                        self.add(key);
                    }
                    self.add_file(file)?;
                    Part::Files { block, left }
                }
                None => match found.files.block(block)? {
                    Some(files) => Part::Files { block: block + 1, left: files.into_owned().into_iter() },
                    None => Part::Foreign(0),
                },
            },
            Part::Foreign(number) => {
                let Some((algorithm, digest)) = found.foreign.get(number) else { return Ok(None) };
                self.add_tied(*algorithm, digest)?;
                Part::Foreign(number + 1)
            }
        }))
    }

    fn add_others(&mut self) -> SyncResult<()> {
        let found = self.found;
        self.has_origins = origins::are_there(self.view)?;
        if self.has_origins {
            for key in origins::keys_for(self.view, found)? {
                self.add(key);
            }
        }
        for key in origins::tie_keys(self.view, &found.foreign)? {
            self.add(key);
        }
        for person in &found.people {
            if let Some(bytes) = person_bytes(self.view, *person)? {
                self.add(identify(Kind::Person, &bytes)?);
            }
        }
        Ok(())
    }

    /// The content that foreign content was found to be.
    fn add_tied(&mut self, algorithm: ForeignAlgorithm, digest: &[u8]) -> SyncResult<()> {
        match self.view.tie(algorithm, digest)? {
            Some((id, size)) => self.add_file(NewFile { id, size, before: None }),
            None => Ok(()),
        }
    }

    fn add_file(&mut self, file: NewFile) -> SyncResult<()> {
        let is_erased = self.view.is_erased(file.id)? || self.view.is_excused(file.id)?;
        if is_erased {
            // Where it never came to, this says why; where it did, this changes nothing.
            self.add(ObjectKey::new(Kind::Tombstone, *file.id.as_bytes()));
        }
        if file.size == 0 || is_erased {
            self.waiting.push_back(Step::FileDone { shared_bytes: file.size });
            return Ok(());
        }
        let Some(manifest) = self.view.manifest(file.id)? else {
            let is_here = self.view.snapshot().has_chunk(file.id.into())?;
            if is_here {
                let key = ObjectKey::chunk(file.id.into());
                self.waiting.push_back(Step::Candidate(Candidate { key, chunk_bytes: file.size as u32 }));
                self.waiting.push_back(Step::FileDone { shared_bytes: 0 });
            } else {
                self.waiting.push_back(Step::NotHere(file));
            }
            return Ok(());
        };
        let before = match file.before {
            Some(before) => self.view.manifest(before)?,
            None => None,
        };
        self.add(ObjectKey::new(Kind::Manifest, *file.id.as_bytes()));
        let mut parts = Collecting { all: self.found.files.beside(), bytes: 0 };
        new_parts(&manifest_nodes(self.view), &manifest, before.as_ref(), &mut parts)?;
        let shared_bytes = file.size.saturating_sub(parts.bytes);
        self.parts = Some(FileParts { all: parts.all, next_block: 0, shared_bytes });
        Ok(())
    }

    /// Lets more of the parts of a file wait; tells whether there were any.
    fn add_parts(&mut self) -> SyncResult<bool> {
        let Some(mut parts) = self.parts.take() else { return Ok(false) };
        match parts.all.block(parts.next_block)? {
            Some(block) => {
                self.waiting.extend(block.iter().copied().map(Step::Candidate));
                parts.next_block += 1;
                self.parts = Some(parts);
            }
            None => self.waiting.push_back(Step::FileDone { shared_bytes: parts.shared_bytes }),
        }
        Ok(true)
    }
}

struct Collecting {
    all: Listed<Candidate>,
    bytes: u64,
}

impl Parts<RepoError> for Collecting {
    fn node(&mut self, id: ManifestNodeId) -> Result<(), RepoError> {
        let key = ObjectKey::new(Kind::ManifestNode, *id.as_bytes());
        self.all.push(Candidate { key, chunk_bytes: 0 });
        Ok(())
    }

    fn chunk(&mut self, entry: ChunkEntry) -> Result<(), RepoError> {
        self.bytes += u64::from(entry.length);
        self.all.push(Candidate { key: ObjectKey::chunk(entry.id), chunk_bytes: entry.length });
        Ok(())
    }

    fn absent(&mut self, id: ManifestNodeId) -> Result<(), RepoError> {
        Err(RepoError::Missing { kind: "manifest node", id: id.to_string() })
    }
}

impl Iterator for Candidates<'_> {
    type Item = SyncResult<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(step) = self.waiting.pop_front() {
                return Some(Ok(step));
            }
            match self.add_parts() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => return Some(Err(error)),
            }
            match self.add_next() {
                Ok(Some(next)) => self.next = next,
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The bytes of an object as they travel; chunks apart.
pub(in crate::sync) fn object_bytes(view: &View, key: ObjectKey) -> SyncResult<Vec<u8>> {
    let missing = || SyncError::Missing { kind: key.kind.name(), id: key.id_text() };
    let bytes = match key.kind {
        Kind::Chunk => return Err(missing()),
        Kind::Person => {
            let (id, _) = key.id.split_at(PersonId::SIZE);
            let id = PersonId::from_slice(id).ok_or_else(missing)?;
            return person_bytes(view, id)?.ok_or_else(missing);
        }
        kind if origins::is_origin(kind) => return origins::object(view, &key)?.ok_or_else(missing),
        Kind::Manifest => view.snapshot().get(Space::Manifests, &verified_key(FileId::from_bytes(key.id)))?,
        Kind::Tombstone => {
            let tombstone = view.tombstone_or_excuse(FileId::from_bytes(key.id))?;
            tombstone.map(|tombstone| tombstone.encode())
        }
        kind if kind.is_of_logs() => log_object_bytes(view, key)?,
        kind => match space_of(kind) {
            Some(space) => view.snapshot().get(space, &key.id)?,
            None => None,
        },
    };
    let bytes = bytes.ok_or_else(missing)?;
    // What was damaged at rest is found here and not by whoever receives it.
    if identify(key.kind, &bytes)? == key {
        return Ok(bytes);
    }
    Err(RepoError::Altered { kind: key.kind.name(), id: ChunkId::from_bytes(key.id).to_string() }.into())
}

/// How long an object is, about: people and manifests without nodes are counted as they mostly are.
pub(super) fn object_length(view: &View, key: ObjectKey) -> SyncResult<usize> {
    const SMALL_BYTES: usize = 2048;
    if key.kind.is_of_logs() {
        return Ok(log_object_bytes(view, key)?.map_or(0, |bytes| bytes.len()));
    }
    let Some(space) = space_of(key.kind) else { return Ok(SMALL_BYTES) };
    Ok(view.snapshot().with(space, &key.id, <[u8]>::len)?.unwrap_or(SMALL_BYTES))
}

pub(in crate::sync) fn person_bytes(view: &View, id: PersonId) -> SyncResult<Option<Vec<u8>>> {
    view.person(id)?.map(|person| encode_person(id, &person)).transpose()
}
