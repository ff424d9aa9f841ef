//! What every command goes through that moves a branch or tag: names that no policy protects move
//! as they always did, protected ones only by a [`Permit`].

use crate::app::common::brought::brought;
use crate::app::common::changes::changes_between;
use crate::app::common::evidence::{JustJudged, RepositoryEvidence, judge_steps};
use crate::app::common::locks::LockNotes;
use crate::app::common::session::Session;
use crate::app::common::signing::sign_commit;
use crate::app::error::AppError;
use crate::base::id::{ActionId, CommitId, MetadataId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
use crate::object::commit::Commit;
use crate::object::commit_signature::CommitSignature;
use crate::object::log_entry::{LogDeed, RefMoved, SignedEntry, Why};
use crate::object::metadata::Metadata;
use crate::object::signature::Fingerprint;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_edit::{TreeEdit, edit_tree};
use crate::repo::history::is_ancestor;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::{Edit, RepoError, Repository, View};
use crate::rules::approval::{Authorised, Brought, Recorded};
use crate::trust::chain::{Trust, VerifiedLog, verify};
use crate::trust::judge::{MoveEvidence, Proposal, judge};
use crate::trust::log_writer::LogWriter;
use std::collections::HashMap;

/// What a verification of this repository's shared log starts from.
pub fn trust(repository: &Repository, view: &View, now: Timestamp) -> Result<Trust, AppError> {
    Ok(Trust { repository: repository.id(), pinned: view.pinned_root()?, now_ms: now.unix_ms })
}

/// Verifies the shared log as far as that was not done before.
pub fn verified_log(
    repository: &Repository,
    view: &View,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<VerifiedLog, AppError> {
    let earlier = match view.log_checkpoint()? {
        Some(bytes) => VerifiedLog::restore(&bytes)?,
        None => None,
    };
    verified_from(repository, view, earlier, now, monitor)
}

/// Verifies the shared log from its first entry, whatever was verified before; what was seen before
/// must still be there.
pub fn verified_anew(
    repository: &Repository,
    view: &View,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<VerifiedLog, AppError> {
    let log = verified_from(repository, view, None, now, monitor)?;
    // The earlier result says what this clone has seen.
    verified_log(repository, view, now, monitor)?;
    Ok(log)
}

fn verified_from(
    repository: &Repository,
    view: &View,
    earlier: Option<VerifiedLog>,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<VerifiedLog, AppError> {
    let evidence = RepositoryEvidence::new(view, repository.id());
    Ok(verify(view, &trust(repository, view, now)?, earlier, &evidence, monitor)?)
}

/// Verifies the shared log of a repository as far as that was not done before, from a given beginning.
pub fn verified_of(view: &View, trust: &Trust, monitor: &dyn Monitor) -> Result<VerifiedLog, AppError> {
    let earlier = match view.log_checkpoint()? {
        Some(bytes) => VerifiedLog::restore(&bytes)?,
        None => None,
    };
    let evidence = RepositoryEvidence::new(view, trust.repository);
    Ok(verify(view, trust, earlier, &evidence, monitor)?)
}

/// What the shared log records, if it says that a protected name stands at a commit.
pub fn recorded_at(
    repository: &Repository,
    view: &View,
    name: &RefName,
    commit: CommitId,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<Option<Recorded>, AppError> {
    if !is_protected(view, name)? {
        return Ok(None);
    }
    let recorded = verified_log(repository, view, now, monitor)?.recorded();
    Ok(recorded.filter(|recorded| recorded.reference(name.as_str()) == Some(commit)))
}

/// Keeps a verification, so that the next goes on from there; pins the first policy when none is.
pub fn remember(edit: &mut Edit, log: &VerifiedLog) -> Result<(), AppError> {
    if let Some(root) = log.root() {
        edit.pin_root(root)?;
    }
    edit.put_lock_notes(LockNotes::of(log).as_deref())?;
    Ok(edit.put_log_checkpoint(&log.checkpoint()?)?)
}

/// A move that somebody wants to make.
pub struct Wish<'a> {
    /// The branch or tag.
    pub name: &'a RefName,
    /// Where it stands.
    pub from: Option<CommitId>,
    /// Where it is to stand.
    pub to: Option<CommitId>,
    /// What speaks for it.
    pub evidence: MoveEvidence,
    /// Commits that are here and that it would bring, besides those that the evidence has.
    pub brings: Vec<CommitId>,
    /// Whether the commit it goes to is being made by whoever asks: then they sign it where a rule asks for that.
    pub makes: bool,
    /// The submission that lands, with the heads of the review log that are judged.
    pub landing: Option<(ActionId, Vec<ActionId>)>,
}

/// The permission to move one protected name, and the signed entry that records the move.
pub struct Permit {
    authorised: Authorised,
    entry: SignedEntry,
    log: VerifiedLog,
    signature: Option<(CommitId, CommitSignature)>,
}

impl Permit {
    /// Asks for a move of a protected name. Signs the entry: that may wait for a person.
    pub fn ask(
        repository: &Repository,
        view: &View,
        wish: Wish<'_>,
        writer: Option<LogWriter<'_>>,
        now: Timestamp,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let log = verified_log(repository, view, now, monitor)?;
        let Wish { name, from, to, mut evidence, brings, makes, landing } = wish;
        let policy = log.in_force().map(|in_force| &in_force.policy);
        evidence.commits.extend(brought(view, repository.id(), policy, name.as_str(), from, &brings)?);
        let actor = writer.as_ref().map(LogWriter::actor);
        let (submission, heads) = landing.unzip();
        let judged = |evidence: &MoveEvidence| {
            let (reference, at_ms, actor) = (name.as_str(), now.unix_ms, actor.as_ref());
            judge(&log, &Proposal { reference, from, to, actor, at_ms, submission, evidence })
        };
        let (authorised, signature) = match (judged(&evidence), writer, to.filter(|_| makes)) {
            // Nobody has to touch a key for a move that would be refused for another reason.
            (Err(refusal), Some(writer), Some(to)) if refusal.asks_only_for_a_signature_of(to) => {
                let signature = sign_commit(writer, repository.id(), to, now)?;
                let verified = signature.verify(repository.id(), to);
                let verified =
                    verified.map_err(|source| RepoError::CommitSignature { commit: to, source })?;
                evidence.commits.retain(|brought| brought.commit != to);
                evidence.commits.push(Brought { commit: to, signatures: vec![verified] });
                (judged(&evidence)?, Some((to, signature)))
            }
            (Err(refusal), _, Some(to)) => return Err(refusal.without_signature_of(to).into()),
            (judged, _, _) => (judged?, None),
        };
        let Some(writer) = writer else { return Err(AppError::NoIdentity) };
        let deed = LogDeed::Move(RefMoved {
            reference: name.as_str().to_owned(),
            from,
            to,
            why: submission.map_or(Why::Direct {}, |submission| Why::Landing { submission }),
            heads: heads.unwrap_or_default(),
        });
        let entry = writer.entry(&log, deed, now.unix_ms)?;
        let trust = trust(repository, view, now)?;
        let log = log.clone().extended(&entry, &trust, &JustJudged(&evidence))?;
        Ok(Self { authorised, entry, log, signature })
    }

    /// The key that signed the commit itself, because a rule of the branch asks for that.
    pub fn signed_by(&self) -> Option<Fingerprint> {
        self.signature.as_ref().map(|(_, signature)| signature.fingerprint())
    }

    fn carry_out(self, edit: &mut Edit, target: Option<RefTarget>) -> Result<(), AppError> {
        if let Some((commit, signature)) = &self.signature {
            edit.put_commit_signature(self.log.repository(), *commit, signature)?;
        }
        edit.move_protected(&self.authorised, target, &self.entry)?;
        remember(edit, &self.log)
    }
}

/// Points a name somewhere: by its permit when it is protected.
pub fn set_reference(
    edit: &mut Edit,
    permit: Option<Permit>,
    name: &RefName,
    expected: Option<CommitId>,
    target: Option<RefTarget>,
) -> Result<(), AppError> {
    match permit {
        Some(permit) => permit.carry_out(edit, target),
        None => Ok(edit.set_reference(name, expected, target)?),
    }
}

/// A tree that is not stored yet, over a repository.
pub struct Planned<'a> {
    view: &'a View,
    nodes: HashMap<TreeId, Vec<u8>>,
}

impl<'a> Planned<'a> {
    /// A plan with nothing in it.
    pub fn over(view: &'a View) -> Self {
        Self { view, nodes: HashMap::new() }
    }

    /// Takes a node of the tree.
    pub fn put(&mut self, id: TreeId, bytes: Vec<u8>) {
        self.nodes.insert(id, bytes);
    }
}

impl ObjectSource for Planned<'_> {
    type Error = RepoError;

    fn tree_node(&self, id: TreeId) -> Result<TreeNode, RepoError> {
        let Some(bytes) = self.nodes.get(&id) else { return self.view.tree_node(id) };
        let damaged = |source| RepoError::Damaged { kind: "tree", id: id.to_string(), source };
        TreeNode::decode(bytes).map_err(damaged)
    }

    fn metadata(&self, id: MetadataId) -> Result<Metadata, RepoError> {
        self.view.metadata(id)
    }

    fn commit(&self, id: CommitId) -> Result<Commit, RepoError> {
        self.view.commit(id)
    }
}

impl Permit {
    /// Asks for a move of a branch to a commit that is not stored yet, if the branch is protected.
    ///
    /// `edits` turn the session's base into the commit's tree. What is judged is what they change of
    /// the branch, where that base is of a merge under way.
    pub fn for_edits(
        session: &Session<'_>,
        edits: impl IntoIterator<Item = TreeEdit>,
        commit: &dyn Fn(TreeId) -> Commit,
        writer: Option<LogWriter<'_>>,
        monitor: &dyn Monitor,
        now: Timestamp,
    ) -> Result<Option<Self>, AppError> {
        let (view, name) = (&session.view, &session.state.branch);
        if !is_protected(view, name)? {
            return Ok(None);
        }
        let mut planned = Planned::over(view);
        let mut put = |id, bytes| {
            planned.put(id, bytes);
            Ok::<(), RepoError>(())
        };
        let tree = edit_tree(view, session.base, edits, &mut put).map_err(AppError::from_edit)?;
        let evidence = direct_evidence(&planned, session.head_tree()?, tree, monitor)?;
        let commit = commit(tree);
        let (to, brings) = (Some(commit.id()), commit.parents);
        let wish = Wish { name, from: session.head, to, evidence, brings, makes: true, landing: None };
        Self::ask(session.repository, view, wish, writer, now, monitor).map(Some)
    }

    /// Asks for a move of a branch to a commit that is stored, if the branch is protected.
    pub fn for_commit(
        repository: &Repository,
        view: &View,
        (name, from, to): (&RefName, Option<CommitId>, CommitId),
        writer: Option<LogWriter<'_>>,
        now: Timestamp,
        monitor: &dyn Monitor,
    ) -> Result<Option<Self>, AppError> {
        if !is_protected(view, name)? {
            return Ok(None);
        }
        let before = match from {
            Some(from) => view.commit(from)?.tree,
            None => TreeNode::empty_id(),
        };
        let mut evidence = direct_evidence(view, before, view.commit(to)?.tree, monitor)?;
        judge_steps(view, from, to, &mut evidence)?;
        let (brings, to) = (vec![to], Some(to));
        let wish = Wish { name, from, to, evidence, brings, makes: false, landing: None };
        Self::ask(repository, view, wish, writer, now, monitor).map(Some)
    }

    /// Asks to set or remove a tag, or to remove a branch, if it is protected.
    pub fn for_name(
        repository: &Repository,
        view: &View,
        (name, from, to): (&RefName, Option<CommitId>, Option<CommitId>),
        writer: Option<LogWriter<'_>>,
        now: Timestamp,
        monitor: &dyn Monitor,
    ) -> Result<Option<Self>, AppError> {
        if !is_protected(view, name)? {
            return Ok(None);
        }
        let (evidence, brings) = (MoveEvidence::default(), Vec::new());
        let wish = Wish { name, from, to, evidence, brings, makes: false, landing: None };
        Self::ask(repository, view, wish, writer, now, monitor).map(Some)
    }
}

/// What speaks for a move that nobody submitted: the difference alone.
pub fn direct_evidence<S: ObjectSource<Error = RepoError>>(
    source: &S,
    before: TreeId,
    after: TreeId,
    monitor: &dyn Monitor,
) -> Result<MoveEvidence, AppError> {
    Ok(MoveEvidence { changes: changes_between(source, before, after, monitor)?, ..MoveEvidence::default() })
}

/// Whether a name is protected.
pub fn is_protected(view: &View, name: &RefName) -> Result<bool, AppError> {
    Ok(view.protected_names()?.covers(name))
}

/// A name that does not stand where the shared log says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stray {
    /// The name.
    pub name: RefName,
    /// Where it stands here.
    pub here: Option<CommitId>,
    /// Where it stands by the shared log.
    pub log: Option<CommitId>,
}

/// Finds protected names that were moved without the shared log: by a damaged disk, a restored
/// backup, or somebody who wrote into the storage. A name that is merely behind what was fetched, or that
/// this clone never had, is none.
pub fn strays(view: &View, log: &VerifiedLog) -> Result<Vec<Stray>, AppError> {
    let mut found = Vec::new();
    let here: HashMap<String, CommitId> = view
        .references()?
        .into_iter()
        .filter(|(name, _)| log.protects(name.as_str()))
        .map(|(name, target)| (name.as_str().to_owned(), target.commit))
        .collect();
    let mut names: Vec<&String> = here.keys().chain(log.references().keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (stands, said) = (here.get(name).copied(), log.reference(name));
        if stands != said && !is_behind(view, name, stands, said)? {
            found.push(Stray { name: RefName::parse(name)?, here: stands, log: said });
        }
    }
    Ok(found)
}

/// Whether a protected name waits for a pull, in a clone that has the shared log from elsewhere.
fn is_behind(
    view: &View,
    name: &str,
    here: Option<CommitId>,
    log: Option<CommitId>,
) -> Result<bool, AppError> {
    if view.confirmed_log()?.is_none() {
        return Ok(false);
    }
    match (here, log) {
        (None, Some(_)) => Ok(name.starts_with("branch/")),
        (Some(here), Some(log)) => Ok(is_ancestor(view, here, log)?),
        _ => Ok(false),
    }
}
