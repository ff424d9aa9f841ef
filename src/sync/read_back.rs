//! Reads back what the names of a remote need, by the requests that every remote answers, and hashes it: for
//! places where a program keeps the packs and nobody else can look at them. What is lacking is given back as
//! any push would bring it.

use crate::base::id::{ChunkId, CommitId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::repo::{Repository, View};
use crate::store::Space;
use crate::store::bucket::head::Token;
use crate::store::parcel::OpenBlock;
use crate::sync::bucket::{Reading, Verified, is_certain, needed_of_logs};
use crate::sync::bundle::open_bundle;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::push::candidates::{Candidates, Step, object_bytes};
use crate::sync::push::{build_bundle, build_pack};
use crate::sync::remote::{Description, Kind, ObjectKey, Proposal, Remote};
use crate::sync::walk::find_new;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Objects and chunks that are asked for at a time.
const KEYS_AT_A_TIME: usize = 1024;
/// Objects of one parcel that is given back.
const GIVEN_AT_A_TIME: usize = 256;

/// A remote that is read back.
pub struct ReadBack<'a> {
    /// The repository that knows what the names need.
    pub repository: &'a Repository,
    /// The remote.
    pub remote: &'a dyn Remote,
    /// What it said of itself.
    pub description: &'a Description,
    /// Who is told, and may stop it.
    pub monitor: &'a dyn Monitor,
}

impl ReadBack<'_> {
    /// Reads so much of it as `reading` says, each object drawn by itself.
    ///
    /// # Errors
    /// [`SyncError::NotAllowed`] where content of some paths is withheld: what does not come might be there.
    pub fn verify(&self, reading: &Reading) -> SyncResult<Verified> {
        Ok(self.read(reading)?.0)
    }

    /// The same of everything, and gives back what this repository has of what does not come. `token` names
    /// the publication: random bytes.
    pub fn repair(&self, token: Token) -> SyncResult<Verified> {
        let (mut verified, lacking) = self.read(&Reading::EVERYTHING)?;
        if lacking.is_empty() {
            return Ok(verified);
        }
        let view = self.repository.view()?;
        let mut parcels = Vec::new();
        for keys in lacking.chunks(GIVEN_AT_A_TIME) {
            verified.repaired += self.give_back(&view, keys, &token, &mut parcels)?;
        }
        let proposal =
            Proposal { epoch: self.description.epoch, token, parcels, changes: Vec::new(), logs: Vec::new() };
        if !proposal.parcels.is_empty() {
            self.remote.publish(&proposal)?;
        }
        Ok(verified)
    }

    /// Puts what is here of some objects; gives how many that were.
    fn give_back(
        &self,
        view: &View,
        keys: &[ObjectKey],
        salt: &Token,
        parcels: &mut Vec<crate::sync::remote::ParcelRecord>,
    ) -> SyncResult<u64> {
        let reader = self.repository.store().chunk_reader()?;
        let (mut chunks, mut objects) = (Vec::new(), Vec::new());
        for key in keys {
            if key.kind == Kind::Chunk {
                let id = ChunkId::from_bytes(key.id);
                if view.snapshot().has_chunk(id)? && reader.read(id, &mut Vec::new()).is_ok() {
                    chunks.push(id);
                }
            } else if !key.kind.is_of_logs() && object_bytes(view, *key).is_ok() {
                // What is lost of logs goes there with the next publication of that log.
                objects.push(*key);
            }
        }
        let given = (chunks.len() + objects.len()) as u64;
        for parcel in [
            (!chunks.is_empty()).then(|| build_pack(&reader, &chunks, salt)),
            (!objects.is_empty()).then(|| build_bundle(view, &objects, salt)),
        ] {
            if let Some(parcel) = parcel.transpose()? {
                self.remote.put(&parcel)?;
                parcels.push(parcel.record);
            }
        }
        Ok(given)
    }

    fn read(&self, reading: &Reading) -> SyncResult<(Verified, Vec<ObjectKey>)> {
        if !self.description.hidden.is_empty() {
            let what = "read everything there, so what is missing cannot be told from what is withheld";
            return Err(SyncError::NotAllowed { what: what.to_owned() });
        }
        let view = self.repository.view()?;
        let mut verified = Verified { complete: true, ..Verified::default() };
        let mut tips: Vec<CommitId> = Vec::new();
        for target in self.description.refs.values() {
            if view.snapshot().contains(Space::Commits, target.commit.as_bytes())? {
                tips.push(target.commit);
            } else {
                verified.complete = false;
            }
        }
        let folder = self.repository.pent_dir().join("tmp");
        let found = find_new(&view, &tips, &[], Some(&folder), &|| self.monitor.is_cancelled())?;
        verified.complete &= found.missing.is_empty();
        let name = "Reading what is there";
        self.monitor.phase(Phase { name, files_total: Some(found.files.len() as u64), bytes_total: None });
        let mut asking = Asking { back: self, verified, lacking: Vec::new() };
        let (mut chunks, mut objects) = (Vec::new(), Vec::new());
        let (mut seen, mut left_out) = (HashSet::new(), None);
        let of_logs = needed_of_logs(&view, &self.description.logs, &mut asking.verified.complete)?;
        for step in Candidates::new(&view, &found).with_logs(&of_logs) {
            match step? {
                // A tombstone stands for what need not be there.
                Step::Candidate(candidate)
                    if candidate.key.kind == Kind::Tombstone || !is_certain(candidate.key.kind) => {}
                Step::Candidate(candidate) if !reading.draws(&candidate.key.id) => {
                    asking.verified.objects_left_out += 1;
                    let others = left_out.into_iter().chain([candidate.key]);
                    left_out = reading.one_of(others, |key| &key.id);
                }
                Step::Candidate(candidate) if candidate.key.kind == Kind::Chunk => {
                    chunks.extend(seen.insert(candidate.key.id).then_some(candidate.key));
                }
                Step::Candidate(candidate) => objects.push(candidate.key),
                Step::NotHere(_) => asking.verified.complete = false,
                Step::FileDone { .. } => self.monitor.advance(Advance { files: 1, ..Advance::default() }),
            }
            asking.ask_when_many(&mut chunks, &mut objects)?;
        }
        asking.ask(&chunks)?;
        asking.ask(&objects)?;
        if let Some(key) = left_out.filter(|_| asking.has_asked_nothing() && reading.percent > 0.0) {
            // Of few objects a small sample draws none, and a sample of nothing says nothing.
            asking.verified.objects_left_out -= 1;
            asking.ask(&[key])?;
        }
        let Asking { mut verified, mut lacking, .. } = asking;
        lacking.sort_unstable();
        lacking.dedup();
        (verified.missing, verified.objects) = (lacking.len() as u64, lacking.len() as u64);
        Ok((verified, lacking))
    }
}

/// Asks for objects and notes what does not come, or is not what it should be.
struct Asking<'a> {
    back: &'a ReadBack<'a>,
    verified: Verified,
    lacking: Vec<ObjectKey>,
}

impl Asking<'_> {
    fn has_asked_nothing(&self) -> bool {
        self.verified.objects_read == 0 && self.lacking.is_empty()
    }

    fn ask_when_many(&mut self, chunks: &mut Vec<ObjectKey>, objects: &mut Vec<ObjectKey>) -> SyncResult<()> {
        let limits = &self.back.description.limits;
        for (keys, most) in [(chunks, limits.chunks()), (objects, limits.keys())] {
            if keys.len() >= most.min(KEYS_AT_A_TIME) {
                self.ask(&std::mem::take(keys))?;
            }
        }
        Ok(())
    }

    /// Asks for objects of which all are chunks, or none.
    fn ask(&mut self, keys: &[ObjectKey]) -> SyncResult<()> {
        if keys.is_empty() {
            return Ok(());
        }
        if self.back.monitor.is_cancelled() {
            return Err(SyncError::Cancelled);
        }
        let open: Mutex<HashSet<ObjectKey>> = Mutex::new(keys.iter().copied().collect());
        let bytes = Mutex::new(0);
        let came = |key: &ObjectKey, length: usize| {
            if open.lock().unwrap_or_else(PoisonError::into_inner).remove(key) {
                *bytes.lock().unwrap_or_else(PoisonError::into_inner) += length as u64;
            }
        };
        let asked = if keys[0].kind == Kind::Chunk {
            fetch_chunks(self.back.remote, keys, &came)
        } else {
            self.back.remote.fetch_objects(keys, &mut |bundle| {
                open_bundle(bundle, &mut |received, _, _| {
                    came(&received.key, received.bytes.len());
                    Ok(())
                })
            })
        };
        let mut open: Vec<ObjectKey> =
            open.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect();
        open.sort_unstable();
        self.verified.objects_read += (keys.len() - open.len()) as u64;
        self.verified.bytes += bytes.into_inner().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Ok(()) => self.lacking.extend(open),
            Err(error) if !is_of_content(&error) => return Err(error),
            // One that is damaged there ends the whole answer: what is behind it is asked for by itself.
            Err(_) if open.len() <= 1 => self.lacking.extend(open),
            Err(_) => {
                let (first, second) = open.split_at(open.len() / 2);
                self.ask(first)?;
                self.ask(second)?;
            }
        }
        Ok(())
    }
}

fn fetch_chunks(
    remote: &dyn Remote,
    keys: &[ObjectKey],
    came: &(dyn Fn(&ObjectKey, usize) + Sync),
) -> SyncResult<()> {
    let ids: Vec<ChunkId> = keys.iter().map(|key| ChunkId::from_bytes(key.id)).collect();
    remote.fetch_chunks(&ids, &|block| {
        let block = OpenBlock::open(block)
            .map_err(|damage| SyncError::Invalid { what: "a block", detail: damage.to_string() })?;
        block.chunks().for_each(|(id, raw)| came(&ObjectKey::chunk(id), raw.len()));
        Ok(())
    })
}

/// Whether an error may be one of what was asked for, and not of the way there or of whoever asks.
const fn is_of_content(error: &SyncError) -> bool {
    matches!(
        error,
        SyncError::Failed { .. }
            | SyncError::Missing { .. }
            | SyncError::Invalid { .. }
            | SyncError::Damaged { .. }
            | SyncError::TurnedDown { .. }
            | SyncError::Repo(_)
    )
}
