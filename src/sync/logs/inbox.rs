//! What came of logs and was not looked at yet.

use crate::base::id::PersonId;
use crate::object::log_entry::SignedEntry;
use crate::repo::people::Person;
use crate::sync::bundle::decode_person;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::remote::{Kind, ObjectKey};
use std::collections::{HashMap, HashSet};

/// Bytes that are kept of what came along unasked: what was dropped is asked for by key.
const FETCH_BYTES_MAX: usize = 64 << 20;
/// Bytes of the shared log that an answer may bring along beyond these, when an entry of it was asked for. Its entries travel
/// together, and it is followed from the newest back: one that is longer than fits comes a frame at a time, not an entry.
const ALONG_BYTES_MAX: usize = 4 << 20;
/// Bytes that are kept even of what was asked for.
const ASKED_BYTES_MAX: usize = 512 << 20;
/// Bytes that one publication may bring.
const PUBLISH_BYTES_MAX: usize = 256 << 20;
/// Records of people that are kept.
const PEOPLE_MAX: usize = 1 << 12;
/// Objects that one publication may bring.
const PUBLISH_OBJECTS_MAX: usize = 1 << 20;

/// Objects of logs by their keys, which were found from their bytes.
#[derive(Debug)]
pub struct Inbox {
    objects: HashMap<ObjectKey, Vec<u8>>,
    bytes: usize,
    expected: HashSet<ObjectKey>,
    /// Bytes that are held at most while an entry that was asked for arrives with its neighbours.
    along_bytes_max: usize,
    people: HashMap<PersonId, Person>,
    is_publication: bool,
    /// Bytes that are kept at most, even of what was asked for.
    asked_bytes_max: usize,
}

impl Inbox {
    /// For what is fetched: what is more than fits is let go, unless it was asked for.
    pub fn for_fetch() -> Self {
        Self {
            objects: HashMap::new(),
            bytes: 0,
            expected: HashSet::new(),
            along_bytes_max: 0,
            people: HashMap::new(),
            is_publication: false,
            asked_bytes_max: ASKED_BYTES_MAX,
        }
    }

    /// For what somebody sends: more than fits is refused.
    pub fn for_publication() -> Self {
        Self { is_publication: true, ..Self::for_fetch() }
    }

    /// Takes an object; others than those of logs, and than records of people, are not its business.
    pub fn put(&mut self, key: ObjectKey, bytes: &[u8]) -> SyncResult<()> {
        if key.kind == Kind::Person && self.people.len() < PEOPLE_MAX {
            self.people.extend(decode_person(bytes));
            return Ok(());
        }
        if !key.kind.is_of_logs() || self.objects.contains_key(&key) {
            return Ok(());
        }
        let is_full = self.bytes + bytes.len() > FETCH_BYTES_MAX && !self.is_neighbour(key, bytes);
        if self.is_publication {
            let too_much =
                self.bytes + bytes.len() > PUBLISH_BYTES_MAX || self.objects.len() >= PUBLISH_OBJECTS_MAX;
            if too_much {
                let detail = format!(
                    "one publication brings at most {PUBLISH_OBJECTS_MAX} objects and {} MiB of logs",
                    PUBLISH_BYTES_MAX >> 20
                );
                return Err(SyncError::Invalid { what: "a publication", detail });
            }
        } else if is_full && !self.expected.contains(&key) {
            return Ok(());
        } else if self.bytes + bytes.len() > self.asked_bytes_max {
            // Whoever still needs it asks for it alone.
            return Ok(());
        }
        self.bytes += bytes.len();
        self.objects.insert(key, bytes.to_vec());
        Ok(())
    }

    /// Whether an entry of the shared log comes along with one that was asked for, and there is room for such.
    fn is_neighbour(&self, key: ObjectKey, bytes: &[u8]) -> bool {
        key.kind == Kind::LogEntry
            && self.bytes + bytes.len() <= self.along_bytes_max
            && self.expected.iter().any(|asked| asked.kind == Kind::LogEntry)
    }

    /// Notes what was asked for, in place of what was before.
    pub(super) fn expect(&mut self, keys: &[ObjectKey]) {
        self.expected = keys.iter().copied().collect();
        self.along_bytes_max = self.bytes + ALONG_BYTES_MAX;
    }

    /// Whether an object has come.
    pub fn has(&self, key: &ObjectKey) -> bool {
        self.objects.contains_key(key)
    }

    /// Hands out an object, which is there no more then.
    pub fn take(&mut self, key: &ObjectKey) -> Option<Vec<u8>> {
        let bytes = self.objects.remove(key)?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    /// What a person who acted is called, if that came along.
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.get(&id)
    }

    /// Entries of the shared log that have come, as far as they can be read; in no order.
    pub fn entries(&self) -> Vec<SignedEntry> {
        let entries = self.objects.iter().filter(|(key, _)| key.kind == Kind::LogEntry);
        entries.filter_map(|(_, bytes)| SignedEntry::decode(bytes).ok()).collect()
    }

    /// An object that stays.
    pub fn get(&self, key: &ObjectKey) -> Option<&[u8]> {
        self.objects.get(key).map(Vec::as_slice)
    }

    /// Lets go of everything of a kind.
    pub fn clear(&mut self, kind: Kind) {
        let bytes = &mut self.bytes;
        self.objects.retain(|key, object| {
            let stays = key.kind != kind;
            if !stays {
                *bytes -= object.len();
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> ObjectKey {
        ObjectKey::new(Kind::ActionBody, *blake3::hash(&number.to_le_bytes()).as_bytes())
    }

    #[test]
    fn what_does_not_fit_is_let_go_unless_it_was_asked_for() {
        let mut inbox = Inbox::for_fetch();
        let mebibyte = vec![0; 1 << 20];
        for number in 0..64 {
            inbox.put(key(number), &mebibyte).expect("room");
        }
        inbox.put(key(64), &mebibyte).expect("an answer");
        assert!(!inbox.has(&key(64)));
        inbox.expect(&[key(64)]);
        inbox.put(key(64), &mebibyte).expect("an answer");
        assert!(inbox.has(&key(64)));
        assert!(inbox.take(&key(3)).is_some() && inbox.take(&key(3)).is_none());
        inbox.clear(Kind::ActionBody);
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn what_was_asked_for_and_is_too_much_at_once_is_let_go_and_can_come_alone() {
        let mut inbox = Inbox { asked_bytes_max: 100 << 20, ..Inbox::for_fetch() };
        let long = vec![0; 60 << 20];
        inbox.expect(&[key(1), key(2)]);
        inbox.put(key(1), &long).expect("an answer");
        inbox.put(key(2), &long).expect("an answer");
        assert!(inbox.has(&key(1)) && !inbox.has(&key(2)));
        assert!(inbox.take(&key(1)).is_some());
        inbox.expect(&[key(2)]);
        inbox.put(key(2), &long).expect("an answer");
        assert!(inbox.has(&key(2)));
    }

    #[test]
    fn entries_come_along_with_one_that_was_asked_for_though_the_box_is_full() {
        let mut inbox = Inbox::for_fetch();
        for number in 0..64 {
            inbox.put(key(number), &vec![0; 1 << 20]).expect("room");
        }
        let entry = |number: u8| ObjectKey::new(Kind::LogEntry, [number; 32]);
        inbox.put(entry(1), &[1]).expect("an answer");
        assert!(!inbox.has(&entry(1)), "nobody asked for an entry");
        inbox.expect(&[entry(2)]);
        for number in 1..=8 {
            inbox.put(entry(number), &vec![number; 1 << 20]).expect("an answer");
        }
        inbox.put(key(64), &[0]).expect("an answer");
        let kept: Vec<u8> = (1..=8).filter(|number| inbox.has(&entry(*number))).collect();
        assert_eq!(kept, [1, 2, 3, 4], "as far as there is room");
        assert!(!inbox.has(&key(64)), "and nothing else");
    }

    #[test]
    fn a_publication_that_brings_too_much_is_refused() {
        let mut inbox = Inbox::for_publication();
        let much = vec![0; 64 << 20];
        for number in 0..4 {
            inbox.put(key(number), &much).expect("room");
        }
        assert!(inbox.put(key(4), &[1]).is_err());
    }
}
