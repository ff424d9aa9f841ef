//! Index files of a bucket: which object lies in which pack, sorted, with fences, readable in parts.
//!
//! ```text
//! header | pages of 1,024 entries | fences, one for each page | packs | trailer
//! ```
//!
//! A small file is read at once. Of a large one only the tail is, which has the fences; a lookup
//! then reads the page that a key must stand on. Every page has its checksum in its fence, and the
//! tail has one of its own. `docs/format/bucket.md` has the bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::PackId;

/// Length of an entry, a fence and a pack record in bytes.
const ROW_BYTES: usize = 48;
/// Entries of one page.
pub const PAGE_ENTRIES: usize = 1024;
const PAGE_BYTES: usize = PAGE_ENTRIES * ROW_BYTES;
const HEADER: &[u8; 16] = b"PENTINDX\x01\0\0\0\0\0\0\0";
/// Length of the trailer in bytes.
pub const TRAILER_BYTES: usize = 64;
const TRAILER_MAGIC: &[u8; 8] = b"PENTIXED";
/// Most entries of one file, so that its tail stays within memory, and the whole of it where it is merged.
pub const ENTRIES_MAX: u64 = 2 << 20;
/// Pages that lie apart and are read together all the same: what a request costs is read in less time.
const GAP_PAGES_MAX: usize = 4;
/// Most pages of one reading: 7.5 MiB.
const RUN_PAGES_MAX: usize = 160;
/// Pages that are kept of a file that is read in parts.
const PART_PAGES_KEPT: usize = 8;

/// What is looked up: 32 bytes of id and the kind of object; kind 0 is a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexKey {
    /// The id; shorter ones are filled with zeros.
    pub id: [u8; 32],
    /// The kind of object, a number of the floors above.
    pub kind: u8,
}

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexPlace {
    /// The pack.
    pub pack: IndexedPack,
    /// Offset of the block or frame in bytes.
    pub offset: u32,
    /// Its length in bytes.
    pub length: u32,
}

/// A pack that an index speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexedPack {
    /// Its id.
    pub id: PackId,
    /// What it holds, a number of the floors above.
    pub kind: u8,
    /// Its length in bytes.
    pub length: u64,
    /// The generation of the head that first named it; 0 stands for that of the index file.
    pub generation: u64,
}

/// Puts an index file together.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    rows: Vec<(IndexKey, u32, u32, u32)>,
    packs: Vec<IndexedPack>,
    numbers: HashMap<PackId, u32>,
}

impl IndexBuilder {
    /// Adds an object.
    pub fn push(&mut self, key: IndexKey, place: IndexPlace) {
        let next = self.packs.len() as u32;
        let number = *self.numbers.entry(place.pack.id).or_insert(next);
        if number == next {
            self.packs.push(place.pack);
        }
        self.rows.push((key, number, place.offset, place.length));
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many objects were added.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Sorts, and writes the file: its name, its bytes and how many keys it has. Of several places
    /// of one key the one added first stays.
    pub fn finish(mut self) -> (PackId, Vec<u8>, u64) {
        self.rows.sort_by_key(|row| row.0);
        self.rows.dedup_by(|later, first| later.0 == first.0);
        let mut bytes = Vec::with_capacity(self.rows.len() * (ROW_BYTES + 1) + 4096);
        bytes.extend_from_slice(HEADER);
        let mut fences = Vec::new();
        for page in self.rows.chunks(PAGE_ENTRIES) {
            let start = bytes.len();
            for (key, pack, offset, length) in page {
                push_key(&mut bytes, key, &[0; 3]);
                for number in [pack, offset, length] {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
            }
            push_key(&mut fences, &page[0].0, &[0; 7]);
            fences.extend_from_slice(&blake3::hash(&bytes[start..]).as_bytes()[..8]);
        }
        let tail = bytes.len();
        bytes.extend_from_slice(&fences);
        for pack in &self.packs {
            bytes.extend_from_slice(pack.id.as_bytes());
            bytes.extend_from_slice(&[pack.kind, 0, 0, 0, 0, 0, 0, 0]);
            bytes.extend_from_slice(&pack.length.to_le_bytes());
            bytes.extend_from_slice(&pack.generation.to_le_bytes());
            bytes.extend_from_slice(&[0; 8]);
        }
        bytes.extend_from_slice(&(self.rows.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.packs.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        let sum = blake3::hash(&bytes[tail..]);
        bytes.extend_from_slice(sum.as_bytes());
        bytes.extend_from_slice(TRAILER_MAGIC);
        let mut id = [0; PackId::SIZE];
        id.copy_from_slice(&blake3::derive_key("pentimento index name v1", &bytes)[..PackId::SIZE]);
        (PackId::from_bytes(id), bytes, self.rows.len() as u64)
    }
}

fn push_key(bytes: &mut Vec<u8>, key: &IndexKey, padding: &[u8]) {
    bytes.extend_from_slice(&key.id);
    bytes.push(key.kind);
    bytes.extend_from_slice(padding);
}

/// An index file that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the index file is damaged")]
pub struct IndexDamage;

/// Gives out bytes of an index file: offset and length.
pub type ReadPart<'a, E> = &'a dyn Fn(u64, usize) -> Result<Vec<u8>, E>;

/// An index file with its tail at hand.
#[derive(Debug)]
pub struct IndexFile {
    entries: u64,
    first_keys: Vec<IndexKey>,
    sums: Vec<[u8; 8]>,
    packs: Vec<IndexedPack>,
    pages: Mutex<BTreeMap<usize, Arc<Vec<u8>>>>,
    /// Pages that stay in memory.
    pages_kept: usize,
}

impl IndexFile {
    /// Length of the tail before the trailer, as the trailer says.
    pub fn tail_length(trailer: &[u8]) -> Result<u64, IndexDamage> {
        let (entries, packs) = decode_trailer(trailer)?;
        let pages = entries.div_ceil(PAGE_ENTRIES as u64);
        Ok((pages + packs) * ROW_BYTES as u64 + TRAILER_BYTES as u64)
    }

    /// Takes a whole file.
    pub fn whole(bytes: &[u8]) -> Result<Self, IndexDamage> {
        let trailer = bytes.len().checked_sub(TRAILER_BYTES).ok_or(IndexDamage)?;
        let tail = Self::tail_length(&bytes[trailer..])? as usize;
        let start =
            bytes.len().checked_sub(tail).filter(|start| *start >= HEADER.len()).ok_or(IndexDamage)?;
        let mut file = Self::tail(&bytes[start..])?;
        file.pages_kept = file.first_keys.len();
        if &bytes[..HEADER.len()] != HEADER || start - HEADER.len() != file.entries as usize * ROW_BYTES {
            return Err(IndexDamage);
        }
        for (number, page) in bytes[HEADER.len()..start].chunks(PAGE_BYTES).enumerate() {
            file.keep(number, page.to_vec())?;
        }
        Ok(file)
    }

    /// Takes the tail of a file: fences, packs and trailer.
    pub fn tail(bytes: &[u8]) -> Result<Self, IndexDamage> {
        let split = bytes.len().checked_sub(TRAILER_BYTES).ok_or(IndexDamage)?;
        let (entries, packs) = decode_trailer(&bytes[split..])?;
        if Self::tail_length(&bytes[split..])? != bytes.len() as u64
            || blake3::hash(&bytes[..split + 24]).as_bytes() != &bytes[split + 24..split + 56]
        {
            return Err(IndexDamage);
        }
        let fences_end = split - packs as usize * ROW_BYTES;
        let mut file = Self {
            entries,
            first_keys: Vec::new(),
            sums: Vec::new(),
            packs: Vec::new(),
            pages: Mutex::default(),
            pages_kept: PART_PAGES_KEPT,
        };
        for row in bytes[..fences_end].chunks_exact(ROW_BYTES) {
            let mut sum = [0; 8];
            sum.copy_from_slice(&row[40..]);
            file.first_keys.push(key_of(row));
            file.sums.push(sum);
        }
        for row in bytes[fences_end..split].chunks_exact(ROW_BYTES) {
            let mut id = [0; PackId::SIZE];
            id.copy_from_slice(&row[..16]);
            file.packs.push(IndexedPack {
                id: PackId::from_bytes(id),
                kind: row[16],
                length: long(row, 24),
                generation: long(row, 32),
            });
        }
        if file.first_keys.is_sorted() { Ok(file) } else { Err(IndexDamage) }
    }

    /// How many keys it has.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The packs that it speaks of.
    pub fn packs(&self) -> &[IndexedPack] {
        &self.packs
    }

    /// Finds the places of keys, in their order. Pages that are not at hand are read with `read`, neighbours
    /// together.
    pub fn find_all<E: From<IndexDamage>>(
        &self,
        keys: &[IndexKey],
        read: ReadPart<'_, E>,
    ) -> Result<Vec<Option<IndexPlace>>, E> {
        let page = |key: &IndexKey| self.first_keys.partition_point(|first| first <= key).checked_sub(1);
        let mut asked: Vec<(usize, usize)> =
            keys.iter().enumerate().filter_map(|(position, key)| Some((page(key)?, position))).collect();
        asked.sort_unstable();
        let mut places = vec![None; keys.len()];
        let mut rest = asked.as_slice();
        while let Some((first, _)) = rest.first().copied() {
            let is_near = |pair: &[(usize, usize)]| {
                pair[1].0 <= pair[0].0 + GAP_PAGES_MAX && pair[1].0 - first < RUN_PAGES_MAX
            };
            let length = 1 + rest.windows(2).take_while(|pair| is_near(pair)).count();
            let (run, others) = rest.split_at(length);
            rest = others;
            let last = run.last().map_or(first, |(page, _)| *page);
            let pages = self.pages(first, last, read)?;
            for (page, position) in run {
                let bytes = pages.get(page - first).ok_or(IndexDamage)?;
                places[*position] = self.find_in(bytes, &keys[*position])?;
            }
        }
        Ok(places)
    }

    fn find_in(&self, page: &[u8], key: &IndexKey) -> Result<Option<IndexPlace>, IndexDamage> {
        let rows: Vec<&[u8]> = page.chunks_exact(ROW_BYTES).collect();
        let Ok(found) = rows.binary_search_by(|row| key_of(row).cmp(key)) else { return Ok(None) };
        Ok(Some(self.place_of(rows[found])?))
    }

    fn place_of(&self, row: &[u8]) -> Result<IndexPlace, IndexDamage> {
        let pack = self.packs.get(short(row, 36) as usize).ok_or(IndexDamage)?;
        Ok(IndexPlace { pack: *pack, offset: short(row, 40), length: short(row, 44) })
    }

    /// Hands out every key with its place, in order.
    pub fn each<E: From<IndexDamage>>(
        &self,
        read: ReadPart<'_, E>,
        mut take: impl FnMut(IndexKey, IndexPlace) -> Result<(), E>,
    ) -> Result<(), E> {
        for first in (0..self.first_keys.len()).step_by(RUN_PAGES_MAX) {
            let last = (first + RUN_PAGES_MAX).min(self.first_keys.len()) - 1;
            for page in self.pages(first, last, read)? {
                for row in page.chunks_exact(ROW_BYTES) {
                    take(key_of(row), self.place_of(row)?)?;
                }
            }
        }
        Ok(())
    }

    /// Pages from the first to the last, from memory or in one reading.
    fn pages<E: From<IndexDamage>>(
        &self,
        first: usize,
        last: usize,
        read: ReadPart<'_, E>,
    ) -> Result<Vec<Arc<Vec<u8>>>, E> {
        let kept: Option<Vec<Arc<Vec<u8>>>> = {
            let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            (first..=last).map(|number| pages.get(&number).cloned()).collect()
        };
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let start = first * PAGE_ENTRIES;
        let rows = (self.entries as usize).min((last + 1) * PAGE_ENTRIES) - start;
        let bytes = read((HEADER.len() + start * ROW_BYTES) as u64, rows * ROW_BYTES)?;
        let mut pages = Vec::with_capacity(last - first + 1);
        for (number, page) in (first..=last).zip(bytes.chunks(PAGE_BYTES)) {
            pages.push(self.keep(number, page.to_vec())?);
        }
        if pages.len() == last - first + 1 { Ok(pages) } else { Err(IndexDamage.into()) }
    }

    fn keep(&self, number: usize, page: Vec<u8>) -> Result<Arc<Vec<u8>>, IndexDamage> {
        let sum = self.sums.get(number).ok_or(IndexDamage)?;
        let sorted = page.chunks_exact(ROW_BYTES).map(key_of).is_sorted_by(|left, right| left < right);
        if blake3::hash(&page).as_bytes()[..8] != *sum || !sorted {
            return Err(IndexDamage);
        }
        let page = Arc::new(page);
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(number, page.clone());
        // Of a file that is read in parts some pages stay, so that one question after another costs less.
        while pages.len() > self.pages_kept {
            pages.pop_first();
        }
        Ok(page)
    }
}

fn decode_trailer(trailer: &[u8]) -> Result<(u64, u64), IndexDamage> {
    if trailer.len() != TRAILER_BYTES || &trailer[56..] != TRAILER_MAGIC {
        return Err(IndexDamage);
    }
    let (entries, packs) = (long(trailer, 0), long(trailer, 8));
    if entries <= ENTRIES_MAX && packs <= entries { Ok((entries, packs)) } else { Err(IndexDamage) }
}

fn key_of(row: &[u8]) -> IndexKey {
    let mut id = [0; 32];
    id.copy_from_slice(&row[..32]);
    IndexKey { id, kind: row[32] }
}

fn short(row: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]])
}

fn long(row: &[u8], at: usize) -> u64 {
    u64::from(short(row, at)) | u64::from(short(row, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_that_says_more_than_a_file_may_have_is_refused_before_anything_is_set_aside() {
        let trailer = |entries: u64, packs: u64| {
            let mut trailer = [0; TRAILER_BYTES];
            trailer[..8].copy_from_slice(&entries.to_le_bytes());
            trailer[8..16].copy_from_slice(&packs.to_le_bytes());
            trailer[56..].copy_from_slice(TRAILER_MAGIC);
            trailer
        };
        assert!(IndexFile::tail_length(&trailer(ENTRIES_MAX, 9)).is_ok());
        for (entries, packs) in [(ENTRIES_MAX + 1, 9), (9, 10), (u64::MAX, u64::MAX)] {
            assert_eq!(IndexFile::tail_length(&trailer(entries, packs)), Err(IndexDamage));
        }
    }
    use std::cell::Cell;

    fn key(number: u32) -> IndexKey {
        IndexKey { id: *blake3::hash(&number.to_le_bytes()).as_bytes(), kind: (number % 3) as u8 }
    }

    fn place(number: u32) -> IndexPlace {
        let pack = IndexedPack {
            id: PackId::from_bytes([(number % 7) as u8; 16]),
            kind: 1,
            length: 1 << 20,
            generation: 9,
        };
        IndexPlace { pack, offset: number, length: number + 1 }
    }

    fn build(count: u32) -> (Vec<u8>, u64) {
        let mut builder = IndexBuilder::default();
        (0..count).for_each(|number| builder.push(key(number), place(number)));
        let (_, bytes, entries) = builder.finish();
        (bytes, entries)
    }

    #[test]
    fn every_key_is_found_in_a_whole_file_and_by_reading_pages() {
        let (bytes, entries) = build(5000);
        assert_eq!(entries, 5000);
        let keys: Vec<IndexKey> = (0..5100).map(key).collect();
        let whole = IndexFile::whole(&bytes).expect("a sound file");
        let never = |_, _| Err(IndexDamage);
        let found = whole.find_all::<IndexDamage>(&keys, &never).expect("sound pages");
        for (number, found) in (0u32..).zip(&found) {
            assert_eq!(*found, (number < 5000).then(|| place(number)));
        }
        let length =
            IndexFile::tail_length(&bytes[bytes.len() - TRAILER_BYTES..]).expect("a trailer") as usize;
        let tail = IndexFile::tail(&bytes[bytes.len() - length..]).expect("a sound tail");
        let reads = Cell::new(0);
        let read = |offset: u64, length: usize| {
            reads.set(reads.get() + 1);
            Ok(bytes[offset as usize..offset as usize + length].to_vec())
        };
        assert_eq!(tail.find_all::<IndexDamage>(&keys, &read).expect("sound pages"), found);
        assert_eq!(reads.get(), 1, "neighbours are read together");
        let few = tail.find_all::<IndexDamage>(&keys[7..8], &read).expect("a sound page");
        assert_eq!(few, [Some(place(7))]);
        assert_eq!(reads.get(), 1, "what was read stays for a while");
    }

    #[test]
    fn of_a_large_file_a_few_pages_are_read_and_stay() {
        let (bytes, _) = build(40_000);
        let length = IndexFile::tail_length(&bytes[bytes.len() - TRAILER_BYTES..]).expect("a trailer");
        let tail = IndexFile::tail(&bytes[bytes.len() - length as usize..]).expect("a sound tail");
        let read_bytes = Cell::new(0);
        let read = |offset: u64, length: usize| {
            read_bytes.set(read_bytes.get() + length);
            Ok(bytes[offset as usize..offset as usize + length].to_vec())
        };
        let mut all = 0;
        let each = tail.each::<IndexDamage>(&read, |_, _| {
            all += 1;
            Ok(())
        });
        assert!(each.is_ok() && all == 40_000);
        assert!(tail.pages.lock().expect("pages").len() <= PART_PAGES_KEPT);
        read_bytes.set(0);
        assert_eq!(tail.find_all::<IndexDamage>(&[key(1)], &read).expect("a page"), [Some(place(1))]);
        assert!(read_bytes.get() <= PAGE_BYTES);
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let (bytes, _) = build(2000);
        for at in (0..bytes.len()).step_by(37) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(IndexFile::whole(&damaged).is_err(), "byte {at}");
        }
        assert!(IndexFile::whole(&bytes[..bytes.len() - 1]).is_err());
        assert!(IndexFile::whole(&[]).is_err());
    }
}
