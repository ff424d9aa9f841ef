//! Long objects in parts: several of them travel at a time, and one that is lost on the way is sent again by itself.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::multipart::{MultipartStore, PartId};
use object_store::{Error, PutPayload};
use tokio::sync::Semaphore;

use super::in_time;
use super::uploads::Upload;

/// Length of a part in bytes. Stores take 10,000 parts of an object, of 5 MiB at least but the last.
const PART_BYTES: usize = 8 << 20;
/// Bytes that are on their way at a time, of all objects together. What a kill costs is no more than that: one pack.
pub(super) const WAY_BYTES: usize = 32 << 20;
/// Parts of one object that are on their way at a time.
const PARTS_AT_A_TIME: usize = WAY_BYTES / PART_BYTES;
/// What bytes on their way are counted in.
const STEP_BYTES: usize = 1 << 16;
/// How often a part is sent whose way fails, beyond what the library tries by itself.
const ATTEMPTS: u32 = 3;
/// How long to wait before the second attempt.
const PAUSE: Duration = Duration::from_millis(200);

/// Room for what is on its way, of all objects together.
#[derive(Debug)]
pub(super) struct Way(Semaphore);

impl Way {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(WAY_BYTES / STEP_BYTES))
    }

    /// Waits until there is room for so many bytes, and sends them. They take their turn in the order in which
    /// they come.
    pub(super) async fn send<T>(&self, bytes: usize, sending: impl Future<Output = T>) -> T {
        let steps = bytes.div_ceil(STEP_BYTES).clamp(1, WAY_BYTES / STEP_BYTES);
        // It is never closed.
        let _room = self.0.acquire_many(u32::try_from(steps).unwrap_or(u32::MAX)).await.ok();
        sending.await
    }
}

/// Sends the parts of an upload that have not arrived yet.
pub(super) async fn send_parts(
    store: &dyn MultipartStore,
    way: &Way,
    upload: &Upload,
    bytes: &[u8],
) -> Result<Vec<PartId>, Error> {
    let sending = bytes.chunks(PART_BYTES).enumerate().map(|(number, part)| async move {
        if let Some(known) = upload.part(number, part.len()) {
            return Ok(known);
        }
        // Copied only when there is room.
        let sent = way.send(part.len(), async { send_part(store, upload, number, part).await }).await?;
        upload.note_part(number, part.len(), &sent);
        Ok(sent)
    });
    futures_util::stream::iter(sending).buffered(PARTS_AT_A_TIME).try_collect().await
}

async fn send_part(
    store: &dyn MultipartStore,
    upload: &Upload,
    number: usize,
    part: &[u8],
) -> Result<PartId, Error> {
    let payload = PutPayload::from(part.to_vec());
    let mut attempt = 1;
    loop {
        let put = store.put_part(&upload.path, &upload.id, number, payload.clone());
        match in_time(part.len() as u64, put).await {
            Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                tokio::time::sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Whether another attempt may do better.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Generic { .. } | Error::JoinError { .. }) && !super::is_in_vain(error)
}
