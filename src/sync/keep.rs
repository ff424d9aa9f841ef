//! What clones rely on that do not hold everything: commits whose content has to stay on a remote, names
//! or no names, as long as such a clone says so now and then.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::CommitId;
use crate::repo::partial::KEPT_FOR_MS;
use std::time::Duration;

/// How long a clone's word counts after it was given last.
pub const KEPT_FOR: Duration = Duration::from_millis(KEPT_FOR_MS as u64);
/// Most commits of one clone.
pub const COMMITS_MAX: usize = 1 << 16;

const MAGIC: &[u8; 8] = b"PENTKEEP";
const VERSION: u8 = 1;
const CONTEXT: &str = "pentimento keep v1";

/// Names a clone: random bytes.
pub type CloneId = [u8; 16];

/// The stored bytes of what a clone relies on.
pub fn encode(commits: &[CommitId]) -> Vec<u8> {
    let mut sorted = commits.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.truncate(COMMITS_MAX);
    let mut out = Encoder::default();
    out.raw(MAGIC).u8(VERSION).uint(sorted.len() as u64);
    for commit in &sorted {
        out.raw(commit.as_bytes());
    }
    let sum = blake3::derive_key(CONTEXT, &out.clone().finish());
    out.raw(&sum);
    out.finish()
}

/// Reads stored bytes: commits, each once, in the order of their ids.
pub fn decode(bytes: &[u8]) -> Result<Vec<CommitId>, DecodeError> {
    let (body, sum) = bytes.split_at(bytes.len().saturating_sub(32));
    let mut input = Decoder::new("keep", body);
    if blake3::derive_key(CONTEXT, body) != *sum || input.raw(8)? != MAGIC {
        return Err(input.error(DecodeErrorKind::Value));
    }
    input.version(VERSION)?;
    let mut commits: Vec<CommitId> = Vec::new();
    for _ in 0..input.count(COMMITS_MAX)? {
        let commit = CommitId::from_bytes(input.array()?);
        if commits.last().is_some_and(|last| *last >= commit) {
            return Err(input.error(DecodeErrorKind::Order));
        }
        commits.push(commit);
    }
    input.finish()?;
    Ok(commits)
}

/// Longest stored bytes.
pub const BYTES_MAX: u64 = 64 + 32 * COMMITS_MAX as u64;

/// Words of clones for the fuzz target.
#[cfg(any(test, fuzzing))]
pub fn fuzz_seeds() -> Vec<Vec<u8>> {
    vec![encode(&[]), encode(&[CommitId::from_bytes([1; 32]), CommitId::from_bytes([2; 32])])]
}

/// Reads the word of a clone and writes it again.
#[cfg(any(test, fuzzing))]
pub fn fuzz_run(bytes: &[u8]) -> crate::base::fuzz::Verdict {
    crate::base::fuzz::canonical(decode(bytes), |commits| encode(commits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_come_back_in_order_and_damage_is_noticed() {
        let (one, two) = (CommitId::from_bytes([9; 32]), CommitId::from_bytes([3; 32]));
        let bytes = encode(&[one, two, one]);
        assert_eq!(decode(&bytes), Ok(vec![two, one]));
        assert_eq!(&bytes[..10], b"PENTKEEP\x01\x02");
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(decode(&damaged).is_err(), "byte {at}");
        }
    }
}
