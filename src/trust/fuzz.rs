//! Fuzz targets of what a clone remembers of a verified log.

use crate::base::fuzz::{Target, Verdict};
use crate::base::id::RepositoryId;
use crate::trust::chain::VerifiedLog;

/// All of them.
pub const TARGETS: &[Target] =
    &[Target::new("trust: checkpoint", &["trust/chain/state.rs"], checkpoint_seeds, |bytes| {
        let Ok(Some(log)) = VerifiedLog::restore(bytes) else { return Verdict::Refused };
        let again = log.checkpoint().ok().and_then(|bytes| VerifiedLog::restore(&bytes).ok().flatten());
        if again.as_ref() == Some(&log) {
            Verdict::Understood
        } else {
            Verdict::Wrong("a checkpoint does not come back".to_owned())
        }
    })
    .with_memory(1 << 20)];

fn checkpoint_seeds() -> Vec<Vec<u8>> {
    vec![VerifiedLog::empty(RepositoryId::from_bytes([1; 16])).checkpoint().unwrap_or_default()]
}
