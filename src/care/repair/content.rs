//! Content that is lost in the repository and that the user's own files still have.

use crate::base::id::{ChunkId, FileId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::care::error::CareError;
use crate::care::fsck::Outcome;
use crate::care::repair::{Steps, erased_chunks};
use crate::object::chunker::Chunker;
use crate::repo::ingest::Ingester;
use crate::repo::{PENT_DIR, Repository};
use crate::store::{ChunkWriter, GroupHint};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much of a file is read at once, in bytes.
const WINDOW_BYTES: usize = 4 << 20;

/// Looks for lost content in files below some folders; gives the files that had some.
///
/// A chunk is found wherever the same run of bytes stands, in an older or newer version of the file
/// as well. What was erased on purpose is not looked for.
pub fn restore_from_files(
    repository: &Repository,
    folders: &[PathBuf],
    outcome: &Outcome,
    steps: &mut Steps,
    monitor: &dyn Monitor,
) -> Result<Vec<PathBuf>, CareError> {
    let mut wanted = Wanted::of(repository, outcome)?;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    monitor.phase(Phase { name: "Looking in your files", files_total: None, bytes_total: None });
    let store = repository.store();
    let writer = store.chunk_writer(monitor)?;
    let mut sources = Vec::new();
    for folder in folders {
        let mut waiting = vec![folder.clone()];
        while let Some(path) = waiting.pop() {
            if monitor.is_cancelled() {
                return Err(CareError::Cancelled);
            }
            // One file that cannot be read must not keep the others from being looked at.
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            if found.is_dir() {
                let is_own = path.file_name().is_some_and(|name| name == PENT_DIR);
                if !is_own {
                    let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                    waiting.extend(entries.map(|entry| entry.path()));
                }
            } else if found.is_file() && wanted.look_in(&path, found.len(), repository, &writer, monitor)? {
                sources.push(path);
            }
        }
    }
    let staged = writer.finish()?;
    let mut transaction = store.begin()?;
    transaction.publish(staged)?;
    transaction.commit()?;
    if !sources.is_empty() {
        let message = format!("lost content was found in {} of your files", sources.len());
        steps.add("content", message, None);
    }
    Ok(sources)
}

/// What is looked for.
struct Wanted {
    chunks: HashSet<ChunkId>,
    /// Files that nothing says how to put together, by size.
    files: HashMap<u64, HashSet<FileId>>,
}

impl Wanted {
    fn of(repository: &Repository, outcome: &Outcome) -> Result<Self, CareError> {
        let view = repository.view()?;
        let erased = erased_chunks(&view)?;
        let mut chunks = HashSet::new();
        for chunk in outcome.findings.chunks() {
            if !erased.contains(chunk) && !view.snapshot().has_chunk(*chunk)? {
                chunks.insert(*chunk);
            }
        }
        let mut files: HashMap<u64, HashSet<FileId>> = HashMap::new();
        for line in &outcome.affected {
            let Some(file) = line.file else { continue };
            if view.manifest(file).ok().flatten().is_none() && !view.snapshot().has_chunk(file.into())? {
                files.entry(line.size).or_default().insert(file);
            }
        }
        Ok(Self { chunks, files })
    }

    fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.files.is_empty()
    }

    /// Takes what a file has of it.
    fn look_in(
        &mut self,
        path: &Path,
        size: u64,
        repository: &Repository,
        writer: &ChunkWriter<'_>,
        monitor: &dyn Monitor,
    ) -> Result<bool, CareError> {
        let hint = GroupHint::of_name(path.as_os_str().as_encoded_bytes());
        let mut found = false;
        if let Some(files) = self.files.get_mut(&size)
            && let Ok(mut input) = File::open(path)
            && let Ok(hashed) = Ingester::hashing(monitor).ingest_file(&mut input, hint)
            && files.contains(&hashed.file)
            && let Ok(mut input) = File::open(path)
        {
            let parameters = &repository.store().settings().chunker;
            let taken = Ingester::storing(writer, parameters, monitor).ingest_file(&mut input, hint);
            if taken.is_ok_and(|taken| taken.file == hashed.file) {
                files.remove(&hashed.file);
                found = true;
            }
        }
        if self.chunks.is_empty() {
            return Ok(found);
        }
        Ok(self.take_chunks(path, hint, repository, writer, monitor)? || found)
    }

    /// Cuts a file and stores the chunks that are looked for.
    fn take_chunks(
        &mut self,
        path: &Path,
        hint: GroupHint,
        repository: &Repository,
        writer: &ChunkWriter<'_>,
        monitor: &dyn Monitor,
    ) -> Result<bool, CareError> {
        let Ok(mut file) = File::open(path) else { return Ok(false) };
        let mut chunker = Chunker::new(&repository.store().settings().chunker);
        let mut window = vec![0; WINDOW_BYTES];
        let mut chunk: Vec<u8> = Vec::new();
        let mut found = false;
        loop {
            let Ok(length) = file.read(&mut window) else { return Ok(found) };
            if length == 0 {
                break;
            }
            monitor.advance(Advance { bytes: length as u64, ..Advance::default() });
            let mut rest = &window[..length];
            while let Some(taken) = chunker.next_cut(rest) {
                chunk.extend_from_slice(&rest[..taken]);
                rest = &rest[taken..];
                found |= self.take(&chunk, hint, writer)?;
                chunk.clear();
            }
            chunk.extend_from_slice(rest);
        }
        Ok(self.take(&chunk, hint, writer)? || found)
    }

    fn take(&mut self, bytes: &[u8], hint: GroupHint, writer: &ChunkWriter<'_>) -> Result<bool, CareError> {
        if bytes.is_empty() || !self.chunks.remove(&ChunkId::of(bytes)) {
            return Ok(false);
        }
        writer.put(ChunkId::of(bytes), bytes, hint)?;
        Ok(true)
    }
}
