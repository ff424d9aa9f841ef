//! Fuzz targets of what a clone remembers of a verified log.

use crate::base::fuzz::{Target, Verdict};
use crate::base::id::RepositoryId;
use crate::trust::agent;
use crate::trust::chain::VerifiedLog;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("trust: answer of an agent", &["trust/agent.rs"], answer_seeds, |bytes| {
        let signed = agent::read_signature(bytes).is_some();
        match agent::read_keys(bytes) {
            Ok(keys) if keys.len() > bytes.len() => Verdict::Wrong(format!("{} keys", keys.len())),
            Err(_) if !signed => Verdict::Refused,
            _ => Verdict::Understood,
        }
    })
    .with_memory(1 << 20),
    Target::new("trust: checkpoint", &["trust/chain/state.rs"], checkpoint_seeds, |bytes| {
        let Ok(Some(log)) = VerifiedLog::restore(bytes) else { return Verdict::Refused };
        let again = log.checkpoint().ok().and_then(|bytes| VerifiedLog::restore(&bytes).ok().flatten());
        if again.as_ref() == Some(&log) {
            Verdict::Understood
        } else {
            Verdict::Wrong("a checkpoint does not come back".to_owned())
        }
    })
    .with_memory(1 << 20),
];

/// A list with one key of a kind that nobody knows, and a signature, as agents answer.
fn answer_seeds() -> Vec<Vec<u8>> {
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes(), bytes].concat();
    let list = [&[12u8, 0, 0, 0, 1], string(b"a key").as_slice(), &string(b"anna@desk")].concat();
    let signature = [&[14u8], string(b"a signature").as_slice()].concat();
    vec![list, signature]
}

fn checkpoint_seeds() -> Vec<Vec<u8>> {
    vec![VerifiedLog::empty(RepositoryId::from_bytes([1; 16])).checkpoint().unwrap_or_default()]
}
