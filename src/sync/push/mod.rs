//! Sending: finds out what the remote lacks, sends it in parcels, several at a time, and then has the
//! names moved.
//!
//! Every parcel that the remote has taken is noted in a file beside the repository. Whoever is
//! stopped goes on from there: only what was under way is sent twice, and that is one pack at most (`under_way`).

mod begun;
pub(in crate::sync) mod candidates;
mod gather;
mod records;
mod send;
mod survey;
mod under_way;

use crate::base::id::CommitId;
use crate::base::monitor::{Monitor, Phase};
use crate::repo::{Repository, View};
use crate::store::bucket::head::Token;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::remote::{Description, LogChange, ObjectKey, Proposal, Published, RefChange, Remote};
use crate::sync::walk::{Found, find_new};
use candidates::Candidates;
pub(in crate::sync) use gather::{Care, Gathering};
use records::SentParcels;
pub(in crate::sync) use records::noted_entries;
#[cfg(any(test, fuzzing))]
pub use records::{fuzz_run, fuzz_seeds};
use send::Sender;
pub(in crate::sync) use send::{build_bundle, build_pack, parcel_of};
use serde::Serialize;
use std::path::PathBuf;
use survey::Answers;

/// How often a push begins anew because the remote was tidied up meanwhile.
const ROUNDS: u32 = 4;

/// What a push moves, or would move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Commits.
    pub commits: u64,
    /// Files that are new at their places.
    pub assets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of content that the remote had already.
    pub bytes_shared: u64,
    /// Bytes of parcels that were sent, or would be.
    pub bytes_sent: u64,
    /// Parcels.
    pub parcels: u64,
    /// Bytes of parcels from an earlier attempt that did not have to be sent again.
    pub bytes_resumed: u64,
}

/// What to push.
pub struct Push<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Where to.
    pub remote: &'a dyn Remote,
    /// Commits that the remote is believed to have with all that they reach.
    pub known: Vec<CommitId>,
    /// Names to move.
    pub changes: Vec<RefChange>,
    /// Commits that are to be there although no name need reach them.
    pub also: Vec<CommitId>,
    /// Heads of logs to move.
    pub logs: Vec<LogChange>,
    /// What of the logs the remote lacks.
    pub log_objects: Vec<ObjectKey>,
    /// Folder for notes of what was sent.
    pub notes: PathBuf,
    /// Names this publication: random bytes.
    pub token: Token,
}

impl Push<'_> {
    /// Finds out what would be sent, and sends nothing. Of very much, how many bytes that are is a guess.
    pub fn measure(&self, description: &Description, monitor: &dyn Monitor) -> SyncResult<Moved> {
        let mut sent = SentParcels::open(&self.notes, self.remote)?;
        let view = self.repository.view()?;
        let found = self.find(&view, description, monitor)?;
        self.survey(&view, &found, description, &mut sent, &mut Answers::default(), monitor)
    }

    fn survey(
        &self,
        view: &View,
        found: &Found,
        description: &Description,
        sent: &mut SentParcels,
        answers: &mut Answers,
        monitor: &dyn Monitor,
    ) -> SyncResult<Moved> {
        let mut moved = moved_of(found);
        monitor.phase(phase("Comparing", &moved));
        let sender = Sender::new(self, view, description, None, monitor)?;
        sender.measure(self.candidates(view, found), sent, &mut moved, answers)?;
        answers.rewind();
        sent.begin_again();
        Ok(moved)
    }

    /// Sends what is missing and moves the names.
    pub fn run(&self, description: Description, monitor: &dyn Monitor) -> SyncResult<(Moved, Published)> {
        self.carry_out(description, None, monitor)
    }

    /// The same; `say_first` is told what will move before anything does.
    pub fn run_saying(
        &self,
        description: Description,
        say_first: &mut dyn FnMut(&Moved),
        monitor: &dyn Monitor,
    ) -> SyncResult<(Moved, Published)> {
        self.carry_out(description, Some(say_first), monitor)
    }

    fn carry_out(
        &self,
        mut description: Description,
        mut say_first: Option<&mut dyn FnMut(&Moved)>,
        monitor: &dyn Monitor,
    ) -> SyncResult<(Moved, Published)> {
        for _ in 0..ROUNDS {
            let mut sent = SentParcels::open(&self.notes, self.remote)?;
            let view = self.repository.view()?;
            let found = self.find(&view, &description, monitor)?;
            let mut answers = Answers::default();
            if let Some(say) = say_first.take() {
                say(&self.survey(&view, &found, &description, &mut sent, &mut answers, monitor)?);
            }
            let mut moved = moved_of(&found);
            monitor.phase(phase("Sending", &moved));
            let sender = Sender::new(self, &view, &description, Some(&self.notes), monitor)?;
            let parcels = sender.run(self.candidates(&view, &found), &mut sent, &mut moved, &mut answers)?;
            let proposal = Proposal {
                epoch: description.epoch,
                token: self.token,
                parcels,
                changes: self.changes.clone(),
                logs: self.logs.clone(),
            };
            match self.remote.publish(&proposal) {
                Ok(published) => {
                    sent.forget(&proposal.parcels);
                    return Ok((moved, published));
                }
                // What it had it may have no longer: ask again. What was sent is still there.
                Err(SyncError::Outdated) => description = self.remote.describe()?,
                Err(error) => return Err(error),
            }
        }
        Err(SyncError::Busy { attempts: ROUNDS })
    }

    /// Whether nothing is to move.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.logs.is_empty()
    }

    fn candidates<'a>(&'a self, view: &'a View, found: &'a Found) -> Candidates<'a> {
        Candidates::new(view, found).with_logs(&self.log_objects)
    }

    /// What the names bring beyond what the remote has.
    fn find(&self, view: &View, description: &Description, monitor: &dyn Monitor) -> SyncResult<Found> {
        monitor.phase(Phase { name: "Looking for what is new", files_total: None, bytes_total: None });
        let named = self.changes.iter().filter_map(|change| Some(change.target.as_ref()?.commit));
        let wants: Vec<CommitId> = named.chain(self.also.iter().copied()).collect();
        let mut haves: Vec<CommitId> = description.refs.values().map(|target| target.commit).collect();
        haves.extend(self.still_there(description, &haves)?);
        let folder = self.repository.pent_dir().join("tmp");
        let found = find_new(view, &wants, &haves, Some(&folder), &|| monitor.is_cancelled())?;
        match found.missing.first() {
            Some(key) => Err(SyncError::Missing { kind: key.kind.name(), id: key.id_text() }),
            None => Ok(found),
        }
    }

    /// Of the commits that the remote had when it was seen last, those that it still has.
    fn still_there(&self, description: &Description, named: &[CommitId]) -> SyncResult<Vec<CommitId>> {
        let mut asked: Vec<CommitId> = self.known.iter().filter(|id| !named.contains(id)).copied().collect();
        asked.truncate(description.limits.keys());
        if asked.is_empty() || description.is_empty() {
            return Ok(Vec::new());
        }
        let key = |id: &CommitId| ObjectKey::new(crate::sync::remote::Kind::Commit, *id.as_bytes());
        let keys: Vec<ObjectKey> = asked.iter().map(key).collect();
        let had = self.remote.have(&keys)?;
        Ok(asked.into_iter().zip(had).filter_map(|(id, had)| had.then_some(id)).collect())
    }
}

fn moved_of(found: &Found) -> Moved {
    Moved {
        commits: found.commits.len() as u64,
        assets: found.files.len() as u64,
        bytes: found.file_bytes,
        ..Moved::default()
    }
}

fn phase(name: &'static str, moved: &Moved) -> Phase {
    Phase { name, files_total: Some(moved.assets), bytes_total: Some(moved.bytes) }
}
