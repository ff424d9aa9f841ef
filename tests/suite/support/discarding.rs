//! A disk with room for everything: it knows the one stream that is written to its packs, keeps where
//! in the stream a block begins, and writes the block anew when it is read. Everything else lies on
//! the machine's own disk.

use pentimento::store::DiskSpace;
use pentimento::store::disk::{DatabaseAccess, Disk, DiskFile, DiskLock, LockKind, Mapping, RealDisk};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const WORD: u64 = 8;
/// What stands in a pack in place of a payload: this, the place in the stream, the length.
const MARK: &[u8; 8] = b"\xf1STREAM\xf2";
const MARK_BYTES: usize = 24;
/// From this many bytes on a payload is not written.
const DISCARDED_FROM: usize = 4096;

const FIRST: u64 = 0xbf58_476d_1ce4_e5b9;
const SECOND: u64 = 0x94d0_49bb_1331_11eb;

/// The inverse of an odd number modulo 2^64, by Newton's method.
const fn inverse(odd: u64) -> u64 {
    let mut found = odd;
    let mut round = 0;
    while round < 6 {
        found = found.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(found)));
        round += 1;
    }
    found
}

/// The word of the stream with this number: SplitMix64's finaliser, which can be turned round.
const fn word(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(FIRST);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(SECOND);
    mixed ^ (mixed >> 31)
}

/// The number of a word of the stream.
const fn number_of(word: u64) -> u64 {
    let mixed = (word ^ (word >> 31) ^ (word >> 62)).wrapping_mul(inverse(SECOND));
    let mixed = (mixed ^ (mixed >> 27) ^ (mixed >> 54)).wrapping_mul(inverse(FIRST));
    mixed ^ (mixed >> 30) ^ (mixed >> 60)
}

/// Fills a buffer with the stream from a place on.
fn fill(buffer: &mut [u8], place: u64) {
    let (mut number, skipped) = (place / WORD, (place % WORD) as usize);
    let first = (WORD as usize - skipped).min(buffer.len());
    let (head, rest) = buffer.split_at_mut(first);
    head.copy_from_slice(&word(number).to_le_bytes()[skipped..skipped + first]);
    for part in rest.chunks_mut(WORD as usize) {
        number += 1;
        part.copy_from_slice(&word(number).to_le_bytes()[..part.len()]);
    }
}

/// Where in the stream these bytes stand; `None` for bytes of something else.
fn place_of(bytes: &[u8]) -> Option<u64> {
    let word_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    (0..WORD as usize).find_map(|shift| {
        let number = number_of(word_at(shift)?);
        let follows = number_of(word_at(shift + WORD as usize)?) == number.wrapping_add(1);
        (follows && number < 1 << 48).then(|| (number * WORD).checked_sub(shift as u64)).flatten()
    })
}

/// The stream, as long as it is asked to be.
pub struct Stream {
    place: u64,
    end: u64,
}

impl Stream {
    pub fn of(bytes: u64) -> Self {
        // Not from 0: word 0 of the stream is 0.
        Self { place: WORD, end: WORD + bytes }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = (self.end - self.place).min(into.len() as u64) as usize;
        fill(&mut into[..length], self.place);
        self.place += length as u64;
        Ok(length)
    }
}

/// The disk.
#[derive(Debug, Clone, Copy)]
pub struct DiscardingDisk;

#[derive(Debug)]
struct PackFile(Arc<dyn DiskFile>);

fn wrap(path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
    if path.extension().is_some_and(|extension| extension == "pack") {
        Arc::new(PackFile(file))
    } else {
        file
    }
}

impl Disk for DiscardingDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        RealDisk.list(dir)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealDisk.exists(path)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(wrap(path, RealDisk.create(path)?))
    }
    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(wrap(path, RealDisk.open(path, writable)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
    fn database(&self, path: &Path, access: DatabaseAccess) -> io::Result<Box<dyn redb::StorageBackend>> {
        RealDisk.database(path, access)
    }
    fn try_lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<Box<dyn DiskLock>>> {
        RealDisk.try_lock(path, kind)
    }
    fn space(&self, _: &Path) -> io::Result<DiskSpace> {
        Ok(DiskSpace { available: u64::MAX, total: u64::MAX })
    }
    fn owner(&self, path: &Path) -> io::Result<Option<(u32, u32)>> {
        RealDisk.owner(path)
    }
}

impl DiskFile for PackFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)?;
        // A payload is read by itself or behind its header.
        let start = match buffer {
            [b'P', b'B', b'L', b'K', _, _, low, high, ..] => {
                24 + 36 * usize::from(u16::from_le_bytes([*low, *high]))
            }
            _ => 0,
        };
        let Some(payload) = buffer.get_mut(start..) else { return Ok(()) };
        if payload.starts_with(MARK) && payload.len() >= MARK_BYTES {
            let number = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().expect("8 bytes"));
            let (place, length) = (number(8), number(16) as usize);
            let end = length.min(payload.len());
            fill(&mut payload[..end], place);
        }
        Ok(())
    }

    fn write_all_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let [header, payload] = parts else { return self.0.write_all_at(parts, offset) };
        let place = if payload.len() < DISCARDED_FROM { None } else { place_of(payload) };
        let Some(place) = place else { return self.0.write_all_at(parts, offset) };
        let mark = [MARK.as_slice(), &place.to_le_bytes(), &(payload.len() as u64).to_le_bytes()].concat();
        self.0.write_all_at(&[header, &mark], offset)?;
        // The last byte makes the file as long as it should be; others may be writing behind it.
        let last = payload.len() - 1;
        self.0.write_all_at(&[&payload[last..]], offset + (header.len() + last) as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn try_lock_exclusive(&self) -> io::Result<bool> {
        self.0.try_lock_exclusive()
    }
    fn map(&self, _: u64) -> io::Result<Option<Mapping>> {
        Ok(None)
    }
}

#[test]
fn a_place_of_the_stream_is_found_by_its_bytes() {
    let mut bytes = vec![0; 1000];
    for place in [8, 13, 4096, 200_000_000_001] {
        fill(&mut bytes, place);
        assert_eq!(place_of(&bytes), Some(place));
    }
    let mut read = Vec::new();
    Stream::of(1000).read_to_end(&mut read).expect("a stream");
    fill(&mut bytes, 8);
    assert_eq!(read, bytes);
    assert_eq!(place_of(&[7; 100]), None);
}
