//! Takes signed things in: each is verified as what it is, and kept or not.

use crate::base::id::{ActionId, FileId, PolicyId};
use crate::object::action::{Action, Audience, Body};
use crate::object::commit_signature::CommitSignature;
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::set_node::Member;
use crate::object::signature::{Namespace, PublicKey, Verified};
use crate::object::transition::TransitionList;
use crate::object::words_erasure;
use crate::repo::review_log::{ActionRecord, ReviewBytes};
use crate::repo::sets::LogSet;
use crate::repo::{Edit, RepoError, Repository, View};
use crate::sync::accept::{Judge, Said};
use crate::sync::bundle::decode_proposal;
use crate::sync::error::SyncResult;
use crate::sync::logs::sets::named_by;
use crate::sync::logs::strangers::{LIST_BYTES_MAX, Strangers};
use crate::sync::logs::{Inbox, LogsFetched, Objects, log_object_bytes, note_withheld};
use crate::sync::remote::{Kind, ObjectKey};
use rayon::prelude::*;
use std::collections::HashSet;

/// Lists of transitions that are asked for at a time.
const LISTS_AT_A_TIME: usize = 64;

/// Takes members of one set in.
pub(super) struct Absorbing<'a> {
    pub repository: &'a Repository,
    pub judge: &'a dyn Judge,
    pub set: LogSet,
    pub strangers: Strangers<'a>,
}

/// A member that has come.
struct Arrived {
    kind: Kind,
    bytes: Vec<u8>,
}

type Header = (ActionRecord, Verified<Action>);

impl Absorbing<'_> {
    /// Asks for members and keeps those that hold.
    pub(super) fn run(
        &self,
        members: &[Member],
        source: &dyn Objects,
        inbox: &mut Inbox,
        fetched: &mut LogsFetched,
    ) -> SyncResult<()> {
        let known = members.iter().filter_map(|member| {
            let kind = Kind::from_number(member.kind).filter(|kind| self.belongs(*kind))?;
            Some(ObjectKey::new(kind, member.id))
        });
        let keys: Vec<ObjectKey> = known.collect();
        // What a later program knows is for later programs.
        source.ask(&keys, inbox)?;
        let mut arrived = Vec::new();
        for key in keys {
            match inbox.take(&key)? {
                Some(bytes) => arrived.push(Arrived { kind: key.kind, bytes }),
                None => note_withheld(fetched, &[key]),
            }
        }
        let mut headers = self.headers(&arrived, fetched);
        let named = |headers: &[Header], kind: Kind| -> Vec<ObjectKey> {
            let all = headers.iter().flat_map(|(_, action)| named_by(action.value()));
            all.filter(|key| key.kind == kind).collect()
        };
        let words = named(&headers, Kind::ActionBody);
        let view = self.repository.view()?;
        let mut open = Vec::new();
        for key in words {
            if log_object_bytes(&view, key)?.is_none() {
                open.push(key);
            }
        }
        source.ask(&open, inbox)?;
        let strange = self.leave_strangers_out(&view, &mut headers, inbox, fetched)?;
        self.bring_lists(named(&headers, Kind::TransitionList), &strange, source, inbox)?;
        self.leave_listless_out(&mut headers, &strange, fetched)?;
        let view = self.repository.view()?;
        let mut edit = self.repository.edit()?;
        self.keep_actions(&mut edit, &view, &headers, inbox, fetched)?;
        let mut waiting = match self.set {
            LogSet::Proposals => view.policy_proposals()?,
            _ => Vec::new(),
        };
        for Arrived { kind, bytes } in &arrived {
            match kind {
                Kind::CommitSignature => self.keep_signature(&mut edit, bytes, fetched)?,
                Kind::WordsErasure => self.follow_erasure(&mut edit, &view, &headers, bytes, fetched)?,
                Kind::PolicyProposal => self.keep_proposal(&mut edit, &view, bytes, &mut waiting, fetched)?,
                _ => {}
            }
        }
        Ok(edit.commit()?)
    }

    /// Leaves out what strangers say beyond what is kept of them. Gives the lists that only strangers name.
    fn leave_strangers_out(
        &self,
        view: &View,
        headers: &mut Vec<Header>,
        inbox: &Inbox,
        fetched: &mut LogsFetched,
    ) -> SyncResult<HashSet<ObjectKey>> {
        let strangers: Vec<(&ActionRecord, &Verified<Action>)> = headers
            .iter()
            .filter(|(_, action)| self.strangers.is_of_one(action))
            .map(|(record, action)| (record, action))
            .collect();
        if strangers.is_empty() {
            return Ok(HashSet::new());
        }
        let kept = self.strangers.kept(view, &strangers, inbox)?;
        headers.retain(|(record, action)| {
            let stays = !self.strangers.is_of_one(action) || kept.contains(&record.id());
            if !stays {
                note_uncounted(fetched);
            }
            stays
        });
        let lists = |of_strangers: bool| {
            let those =
                headers.iter().filter(move |(_, action)| self.strangers.is_of_one(action) == of_strangers);
            those
                .flat_map(|(_, action)| named_by(action.value()))
                .filter(|key| key.kind == Kind::TransitionList)
        };
        let others: HashSet<ObjectKey> = lists(false).collect();
        Ok(lists(true).filter(|key| !others.contains(key)).collect())
    }

    /// Leaves out what strangers say of lists that were too long to be kept.
    fn leave_listless_out(
        &self,
        headers: &mut Vec<Header>,
        strange: &HashSet<ObjectKey>,
        fetched: &mut LogsFetched,
    ) -> SyncResult<()> {
        let view = self.repository.view()?;
        let mut missing = HashSet::new();
        for key in strange {
            if log_object_bytes(&view, *key)?.is_none() {
                missing.insert(*key);
            }
        }
        headers.retain(|(_, action)| {
            let stays = !named_by(action.value()).iter().any(|key| missing.contains(key));
            if !stays {
                note_uncounted(fetched);
            }
            stays
        });
        Ok(())
    }

    /// Brings lists of transitions, which may be long: a few at a time, and those for which there was no room
    /// one by one. Of those that only strangers name only short ones are kept.
    fn bring_lists(
        &self,
        mut lists: Vec<ObjectKey>,
        strange: &HashSet<ObjectKey>,
        source: &dyn Objects,
        inbox: &mut Inbox,
    ) -> SyncResult<()> {
        lists.sort_unstable();
        lists.dedup();
        for at_a_time in [LISTS_AT_A_TIME, 1] {
            let view = self.repository.view()?;
            let mut open = Vec::new();
            for key in &lists {
                if log_object_bytes(&view, *key)?.is_none() {
                    open.push(*key);
                }
            }
            for keys in open.chunks(at_a_time) {
                source.ask(keys, inbox)?;
                let mut edit = self.repository.edit()?;
                for key in keys {
                    let fits = |bytes: &Vec<u8>| !strange.contains(key) || bytes.len() <= LIST_BYTES_MAX;
                    let came = inbox.take(key)?.filter(fits);
                    let came = came.and_then(|bytes| TransitionList::decode(&bytes).ok());
                    if let Some(list) = came {
                        edit.put_review_list(&list)?;
                    }
                }
                edit.commit()?;
            }
            lists = open;
        }
        Ok(())
    }

    fn belongs(&self, kind: Kind) -> bool {
        match self.set {
            LogSet::Team | LogSet::Guests => matches!(kind, Kind::Action | Kind::WordsErasure),
            LogSet::Signatures => kind == Kind::CommitSignature,
            LogSet::Proposals => kind == Kind::PolicyProposal,
        }
    }

    /// The headers among them whose signatures hold, for this set and this repository.
    fn headers(&self, arrived: &[Arrived], fetched: &mut LogsFetched) -> Vec<Header> {
        let actions: Vec<&Arrived> = arrived.iter().filter(|arrived| arrived.kind == Kind::Action).collect();
        let read = |arrived: &&Arrived| -> Option<Header> {
            let record = ActionRecord::decode(&arrived.bytes).ok()?;
            let action = record.verified().ok()?;
            let fits = action.value().repository == self.repository.id()
                && Some(action.value().audience) == self.set.audience();
            fits.then_some((record, action))
        };
        let headers: Vec<Header> = actions.par_iter().filter_map(read).collect();
        fetched.refused += (actions.len() - headers.len()) as u64;
        headers
    }

    /// Keeps headers with their words and lists. A header without its list says nothing; one without
    /// its words still does, and these are asked for again.
    fn keep_actions(
        &self,
        edit: &mut Edit,
        view: &View,
        headers: &[Header],
        inbox: &mut Inbox,
        fetched: &mut LogsFetched,
    ) -> SyncResult<()> {
        let Some(audience) = self.set.audience() else { return Ok(()) };
        for (record, action) in headers {
            if !has_list(view, action.value(), fetched)? {
                continue;
            }
            let body = action.value().body;
            let key = ObjectKey::new(Kind::ActionBody, *body.as_bytes());
            match inbox.take(&key)? {
                Some(bytes) => keep_body(edit, &bytes)?,
                None if view.review_bytes(ReviewBytes::Body(body))?.is_none() => {
                    edit.note_missing_words(body, view.review_erasure(body)?.is_none())?;
                }
                None => {}
            }
            let actor = action.value().actor;
            if let Some(person) = inbox.person(actor)
                && view.person(actor)?.is_none()
            {
                edit.put_person(actor, person)?;
            }
            edit.put_verified_action(audience, record, action)?;
            fetched.actions += 1;
        }
        Ok(())
    }

    fn keep_signature(&self, edit: &mut Edit, bytes: &[u8], fetched: &mut LogsFetched) -> SyncResult<()> {
        let claimed = CommitSignature::decode(bytes).and_then(|record| Ok((record.claim()?, record)));
        let Ok((claim, record)) = claimed else {
            fetched.refused += 1;
            return Ok(());
        };
        if !self.strangers.have_room_for(edit, claim.commit, &record)? {
            note_uncounted(fetched);
            return Ok(());
        }
        match edit.put_commit_signature(self.repository.id(), claim.commit, &record) {
            Ok((_, is_new)) => fetched.signatures += u64::from(is_new),
            Err(RepoError::CommitSignature { .. }) => fetched.refused += 1,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Erases words, when whoever permits it may.
    fn follow_erasure(
        &self,
        edit: &mut Edit,
        view: &View,
        headers: &[Header],
        bytes: &[u8],
        fetched: &mut LogsFetched,
    ) -> SyncResult<()> {
        let Ok((said, signed)) = words_erasure::decode_record(bytes) else {
            fetched.refused += 1;
            return Ok(());
        };
        let action = action_of(view, headers, said.audience, said.action)?;
        let is_of_it = match &action {
            Some(action) => {
                said.repository == self.repository.id()
                    && Some(said.audience) == self.set.audience()
                    && said.body == action.body
                    && is_their_own(edit, view, headers, action)?
            }
            None => false,
        };
        let (Some(action), Some(keys)) = (action.filter(|_| is_of_it), keys_under(&signed)) else {
            fetched.refused += 1;
            return Ok(());
        };
        if self.judge.accepts(view, &Said::Erasure { action: &action, keys: &keys })? {
            edit.erase_review_body(said.body, Some(&signed))?;
            fetched.erased += 1;
        } else {
            note_uncounted(fetched);
        }
        Ok(())
    }

    /// Keeps a proposed policy that somebody signed who has a say; signatures under one are joined.
    fn keep_proposal(
        &self,
        edit: &mut Edit,
        view: &View,
        bytes: &[u8],
        waiting: &mut Vec<(PolicyId, Signed)>,
        fetched: &mut LogsFetched,
    ) -> SyncResult<()> {
        let Ok((link, mut signed)) = decode_proposal(bytes) else {
            fetched.refused += 1;
            return Ok(());
        };
        let holds = signed.verified(Namespace::Policy).is_ok() && link.repository == self.repository.id();
        if !holds {
            fetched.refused += 1;
            return Ok(());
        }
        if !self.judge.accepts(view, &Said::Proposal { link: &link, signed: &signed, waiting })? {
            note_uncounted(fetched);
            return Ok(());
        }
        let id = PolicyLink::id_of(&signed.statement);
        if view.is_refused_proposal(id)? {
            return Ok(());
        }
        self.judge.trim(view, &mut signed)?;
        let ours =
            waiting.iter().position(|(other, _)| *other == id).map(|place| waiting.swap_remove(place).1);
        for signature in ours.iter().flat_map(|ours| ours.parsed().unwrap_or_default()) {
            // Whoever signed twice said the same twice.
            let _ = signed.add(&signature);
        }
        let is_known = ours.as_ref() == Some(&signed);
        if is_known {
            waiting.push((id, signed));
            return Ok(());
        }
        match edit.put_proposal(&signed) {
            Ok(_) => {
                waiting.push((id, signed));
                fetched.proposals += 1;
            }
            Err(RepoError::TooManyProposals) => note_uncounted(fetched),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Whether the words that an action names are its actor's. Where they are not here to say so, nobody else's
/// action may name them.
fn is_their_own(edit: &mut Edit, view: &View, headers: &[Header], action: &Action) -> SyncResult<bool> {
    if let Some(body) = edit.review_body(action.body)? {
        return Ok(body.actor == action.actor);
    }
    let come = headers.iter().map(|(_, other)| other.value());
    let others = come.filter(|other| other.body == action.body && other.actor != action.actor).count();
    let here = view.speakers_of(action.audience, action.body)?;
    Ok(others == 0 && here.iter().all(|actor| *actor == action.actor))
}

/// Notes something that holds and does not count.
const fn note_uncounted(fetched: &mut LogsFetched) {
    fetched.refused += 1;
    fetched.uncounted += 1;
}

/// The keys under a permission to erase; `None` when one of its signatures does not hold.
fn keys_under(signed: &Signed) -> Option<Vec<PublicKey>> {
    let sealed = signed.verified(Namespace::Erase).ok()?;
    Some(sealed.iter().map(|sealed| sealed.key().clone()).collect())
}

/// An action that is here, or that has just come.
fn action_of(
    view: &View,
    headers: &[Header],
    audience: Audience,
    id: ActionId,
) -> SyncResult<Option<Action>> {
    if let Some((_, action)) = headers.iter().find(|(record, _)| record.id() == id) {
        return Ok(Some(action.value().clone()));
    }
    let record = view.review_action(audience, id)?;
    Ok(record.and_then(|record| Some(record.verified().ok()?.into_value())))
}

/// Keeps the words of an action, unless they were erased here.
pub(super) fn keep_body(edit: &mut Edit, bytes: &[u8]) -> SyncResult<()> {
    if let Ok(body) = Body::decode(bytes) {
        edit.put_review_body(&body)?;
    }
    Ok(())
}

/// Whether the list that an action names is here.
fn has_list(view: &View, action: &Action, fetched: &mut LogsFetched) -> SyncResult<bool> {
    let Some(named) = action.deed.list() else { return Ok(true) };
    let list = FileId::from_bytes(*named.transitions.as_bytes());
    if view.review_bytes(ReviewBytes::List(list))?.is_some() {
        return Ok(true);
    }
    note_withheld(fetched, &[ObjectKey::new(Kind::TransitionList, *list.as_bytes())]);
    Ok(false)
}
