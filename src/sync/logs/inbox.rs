//! What came of logs and was not looked at yet.

use crate::base::id::PersonId;
use crate::object::log_entry::SignedEntry;
use crate::repo::people::Person;
use crate::sync::bundle::decode_person;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::remote::{Kind, ObjectKey};
use crate::sync::spill::{Spill, Spilled};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Bytes that are kept of what came along unasked: what was dropped is asked for by key.
const FETCH_BYTES_MAX: usize = 64 << 20;
/// Bytes of the shared log that an answer may bring along beyond these, when an entry of it was asked for. Its entries travel
/// together, and it is followed from the newest back: one that is longer than fits comes a frame at a time, not an entry.
const ALONG_BYTES_MAX: usize = 4 << 20;
/// Bytes that are kept even of what was asked for.
const ASKED_BYTES_MAX: usize = 512 << 20;
/// Bytes of what a publication brings that are kept in memory; beyond them what is not of the shared log waits in a file.
const PUBLISH_MEMORY_BYTES: usize = 64 << 20;
/// Bytes of the shared log that one publication may bring: its entries are looked at together.
const PUBLISH_ENTRY_BYTES_MAX: usize = 256 << 20;
/// Bytes that one publication may bring of everything else.
const PUBLISH_BYTES_MAX: usize = 4 << 30;
/// Records of people that are kept.
const PEOPLE_MAX: usize = 1 << 12;
/// Objects that one publication may bring.
const PUBLISH_OBJECTS_MAX: usize = 1 << 21;

/// Objects of logs by their keys, which were found from their bytes.
#[derive(Debug)]
pub struct Inbox {
    objects: HashMap<ObjectKey, Place>,
    /// Bytes in memory.
    bytes: usize,
    /// Where there is no room in memory, and how much is in it.
    spill: Option<Spill>,
    spilled_bytes: usize,
    expected: HashSet<ObjectKey>,
    /// Bytes that are held at most while an entry that was asked for arrives with its neighbours.
    along_bytes_max: usize,
    people: HashMap<PersonId, Person>,
    /// Bytes that are kept at most, even of what was asked for.
    asked_bytes_max: usize,
    /// Bytes of a publication that are kept in memory.
    publish_memory_bytes: usize,
    /// Bytes of entries among them.
    entry_bytes: usize,
}

/// Where the bytes of an object are.
#[derive(Debug)]
enum Place {
    Here(Vec<u8>),
    InFile(Spilled),
}

impl Place {
    fn len(&self) -> usize {
        match self {
            Self::Here(bytes) => bytes.len(),
            Self::InFile(place) => place.len(),
        }
    }
}

impl Inbox {
    /// For what is fetched: what is more than fits is let go, unless it was asked for.
    pub fn for_fetch() -> Self {
        Self {
            objects: HashMap::new(),
            bytes: 0,
            spill: None,
            spilled_bytes: 0,
            expected: HashSet::new(),
            along_bytes_max: 0,
            people: HashMap::new(),
            asked_bytes_max: ASKED_BYTES_MAX,
            publish_memory_bytes: PUBLISH_MEMORY_BYTES,
            entry_bytes: 0,
        }
    }

    /// For what somebody sends: what does not fit into memory waits in a file in a folder, and more than one publication
    /// may bring is refused.
    pub fn for_publication(folder: &Path) -> Self {
        Self { spill: Some(Spill::into_folder(folder)), ..Self::for_fetch() }
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
        if self.spill.is_some() {
            return self.put_published(key, bytes);
        }
        let is_full = self.bytes + bytes.len() > FETCH_BYTES_MAX && !self.is_neighbour(key, bytes);
        // Of what was asked for, too, whoever still needs it asks for it alone.
        let stays =
            (!is_full || self.expected.contains(&key)) && self.bytes + bytes.len() <= self.asked_bytes_max;
        if stays {
            self.keep(key, bytes);
        }
        Ok(())
    }

    fn keep(&mut self, key: ObjectKey, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.objects.insert(key, Place::Here(bytes.to_vec()));
    }

    fn put_published(&mut self, key: ObjectKey, bytes: &[u8]) -> SyncResult<()> {
        let is_entry = key.kind == Kind::LogEntry;
        let is_too_much = if is_entry {
            self.entry_bytes + bytes.len() > PUBLISH_ENTRY_BYTES_MAX
        } else {
            self.spilled_bytes + self.bytes + bytes.len() > PUBLISH_BYTES_MAX
        };
        if is_too_much || self.objects.len() >= PUBLISH_OBJECTS_MAX {
            let detail = format!(
                "one publication brings at most {PUBLISH_OBJECTS_MAX} objects of logs, {} MiB of the shared log and {} \
                 MiB of others",
                PUBLISH_ENTRY_BYTES_MAX >> 20,
                PUBLISH_BYTES_MAX >> 20
            );
            return Err(SyncError::Invalid { what: "a publication", detail });
        }
        match &self.spill {
            Some(spill) if !is_entry && self.bytes + bytes.len() > self.publish_memory_bytes => {
                let io =
                    |source| SyncError::Io { action: "writing", path: spill.folder().to_owned(), source };
                let place = Place::InFile(spill.push(bytes).map_err(io)?);
                self.spilled_bytes += bytes.len();
                self.objects.insert(key, place);
            }
            _ => {
                self.entry_bytes += if is_entry { bytes.len() } else { 0 };
                self.keep(key, bytes);
            }
        }
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
    pub fn take(&mut self, key: &ObjectKey) -> SyncResult<Option<Vec<u8>>> {
        match (self.objects.remove(key), &self.spill) {
            (Some(Place::Here(bytes)), _) => {
                self.bytes -= bytes.len();
                Ok(Some(bytes))
            }
            (Some(Place::InFile(place)), Some(spill)) => {
                let io =
                    |source| SyncError::Io { action: "reading", path: spill.folder().to_owned(), source };
                Ok(Some(spill.read(place).map_err(io)?))
            }
            _ => Ok(None),
        }
    }

    /// What a person who acted is called, if that came along.
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.get(&id)
    }

    /// Entries of the shared log that have come, as far as they can be read; in no order.
    pub fn entries(&self) -> Vec<SignedEntry> {
        let entries = self.objects.iter().filter(|(key, _)| key.kind == Kind::LogEntry);
        let decode = |place: &Place| match place {
            Place::Here(bytes) => SignedEntry::decode(bytes).ok(),
            // Entries are always in memory.
            Place::InFile(_) => None,
        };
        entries.filter_map(|(_, place)| decode(place)).collect()
    }

    /// How long an object is that has come, in bytes.
    pub fn length(&self, key: &ObjectKey) -> Option<usize> {
        self.objects.get(key).map(Place::len)
    }

    /// Lets go of everything of a kind.
    pub fn clear(&mut self, kind: Kind) {
        let bytes = &mut self.bytes;
        self.objects.retain(|key, place| {
            let stays = key.kind != kind;
            if let (false, Place::Here(object)) = (stays, place) {
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

    fn take(inbox: &mut Inbox, number: u32) -> Option<Vec<u8>> {
        inbox.take(&key(number)).expect("readable")
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
        assert!(take(&mut inbox, 3).is_some() && take(&mut inbox, 3).is_none());
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
        assert!(take(&mut inbox, 1).is_some());
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
    fn what_a_publication_brings_waits_in_a_file_when_it_is_much_and_all_of_it_comes_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut inbox =
            Inbox { publish_memory_bytes: 10_000, ..Inbox::for_publication(&folder.path().join("tmp")) };
        let bytes = |number: u32| vec![number as u8; 1000 + number as usize];
        for number in 0..200 {
            inbox.put(key(number), &bytes(number)).expect("room");
        }
        let entry = ObjectKey::new(Kind::LogEntry, [1; 32]);
        inbox.put(entry, &[9; 5000]).expect("room");
        assert!(inbox.bytes <= 15_000 && inbox.spilled_bytes > 200_000, "{inbox:?}");
        assert!(matches!(inbox.objects[&entry], Place::Here(_)), "entries are looked at together");
        assert_eq!(inbox.length(&key(150)), Some(1150));
        for number in (0..200).rev() {
            assert_eq!(take(&mut inbox, number), Some(bytes(number)));
        }
        assert_eq!(take(&mut inbox, 3), None);
        inbox.clear(Kind::LogEntry);
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn a_publication_that_brings_too_much_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut inbox = Inbox::for_publication(folder.path());
        let much = vec![0; 64 << 20];
        let entry = |number: u8| ObjectKey::new(Kind::LogEntry, [number; 32]);
        for number in 0..4 {
            inbox.put(entry(number), &much).expect("room");
        }
        assert!(inbox.put(entry(4), &[1]).is_err(), "of the shared log");
        inbox.put(key(4), &[1]).expect("there is room for others");
        inbox.spilled_bytes = PUBLISH_BYTES_MAX - inbox.bytes - 1;
        inbox.put(key(5), &[1]).expect("room");
        assert!(inbox.put(key(6), &[1]).is_err(), "of others");
    }
}
