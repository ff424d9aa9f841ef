//! Finds out what a push would send, without sending it: what it says first of itself.

use crate::sync::error::SyncResult;
use crate::sync::push::send::{Job, Sender};
use crate::sync::remote::{ObjectKey, Remote};

/// What a remote answered, in the order of the questions, so that it is asked once and not twice.
#[derive(Debug, Default)]
pub(super) struct Answers {
    bits: Vec<u64>,
    length: usize,
    next: usize,
}

impl Answers {
    /// Answers questions: from what was answered before, or by asking.
    pub(super) fn have(&mut self, remote: &dyn Remote, keys: &[ObjectKey]) -> SyncResult<Vec<bool>> {
        if self.next + keys.len() > self.length {
            let asked = remote.have(keys)?;
            asked.iter().for_each(|had| self.push(*had));
        }
        let first = self.next;
        self.next += keys.len();
        Ok((first..self.next).map(|at| self.bits[at / 64] >> (at % 64) & 1 == 1).collect())
    }

    fn push(&mut self, had: bool) {
        if self.length.is_multiple_of(64) {
            self.bits.push(0);
        }
        if let Some(last) = self.bits.last_mut() {
            *last |= u64::from(had) << (self.length % 64);
        }
        self.length += 1;
    }

    /// Goes back to the first question.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
    }
}

/// How long parcels will be: the first of each kind is made, and tells about the others.
#[derive(Debug, Default)]
pub(super) struct Estimate {
    packs: OfKind,
    bundles: OfKind,
    /// Of packs that had set out.
    again: u64,
}

/// Bytes of parcels of one kind.
#[derive(Debug, Default)]
struct OfKind {
    /// Of the first, as it is and as it was guessed.
    first: Option<(u64, u64)>,
    /// Guesses of the others.
    others: u64,
}

impl OfKind {
    fn add(&mut self, guess: u64, make: impl FnOnce() -> SyncResult<u64>) -> SyncResult<()> {
        if self.first.is_some() {
            self.others += guess;
        } else {
            self.first = Some((make()?, guess));
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let Some((exact, guess)) = self.first else { return 0 };
        let others = u128::from(self.others) * u128::from(exact) / u128::from(guess.max(1));
        exact + u64::try_from(others).unwrap_or(u64::MAX)
    }
}

impl Estimate {
    /// Takes a parcel into account.
    pub(super) fn add(&mut self, sender: &Sender<'_>, job: Job) -> SyncResult<()> {
        match &job {
            Job::Pack { stored_bytes, .. } => {
                let guess = *stored_bytes;
                self.packs.add(guess, || sender.length_of(job))?;
            }
            // It is as long as it was.
            Job::Again { stored_bytes, .. } => self.again += stored_bytes,
            Job::Bundle { raw_bytes, .. } => {
                let guess = *raw_bytes as u64;
                self.bundles.add(guess, || sender.length_of(job))?;
            }
        }
        Ok(())
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.packs.bytes().saturating_add(self.bundles.bytes()).saturating_add(self.again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_in_their_order_and_later_questions_are_asked() {
        let mut answers = Answers::default();
        (0..130).for_each(|number| answers.push(number % 3 == 0));
        let remote = crate::sync::bucket::BucketRemote::new(
            std::sync::Arc::new(crate::store::bucket::MemoryBucket::new()),
            "nowhere".to_owned(),
            None,
        );
        let key = ObjectKey::new(crate::sync::remote::Kind::Tree, [0; 32]);
        let again = answers.have(&remote, &[key; 130]).expect("answers that are at hand");
        assert!(again.iter().enumerate().all(|(number, had)| *had == (number % 3 == 0)));
        assert!(answers.have(&remote, &[key]).is_err(), "the remote is asked, and there is none");
        answers.rewind();
        assert_eq!(answers.have(&remote, &[key; 4]).expect("answers"), [true, false, false, true]);
    }

    #[test]
    fn the_first_parcel_tells_about_the_others() {
        let mut packs = OfKind::default();
        packs.add(100, || Ok(110)).expect("a pack");
        packs.add(1000, || unreachable!("only the first is made")).expect("a pack");
        assert_eq!(packs.bytes(), 110 + 1100);
        assert_eq!(OfKind::default().bytes(), 0);
    }
}
