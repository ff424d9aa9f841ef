//! Answers requests with a remote: the same whatever carries them.

use crate::sync::error::SyncResult;
use crate::sync::remote::{ObjectKey, Remote};
use crate::sync::wire::answer::Answer;
use crate::sync::wire::frame::FrameKind;
use crate::sync::wire::request::{Request, WireKey, parcel_of};
use std::sync::Mutex;

/// Takes the frames of an answer, the one that ends it left out.
pub type FrameSink<'a> = dyn FnMut(FrameKind, &[u8]) -> SyncResult<()> + Send + 'a;

/// Answers one request. What the remote refuses is an error; the caller makes a fault of it.
///
/// A request to begin a repository is not for a remote that is there, and refused here.
pub fn answer(remote: &dyn Remote, request: Request, out: &mut FrameSink<'_>) -> SyncResult<()> {
    let value = match request {
        Request::Describe => Answer::Description(remote.describe()?),
        Request::Have { keys } => Answer::Flags(have(remote, &keys)?),
        Request::History { wants } => {
            return remote.fetch_history(&wants, &mut |bundle| out(FrameKind::Bundle, bundle));
        }
        Request::Objects { keys } => {
            let known: Vec<ObjectKey> = keys.iter().filter_map(WireKey::known).collect();
            return remote.fetch_objects(&known, &mut |bundle| out(FrameKind::Bundle, bundle));
        }
        Request::Chunks { files, ids } => {
            let out = Mutex::new(out);
            return remote.fetch_chunks_of(&files, &ids, &|block| {
                // Whoever panicked while it wrote has ended the answer.
                let mut out = out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                (*out)(FrameKind::Block, block)
            });
        }
        Request::Put { kind, id, bytes } => return remote.put(&parcel_of(kind, id, bytes)),
        Request::Holds { parcels } => Answer::Flags(remote.holds(&parcels)?),
        Request::Keep { clone, commits } => return remote.keep(&clone, &commits),
        Request::Publish { proposal } => Answer::Published(remote.publish(&proposal)?),
        Request::Begin { .. } => Answer::Description(remote.describe()?),
    };
    out(FrameKind::Value, &value.encode())
}

/// Kinds that are not known here are not here.
fn have(remote: &dyn Remote, keys: &[WireKey]) -> SyncResult<Vec<bool>> {
    let known: Vec<ObjectKey> = keys.iter().filter_map(WireKey::known).collect();
    let mut had = remote.have(&known)?.into_iter();
    Ok(keys.iter().map(|key| key.known().is_some() && had.next().unwrap_or(false)).collect())
}
