//! What a bucket lacks of what its names need, as a clone that has everything knows it.

use crate::base::id::{CommitId, FileId};
use crate::base::monitor::{Monitor, Phase};
use crate::object::manifest::{Manifest, verified_key};
use crate::repo::View;
use crate::repo::sets::{LogSet, SHARED_LOG};
use crate::repo::shared_log::LogHead;
use crate::store::Space;
use crate::store::bucket::head::{Head, IndexRecord};
use crate::store::bucket::index::IndexPlace;
use crate::sync::bucket::collect::Listed;
use crate::sync::bucket::{BucketRemote, LIMITS, decode_refs};
use crate::sync::bundle::open_bundle;
use crate::sync::error::SyncResult;
use crate::sync::logs::all_of_set;
use crate::sync::push::candidates::{Candidates, Step};
use crate::sync::remote::{Kind, ObjectKey};
use crate::sync::walk::find_new;
use std::collections::BTreeMap;

/// What is needed and not there.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    /// Objects that no index file has.
    pub keys: Vec<ObjectKey>,
    /// Whether everything was looked for: this clone knows all that the names need.
    pub complete: bool,
}

impl BucketRemote {
    /// Goes through everything that names and logs need, and looks whether index files have it.
    pub(super) fn lacking(
        &self,
        view: &View,
        head: &Head,
        indexes: &[IndexRecord],
        monitor: &dyn Monitor,
    ) -> SyncResult<Lacking> {
        monitor.phase(Phase { name: "Looking for what is missing", files_total: None, bytes_total: None });
        let mut lacking = Lacking { keys: Vec::new(), complete: true };
        let mut tips: Vec<CommitId> = Vec::new();
        for target in decode_refs(head)?.into_values() {
            if view.snapshot().contains(Space::Commits, target.commit.as_bytes())? {
                tips.push(target.commit);
            } else {
                lacking.complete = false;
            }
        }
        let found = find_new(view, &tips, &[], None, &|| monitor.is_cancelled())?;
        lacking.complete &= found.missing.is_empty();
        let known = Head { indexes: indexes.to_vec(), ..head.clone() };
        let of_logs = needed_of_logs(view, &head.logs, &mut lacking.complete)?;
        let (mut asked, mut open, mut file) = (Vec::new(), Vec::new(), None);
        for step in Candidates::new(view, &found).with_logs(&of_logs) {
            match step? {
                Step::Candidate(candidate) if candidate.key.kind == Kind::Tombstone => {
                    self.ask_for_erased(&known, candidate.key, &mut lacking.keys)?;
                }
                Step::Candidate(candidate) => {
                    if candidate.key.kind == Kind::Manifest {
                        file = Some(FileId::from_bytes(candidate.key.id));
                    }
                    if is_certain(candidate.key.kind) {
                        asked.push((candidate.key, file));
                    }
                }
                Step::NotHere(_) => lacking.complete = false,
                Step::FileDone { .. } => file = None,
            }
            if asked.len() >= LIMITS.keys_max {
                self.ask(&known, std::mem::take(&mut asked), &mut open)?;
            }
        }
        self.ask(&known, asked, &mut open)?;
        lacking.keys.extend(self.without_other_cuts(view, &known, open)?);
        lacking.keys.sort_unstable();
        lacking.keys.dedup();
        Ok(lacking)
    }

    fn ask(&self, known: &Head, asked: Vec<Part>, open: &mut Vec<Part>) -> SyncResult<()> {
        let keys: Vec<ObjectKey> = asked.iter().map(|(key, _)| *key).collect();
        let places = self.indexes.find(known, &keys)?;
        open.extend(
            asked.into_iter().zip(places).filter_map(|(part, place)| place.is_none().then_some(part)),
        );
        Ok(())
    }

    /// What was erased here may be whole there; if not, its tombstone has to be.
    fn ask_for_erased(
        &self,
        known: &Head,
        tombstone: ObjectKey,
        lacking: &mut Vec<ObjectKey>,
    ) -> SyncResult<()> {
        let other = |kind| ObjectKey::new(kind, tombstone.id);
        let keys = [tombstone, other(Kind::Manifest), other(Kind::Chunk)];
        let is_there = self.indexes.find(known, &keys)?.iter().any(Option::is_some);
        lacking.extend((!is_there).then_some(tombstone));
        Ok(())
    }

    /// A file whose parts as they are here are not there may be there in other parts, and whole.
    fn without_other_cuts(&self, view: &View, known: &Head, open: Vec<Part>) -> SyncResult<Vec<ObjectKey>> {
        let mut keys = Vec::new();
        let mut parts: BTreeMap<FileId, Vec<ObjectKey>> = BTreeMap::new();
        for (key, file) in open {
            match file {
                Some(file) => parts.entry(file).or_default().push(key),
                None => keys.push(key),
            }
        }
        for (file, of_file) in parts {
            if !self.is_whole_in_other_parts(view, known, file)? {
                keys.extend(of_file);
            }
        }
        Ok(keys)
    }

    fn is_whole_in_other_parts(&self, view: &View, known: &Head, file: FileId) -> SyncResult<bool> {
        let key = ObjectKey::new(Kind::Manifest, *file.as_bytes());
        let places: Vec<IndexPlace> = self.indexes.find(known, &[key])?.into_iter().flatten().collect();
        let (mut listed, mut waiting, mut is_other) = (Listed::default(), Vec::new(), false);
        let ours = view.snapshot().get(Space::Manifests, &verified_key(file))?;
        self.read_places(places, &mut |bundle| {
            open_bundle(bundle, &mut |received, _, _| {
                if received.key == key
                    && ours.as_deref() != Some(received.bytes)
                    && let Ok(manifest) = Manifest::decode(received.bytes)
                {
                    is_other = true;
                    listed.add(&manifest, &mut waiting);
                }
                Ok(())
            })
        })?;
        if !is_other {
            return Ok(false);
        }
        self.follow_nodes(view, &known.indexes, waiting, &mut listed)?;
        let keys = listed.keys();
        Ok(self.indexes.find(known, &keys)?.iter().all(Option::is_some))
    }
}

/// An object, and the file that it is a part of.
type Part = (ObjectKey, Option<FileId>);

/// Whether everybody who has what needs an object of this kind has the same one. Records of people change, and
/// what imports left is a help.
pub(in crate::sync) const fn is_certain(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Person | Kind::GitCommit | Kind::GitObject | Kind::GitTreeForm | Kind::LfsDigest | Kind::Tie
    )
}

/// What the heads of logs lead to, where they are the same as here.
pub(in crate::sync) fn needed_of_logs(
    view: &View,
    logs: &BTreeMap<String, Vec<u8>>,
    complete: &mut bool,
) -> SyncResult<Vec<ObjectKey>> {
    let ours = view.log_heads()?;
    let mut keys = Vec::new();
    for set in LogSet::ALL {
        match logs.get(set.name()) {
            None => {}
            theirs if theirs == ours.get(set.name()) => keys.extend(all_of_set(view, set)?),
            Some(_) => *complete = false,
        }
    }
    if let Some(theirs) = logs.get(SHARED_LOG) {
        let theirs = LogHead::decode(theirs).ok();
        let known =
            theirs.map(|theirs| Ok::<_, crate::repo::RepoError>((theirs, view.log_entry(theirs.sequence)?)));
        match known.transpose()? {
            Some((theirs, Some(entry))) if entry.id() == theirs.id => {
                for sequence in 1..=theirs.sequence {
                    let entry = view.log_entry(sequence)?;
                    keys.extend(entry.map(|entry| ObjectKey::new(Kind::LogEntry, *entry.id().as_bytes())));
                }
            }
            _ => *complete = false,
        }
    }
    Ok(keys)
}
