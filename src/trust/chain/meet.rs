//! What two copies of one log have in common.

use crate::base::id::LogEntryId;
use crate::repo::RepoError;
use crate::trust::chain::LogSource;

/// How two copies of a log stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// They are the same.
    Same,
    /// The other one goes on where ours ends, after entry `ours`.
    TheyAreAhead { ours: u64, theirs: u64 },
    /// Ours goes on where the other one ends, after entry `theirs`.
    WeAreAhead { ours: u64, theirs: u64 },
    /// They part: whoever kept the log showed two people two histories, or somebody wrote one of
    /// their own. Both entries are signed, which is proof for anybody.
    Apart { sequence: u64, ours: LogEntryId, theirs: LogEntryId },
}

/// Compares two copies of a log.
///
/// An entry names all before it by their hashes, so the place where they part is found by halving.
pub fn meet<A: LogSource + ?Sized, B: LogSource + ?Sized>(
    ours: &A,
    theirs: &B,
) -> Result<Meeting, RepoError> {
    let length = |head: Option<crate::repo::shared_log::LogHead>| head.map_or(0, |head| head.sequence);
    let (our_length, their_length) = (length(ours.head()?), length(theirs.head()?));
    let shared = our_length.min(their_length);
    if shared == 0 || ours.id_at(shared)? == theirs.id_at(shared)? {
        return Ok(match our_length.cmp(&their_length) {
            std::cmp::Ordering::Equal => Meeting::Same,
            std::cmp::Ordering::Less => Meeting::TheyAreAhead { ours: our_length, theirs: their_length },
            std::cmp::Ordering::Greater => Meeting::WeAreAhead { ours: our_length, theirs: their_length },
        });
    }
    // Entries up to `same` agree, `apart` and all after it differ.
    let (mut same, mut apart) = (0, shared);
    while apart - same > 1 {
        let middle = same + (apart - same) / 2;
        if ours.id_at(middle)? == theirs.id_at(middle)? {
            same = middle;
        } else {
            apart = middle;
        }
    }
    let missing = || RepoError::Missing { kind: "log entry", id: apart.to_string() };
    Ok(Meeting::Apart {
        sequence: apart,
        ours: ours.id_at(apart)?.ok_or_else(missing)?,
        theirs: theirs.id_at(apart)?.ok_or_else(missing)?,
    })
}
