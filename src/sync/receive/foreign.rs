//! What another system calls content that is here, so that what somebody ties to it can be believed.

use crate::object::tree::ForeignAlgorithm;
use crate::repo::extract::Extractor;
use crate::sync::error::SyncResult;
use crate::sync::origins::Tie;
use sha2::Digest as _;

/// The hash by which another system knows the content of a file that is here.
pub(super) fn foreign_digest(extractor: &Extractor<'_>, tie: &Tie) -> SyncResult<Option<Vec<u8>>> {
    let blob = format!("blob {}\0", tie.size);
    Ok(match tie.algorithm {
        ForeignAlgorithm::Sha256 | ForeignAlgorithm::GitBlobSha256 => {
            let mut hasher = sha2::Sha256::new();
            if tie.algorithm == ForeignAlgorithm::GitBlobSha256 {
                hasher.update(blob.as_bytes());
            }
            extractor.write_file(tie.file, tie.size, &mut Updating(|bytes: &[u8]| hasher.update(bytes)))?;
            Some(hasher.finalize().to_vec())
        }
        ForeignAlgorithm::GitBlobSha1 => {
            let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
            hasher.update(blob.as_bytes());
            extractor.write_file(tie.file, tie.size, &mut Updating(|bytes: &[u8]| hasher.update(bytes)))?;
            hasher.try_finalize().ok().map(|id| id.as_bytes().to_vec())
        }
        ForeignAlgorithm::GitCommitSha1 => None,
    })
}

/// Hands what is written to a hash.
struct Updating<F>(F);

impl<F: FnMut(&[u8])> std::io::Write for Updating<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        (self.0)(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
