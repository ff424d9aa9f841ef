//! The commits that a branch would take, with the signatures of them that hold: for rules that ask for signed
//! commits, and for nobody else.

use crate::base::id::{CommitId, RepositoryId};
use crate::object::signature::Fingerprint;
use crate::repo::history::only_in;
use crate::repo::{RepoError, View};
use crate::rules::approval::Brought;
use crate::rules::policy::Policy;
use rayon::prelude::*;

/// All commits that a branch at `from` would take by going on to `tips`, with their signatures; none where no
/// rule of it asks for these.
///
/// `reference` is the name as it is stored. Nobody can put another's signature in the place of a good one: each
/// key has a place of its own, and what stands there is verified. None is left out; where clocks disagree much, one
/// that the branch has already may be among them ([`only_in`]), and is signed like the others.
pub fn brought(
    view: &View,
    repository: RepositoryId,
    policy: Option<&Policy>,
    reference: &str,
    from: Option<CommitId>,
    tips: &[CommitId],
) -> Result<Vec<Brought>, RepoError> {
    let branch = reference.strip_prefix("branch/");
    let asks = branch.zip(policy).is_some_and(|(branch, policy)| policy.asks_for_signed_commits(branch));
    if !asks {
        return Ok(Vec::new());
    }
    let new = only_in(view, tips.iter().copied(), from)?;
    let named = |key: &Fingerprint| policy.is_some_and(|policy| policy.names_key(key));
    let with_signatures = |commit: CommitId| {
        let records = view.commit_signatures_with(commit, &named)?;
        let good = records.iter().filter_map(|record| record.verify(repository, commit).ok());
        Ok(Brought { commit, signatures: good.collect() })
    };
    new.par_iter().map(|(commit, _)| with_signatures(*commit)).collect()
}
