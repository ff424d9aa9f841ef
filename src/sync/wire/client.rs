//! A remote that is asked by requests: the same whatever carries them.

use crate::base::id::{ChunkId, CommitId, FileId, PackId, RepositoryId};
use crate::object::chunker::ChunkerParameters;
use crate::store::parcel::block_chunks;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::keep::CloneId;
use crate::sync::parallel::{for_each, pause};
use crate::sync::remote::{
    BlockSink, BundleSink, Description, HistoryWants, ObjectKey, Parcel, ParcelKind, Proposal, Published,
    Remote,
};
use crate::sync::wire::answer::Answer;
use crate::sync::wire::fault::Fault;
use crate::sync::wire::frame::{self, Frame, FrameError, FrameKind};
use crate::sync::wire::request::{
    PARCELS_MAX, Request, Verb, WireKey, encode_chunks, encode_keep, encode_publish, encode_put_head,
};
use std::collections::HashSet;
use std::io::Read;

/// Chunks of one request. Blocks with chunks of several requests are taken apart there, which costs more than any other
/// block; after a break, only what has not come is asked for again.
const CHUNKS_AT_A_TIME: usize = 4096;
/// Requests for chunks that run side by side.
const CONNECTIONS: usize = 4;

/// Takes the frames of an answer, those that end it left out.
pub type Taker<'a> = dyn FnMut(Frame) -> SyncResult<()> + 'a;

/// The bytes of a request, in two pieces: what is long need not be copied to stand behind what is said of it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The beginning.
    pub head: &'a [u8],
    /// The rest.
    pub rest: &'a [u8],
}

impl<'a> Asked<'a> {
    /// All of it in one piece.
    pub const fn whole(head: &'a [u8]) -> Self {
        Self { head, rest: &[] }
    }

    /// Length in bytes.
    pub const fn length(&self) -> usize {
        self.head.len() + self.rest.len()
    }
}

/// Brings requests over and answers back. Callable from several threads.
pub trait Carrier: Send + Sync {
    /// What is at the other end, as a person would write it.
    fn address(&self) -> &str;

    /// How often a request is made before its failure is told.
    fn attempts(&self) -> u32;

    /// Makes one request. Gives [`SyncError::Unreachable`] for what may pass, and the error that the
    /// other end told for what will not.
    fn ask(&self, verb: Verb, request: Asked<'_>, take: &mut Taker<'_>) -> SyncResult<()>;
}

/// Reads the frames of one answer to its end; gives the error that the other end told, if it did. After
/// an error of its own nobody knows where `input` stands.
pub fn read_answer(
    input: &mut dyn Read,
    address: &str,
    take: &mut Taker<'_>,
) -> SyncResult<Option<SyncError>> {
    let broken = |detail: String| SyncError::Unreachable { address: address.to_owned(), detail };
    let other = |detail: String| SyncError::NotPent { address: address.to_owned(), detail };
    loop {
        let frame = match frame::read(input) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(broken("the line broke".to_owned())),
            Err(error @ FrameError::Header { .. }) => return Err(other(error.to_string())),
            Err(error) => return Err(broken(error.to_string())),
        };
        match frame.kind {
            FrameKind::End => return Ok(None),
            FrameKind::Fault => return Ok(Some(told(&frame.payload, address))),
            FrameKind::Wait => {}
            FrameKind::Request => return Err(other("it asks instead of answering".to_owned())),
            FrameKind::Value | FrameKind::Bundle | FrameKind::Block => take(frame)?,
        }
    }
}

/// The error that a fault frame tells.
fn told(payload: &[u8], address: &str) -> SyncError {
    match Fault::decode(payload) {
        Ok(fault) => fault.into_error(address),
        Err(error) => invalid(&error.to_string()),
    }
}

/// A remote at the other end of a carrier.
pub struct WireRemote<C> {
    carrier: C,
}

impl<C: Carrier> WireRemote<C> {
    /// The remote that a carrier leads to.
    pub const fn new(carrier: C) -> Self {
        Self { carrier }
    }

    /// Begins a repository at the other end, where none is.
    pub fn begin(&self, repository: RepositoryId, chunker: ChunkerParameters) -> SyncResult<Description> {
        let request = Request::Begin { repository, chunker };
        match self.value(Verb::Begin, &request.encode())? {
            Answer::Description(description) => Ok(description),
            _ => Err(other_answer()),
        }
    }

    /// Asks again, with pauses, while what fails may pass: every request may be made again.
    fn ask(&self, verb: Verb, request: Asked<'_>, take: &mut Taker<'_>) -> SyncResult<()> {
        let mut attempt = 0;
        loop {
            match self.carrier.ask(verb, request, take) {
                Err(SyncError::Unreachable { .. }) if attempt + 1 < self.carrier.attempts() => {
                    pause(attempt + 2);
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Asks for what has a value as its answer.
    fn value(&self, verb: Verb, request: &[u8]) -> SyncResult<Answer> {
        let mut value = None;
        self.ask(verb, Asked::whole(request), &mut |frame| {
            if frame.kind != FrameKind::Value {
                return Err(other_answer());
            }
            value = Some(frame.payload);
            Ok(())
        })?;
        let bytes = value.ok_or_else(other_answer)?;
        Answer::decode(&bytes).map_err(|error| invalid(&error.to_string()))
    }

    /// Asks for what has frames of one kind as its answer.
    fn frames(
        &self,
        verb: Verb,
        request: &[u8],
        kind: FrameKind,
        take: &mut dyn FnMut(&[u8]) -> SyncResult<()>,
    ) -> SyncResult<()> {
        self.ask(verb, Asked::whole(request), &mut |frame| {
            if frame.kind == kind { take(&frame.payload) } else { Err(other_answer()) }
        })
    }

    /// Asks for the blocks of chunks; after a break, for those that have not come.
    fn chunks(&self, files: &[FileId], ids: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        let (mut open, mut attempt) = (ids.to_vec(), 0);
        loop {
            let mut came = HashSet::new();
            let request = encode_chunks(files, &open);
            let asked = self.carrier.ask(Verb::Chunks, Asked::whole(&request), &mut |frame| {
                if frame.kind != FrameKind::Block {
                    return Err(other_answer());
                }
                sink(&frame.payload)?;
                came.extend(block_chunks(&frame.payload));
                Ok(())
            });
            match asked {
                Err(SyncError::Unreachable { .. }) if attempt + 1 < self.carrier.attempts() => {
                    let before = open.len();
                    open.retain(|id| !came.contains(id));
                    // A line over which something comes is one to go on with.
                    attempt = if open.len() < before { 0 } else { attempt + 1 };
                    if open.is_empty() {
                        return Ok(());
                    }
                    pause(attempt + 1);
                }
                outcome => return outcome,
            }
        }
    }

    fn flags(&self, verb: Verb, request: &Request, count: usize) -> SyncResult<Vec<bool>> {
        match self.value(verb, &request.encode())? {
            Answer::Flags(flags) if flags.len() == count => Ok(flags),
            _ => Err(other_answer()),
        }
    }
}

fn other_answer() -> SyncError {
    invalid("it answers another question")
}

fn invalid(detail: &str) -> SyncError {
    SyncError::Invalid { what: "an answer", detail: detail.to_owned() }
}

impl<C: Carrier> Remote for WireRemote<C> {
    fn describe(&self) -> SyncResult<Description> {
        match self.value(Verb::Describe, &Request::Describe.encode())? {
            Answer::Description(description) => Ok(description),
            _ => Err(other_answer()),
        }
    }

    fn have(&self, keys: &[ObjectKey]) -> SyncResult<Vec<bool>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let request = Request::Have { keys: keys.iter().copied().map(WireKey::from).collect() };
        self.flags(Verb::Have, &request, keys.len())
    }

    fn fetch_history(&self, wants: &HistoryWants, sink: &mut BundleSink<'_>) -> SyncResult<()> {
        let request = Request::History { wants: wants.clone() };
        self.frames(Verb::History, &request.encode(), FrameKind::Bundle, sink)
    }

    fn fetch_objects(&self, keys: &[ObjectKey], sink: &mut BundleSink<'_>) -> SyncResult<()> {
        let request = Request::Objects { keys: keys.iter().copied().map(WireKey::from).collect() };
        self.frames(Verb::Objects, &request.encode(), FrameKind::Bundle, sink)
    }

    fn fetch_chunks(&self, chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        self.fetch_chunks_of(&[], chunks, sink)
    }

    fn fetch_chunks_of(&self, files: &[FileId], chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        let fetch = |ids: &[ChunkId]| self.chunks(files, ids, sink);
        for_each(chunks.chunks(CHUNKS_AT_A_TIME), CONNECTIONS, fetch, |()| Ok(()))
    }

    fn compares_chunks(&self) -> bool {
        true
    }

    fn put(&self, parcel: &Parcel) -> SyncResult<()> {
        let head = encode_put_head(parcel.record.kind, parcel.record.id, parcel.bytes.len());
        let request = Asked { head: &head, rest: &parcel.bytes };
        self.ask(Verb::Put, request, &mut |_| Err(other_answer()))
    }

    fn holds(&self, parcels: &[(PackId, ParcelKind)]) -> SyncResult<Vec<bool>> {
        let mut held = Vec::with_capacity(parcels.len());
        for group in parcels.chunks(crate::sync::wire::request::KEYS_MAX) {
            let request = Request::Holds { parcels: group.to_vec() };
            held.extend(self.flags(Verb::Holds, &request, group.len())?);
        }
        Ok(held)
    }

    fn clock_ms(&self) -> SyncResult<Option<i64>> {
        match self.value(Verb::Clock, &Request::Clock.encode())? {
            Answer::Clock(moment) => Ok(moment.and_then(|moment| i64::try_from(moment).ok())),
            _ => Err(other_answer()),
        }
    }

    fn publish(&self, proposal: &Proposal) -> SyncResult<Published> {
        insist_on_few(proposal.parcels.len())?;
        match self.value(Verb::Publish, &encode_publish(proposal))? {
            Answer::Published(published) => Ok(published),
            _ => Err(other_answer()),
        }
    }

    fn keep(&self, clone: &CloneId, commits: &[CommitId]) -> SyncResult<()> {
        self.ask(Verb::Keep, Asked::whole(&encode_keep(clone, commits)), &mut |_| Err(other_answer()))
    }
}

/// Refuses to publish more parcels than a program at the other end takes at once, in words that help.
fn insist_on_few(parcels: usize) -> SyncResult<()> {
    if parcels <= PARCELS_MAX {
        return Ok(());
    }
    let detail = format!(
        "it has {parcels} parcels, and {PARCELS_MAX} are taken at once; begin a draft at an older commit and push that \
         first: what was sent is not sent again"
    );
    Err(SyncError::TurnedDown { what: "the push".to_owned(), detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::entries::Entries;
    use crate::sync::remote::ParcelRecord;

    #[test]
    fn as_much_as_is_taken_at_once_fits_into_a_request_and_more_is_told_before() {
        let parcel = ParcelRecord {
            id: PackId::from_bytes([255; 16]),
            kind: ParcelKind::Pack,
            length: 33 << 20,
            entries: Entries::default(),
        };
        let parcels = vec![parcel; PARCELS_MAX];
        let proposal = Proposal { epoch: 1, token: [0; 16], parcels, changes: Vec::new(), logs: Vec::new() };
        assert!(
            encode_publish(&proposal).len() < Verb::Publish.bytes_max() - (8 << 20),
            "names have room too"
        );
        assert!(insist_on_few(PARCELS_MAX).is_ok());
        let refused = insist_on_few(PARCELS_MAX + 1).expect_err("too many").to_string();
        assert!(refused.contains("older commit"), "{refused}");
    }
}
