//! Which pictures look alike: fingerprints in a flat file, compared one by one.
//!
//! A fingerprint has 256 bits of which alike pictures share most (`media/fingerprint.rs` makes them).
//! A million of them are 64 MB and are compared in some milliseconds, so no index of them is needed;
//! for pairs among all of them, bands of bits narrow the comparisons down (multi-index hashing:
//! Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012).

use crate::base::id::{FileId, write_hex};
use crate::catalog::error::CatalogError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bits of a fingerprint.
pub const BITS: u32 = 256;
/// Pictures that differ in no more bits are the same picture in another form (the threshold that the
/// authors of PDQ recommend).
pub const NEAR_BITS: u32 = 31;
/// Pictures that differ in no more bits have much in common; two unrelated ones differ in about 128.
pub const ALIKE_BITS: u32 = 80;
const MAGIC: &[u8; 16] = b"pent prints v1\n\0";
const RECORD: usize = 64;
/// Records that are read and compared at a time.
const BATCH: usize = 16 * 1024;
/// Bits of one band: pictures within [`NEAR_BITS`] agree in one of sixteen bands but for one bit.
const BANDS: usize = 16;
/// Most others that one moment of a film is compared with in one band.
const MOMENT_PAIRS_MAX: usize = 64;

/// What a picture looks like.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u64; 4]);

impl Fingerprint {
    /// In how many bits two differ.
    pub fn distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(left, right)| (left ^ right).count_ones()).sum()
    }

    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (part, number) in bytes.chunks_exact_mut(8).zip(self.0) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut numbers = [0; 4];
        for (number, part) in numbers.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *number = u64::from_le_bytes(*part);
        }
        Self(numbers)
    }

    fn band(&self, index: usize) -> u16 {
        (self.0[index / 4] >> (index % 4 * 16)) as u16
    }
}

/// How much two pictures have in common, from 0 (nothing) to 100, of the bits in which they differ.
pub fn likeness(distance: u32) -> u32 {
    (BITS / 2).saturating_sub(distance) * 100 / (BITS / 2)
}

/// The largest number of bits in which two pictures of at least that likeness may differ.
pub fn distance_of(likeness: u32) -> u32 {
    BITS / 2 - (likeness.min(100) * (BITS / 2)).div_ceil(100)
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_hex(f, &self.to_bytes())
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The digits of a file id and of a fingerprint are written alike.
        let text = String::deserialize(deserializer)?;
        let bytes: FileId = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self::from_bytes(bytes.as_bytes()))
    }
}

/// The fingerprints of all contents that have one.
#[derive(Debug, Clone)]
pub struct Prints {
    path: PathBuf,
}

/// A content that looks alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alike {
    /// In how many bits it differs.
    pub distance: u32,
    /// The content.
    pub file: FileId,
}

impl Prints {
    /// Those in a file, which need not be there yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        let bytes = std::fs::metadata(&self.path).as_ref().map_or(0, std::fs::Metadata::len);
        bytes.saturating_sub(MAGIC.len() as u64) / RECORD as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all of them.
    pub fn clear(&self) -> Result<(), CatalogError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CatalogError::io("removing", &self.path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Adds some. The caller holds the lock of the catalog; what a crash leaves half of is written over.
    pub fn add(&self, prints: &[(FileId, Fingerprint)]) -> Result<(), CatalogError> {
        if prints.is_empty() {
            return Ok(());
        }
        let fault = || CatalogError::io("writing", &self.path);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&self.path).map_err(fault())?;
        let mut begin = [0; MAGIC.len()];
        let is_ours = file.read_exact(&mut begin).is_ok() && begin == *MAGIC;
        let mut end = MAGIC.len() as u64;
        if is_ours {
            end += self.len() * RECORD as u64;
        } else {
            file.set_len(0).map_err(fault())?;
            file.seek(SeekFrom::Start(0)).map_err(fault())?;
            file.write_all(MAGIC).map_err(fault())?;
        }
        file.seek(SeekFrom::Start(end)).map_err(fault())?;
        let mut bytes = Vec::with_capacity(prints.len() * RECORD);
        for (id, print) in prints {
            bytes.extend_from_slice(id.as_bytes());
            bytes.extend_from_slice(&print.to_bytes());
        }
        file.write_all(&bytes).map_err(fault())
    }

    /// Hands out all of them, some at a time.
    fn read(&self, visit: &mut dyn FnMut(&[[u8; RECORD]])) -> Result<(), CatalogError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(CatalogError::io("reading", &self.path)(error)),
        };
        let mut begin = [0; MAGIC.len()];
        if file.read_exact(&mut begin).is_err() || begin != *MAGIC {
            let reason = "the fingerprints are not as they were written".to_owned();
            return Err(CatalogError::Damaged { reason });
        }
        let mut buffer = vec![0; RECORD * BATCH * 4];
        loop {
            let mut filled = 0;
            while filled < buffer.len() {
                match file.read(&mut buffer[filled..]).map_err(CatalogError::io("reading", &self.path))? {
                    0 => break,
                    count => filled += count,
                }
            }
            // Half a record at the end is one that is just being written.
            visit(buffer[..filled].as_chunks::<RECORD>().0);
            if filled < buffer.len() {
                return Ok(());
            }
        }
    }

    /// The contents that differ in at most so many bits, the likest first. Of one with several fingerprints the
    /// likest counts.
    pub fn alike(&self, print: &Fingerprint, most: u32) -> Result<Vec<Alike>, CatalogError> {
        self.alike_to_all(std::slice::from_ref(print), most)
    }

    /// The contents that look like something with several fingerprints, as a film has one for each of some
    /// moments: its likest quarter of moments counts, so that a part of it is found, too, and one moment that
    /// many films share says little.
    pub fn alike_to_all(&self, prints: &[Fingerprint], most: u32) -> Result<Vec<Alike>, CatalogError> {
        let mut best: HashMap<FileId, Vec<u32>> = HashMap::new();
        self.read(&mut |records| {
            let near: Vec<(FileId, usize, u32)> = records
                .par_chunks(BATCH)
                .flat_map_iter(|records| {
                    records.iter().flat_map(|record| {
                        let (file, other) = split(record);
                        let each = prints.iter().enumerate();
                        each.map(move |(at, print)| (file, at, print.distance(&other)))
                            .filter(|(_, _, distance)| *distance <= most)
                    })
                })
                .collect();
            for (file, at, distance) in near {
                let distances = best.entry(file).or_insert_with(|| vec![BITS / 2; prints.len()]);
                distances[at] = distances[at].min(distance);
            }
        })?;
        let mut found: Vec<Alike> = best
            .into_iter()
            .map(|(file, mut distances)| {
                distances.sort_unstable();
                let counted = &distances[..distances.len().div_ceil(4)];
                let distance = counted.iter().sum::<u32>() / counted.len().max(1) as u32;
                Alike { distance, file }
            })
            .filter(|alike| alike.distance <= most)
            .collect();
        found.sort_unstable_by_key(|alike| (alike.distance, alike.file));
        Ok(found)
    }

    /// Groups of contents among `wanted` that are near each other; every group has two at least. Of films, which have
    /// a fingerprint for each of some moments, half of the moments of the longer one have to be in the other.
    pub fn groups(&self, wanted: &dyn Fn(FileId) -> bool) -> Result<Vec<Vec<FileId>>, CatalogError> {
        let mut all: Vec<(FileId, Fingerprint)> = Vec::new();
        self.read(&mut |records| all.extend(records.iter().map(split).filter(|(file, _)| wanted(*file))))?;
        all.sort_by_key(|(file, _)| *file);
        all.dedup();
        Ok(group(&all))
    }
}

fn split(record: &[u8; RECORD]) -> (FileId, Fingerprint) {
    let (mut file, mut print) = ([0; 32], [0; 32]);
    file.copy_from_slice(&record[..32]);
    print.copy_from_slice(&record[32..]);
    (FileId::from_bytes(file), Fingerprint::from_bytes(&print))
}

/// Puts together what is near each other, directly or by way of others. Fingerprints of one content stand together.
fn group(all: &[(FileId, Fingerprint)]) -> Vec<Vec<FileId>> {
    let (mut files, mut counts, mut owners) = (Vec::new(), Vec::new(), Vec::with_capacity(all.len()));
    for (file, _) in all {
        if files.last() != Some(file) {
            files.push(*file);
            counts.push(0usize);
        }
        counts[files.len() - 1] += 1;
        owners.push(files.len() - 1);
    }
    let mut parents: Vec<usize> = (0..files.len()).collect();
    let mut join = |one: usize, other: usize| {
        let (one, other) = (root(&mut parents, one), root(&mut parents, other));
        parents[one.max(other)] = one.min(other);
    };
    // Of two contents with several fingerprints: which of these are near each other.
    let mut shared: HashMap<(usize, usize), HashSet<(usize, usize)>> = HashMap::new();
    for band in 0..BANDS {
        for (left, right) in near_in_band(all, band, |index| counts[owners[index]] > 1) {
            let (one, other) = (owners[left], owners[right]);
            if counts[one].max(counts[other]) == 1 {
                join(one, other);
            } else if one != other {
                shared.entry((one, other)).or_default().insert((left, right));
            }
        }
    }
    for ((one, other), pairs) in shared {
        let ones: HashSet<usize> = pairs.iter().map(|pair| pair.0).collect();
        let others: HashSet<usize> = pairs.iter().map(|pair| pair.1).collect();
        if ones.len().min(others.len()) * 2 >= counts[one].max(counts[other]) {
            join(one, other);
        }
    }
    let mut groups: HashMap<usize, Vec<FileId>> = HashMap::new();
    for (index, file) in files.iter().enumerate() {
        groups.entry(root(&mut parents, index)).or_default().push(*file);
    }
    let mut groups: Vec<Vec<FileId>> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    groups
}

/// Pairs that are near each other and agree in a band but for one bit. A moment of a film that many share, as the
/// sign of a studio, says little: of its pairs there are some only.
fn near_in_band(
    all: &[(FileId, Fingerprint)],
    band: usize,
    is_moment: impl Fn(usize) -> bool + Sync,
) -> Vec<(usize, usize)> {
    let mut by_band: HashMap<u16, Vec<usize>> = HashMap::new();
    for (index, (_, print)) in all.iter().enumerate() {
        by_band.entry(print.band(band)).or_default().push(index);
    }
    let pairs = all.par_iter().enumerate().flat_map_iter(|(index, (_, print))| {
        let value = print.band(band);
        let probes = std::iter::once(value).chain((0..16).map(move |bit| value ^ (1 << bit)));
        let others = probes.filter_map(|probe| by_band.get(&probe)).flatten();
        let most = if is_moment(index) { MOMENT_PAIRS_MAX } else { usize::MAX };
        others
            .filter(move |other| **other < index)
            .filter(|other| print.distance(&all[**other].1) <= NEAR_BITS)
            .map(move |other| (index, *other))
            .take(most)
    });
    pairs.collect()
}

fn root(parents: &mut [usize], mut index: usize) -> usize {
    while parents[index] != index {
        parents[index] = parents[parents[index]];
        index = parents[index];
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzz::Numbers;

    fn noise(numbers: &mut Numbers) -> Fingerprint {
        Fingerprint(std::array::from_fn(|_| numbers.next()))
    }

    fn with_bits_flipped(print: Fingerprint, count: usize, numbers: &mut Numbers) -> Fingerprint {
        let mut changed = print;
        while changed.distance(&print) < count as u32 {
            let bit = numbers.below(256);
            changed.0[bit / 64] ^= 1 << (bit % 64);
        }
        changed
    }

    #[test]
    fn what_is_near_is_found_as_comparing_each_with_each_finds_it() {
        let mut numbers = Numbers::new(7);
        let mut all = Vec::new();
        for index in 0..300u16 {
            let print = match all.get(numbers.below(300)) {
                Some((_, other)) => {
                    let count = numbers.below(60);
                    with_bits_flipped(*other, count, &mut numbers)
                }
                None => noise(&mut numbers),
            };
            let mut id = [0; 32];
            id[..2].copy_from_slice(&index.to_be_bytes());
            all.push((FileId::from_bytes(id), print));
        }
        let place = tempfile::tempdir().expect("a folder");
        let prints = Prints::at(&place.path().join("prints"));
        prints.add(&all[..100]).expect("added");
        prints.add(&all[100..]).expect("added");
        assert_eq!(prints.len(), 300);
        for most in [0, 20, NEAR_BITS, ALIKE_BITS] {
            let found = prints.alike(&all[3].1, most).expect("readable");
            let expected = all.iter().filter(|(_, print)| print.distance(&all[3].1) <= most).count();
            assert_eq!(found.len(), expected);
            assert!(found.is_sorted_by_key(|alike| alike.distance));
        }
        // Groups: components of the graph of what is near each other.
        let mut parents: Vec<usize> = (0..all.len()).collect();
        for left in 0..all.len() {
            for right in 0..left {
                if all[left].1.distance(&all[right].1) <= NEAR_BITS {
                    let (left, right) = (root(&mut parents, left), root(&mut parents, right));
                    parents[left.max(right)] = left.min(right);
                }
            }
        }
        let mut expected: HashMap<usize, Vec<FileId>> = HashMap::new();
        for (index, (file, _)) in all.iter().enumerate() {
            expected.entry(root(&mut parents, index)).or_default().push(*file);
        }
        let mut expected: Vec<_> = expected.into_values().filter(|group| group.len() > 1).collect();
        expected.sort_unstable();
        assert!(expected.len() > 5);
        assert_eq!(prints.groups(&|_| true).expect("readable"), expected);
    }

    #[test]
    fn a_film_is_found_by_a_part_of_it_and_not_by_one_moment() {
        let mut numbers = Numbers::new(3);
        let moments: Vec<Fingerprint> = (0..16).map(|_| noise(&mut numbers)).collect();
        let place = tempfile::tempdir().expect("a folder");
        let prints = Prints::at(&place.path().join("prints"));
        let id = |number: u8| FileId::from_bytes([number; 32]);
        // One has a part of it, another one moment, a third nothing.
        let mut all: Vec<(FileId, Fingerprint)> =
            moments[5..10].iter().map(|print| (id(1), *print)).collect();
        all.push((id(2), moments[0]));
        all.extend((0..16).map(|_| (id(2), noise(&mut numbers))));
        all.extend((0..16).map(|_| (id(3), noise(&mut numbers))));
        prints.add(&all).expect("added");
        let found = prints.alike_to_all(&moments, ALIKE_BITS).expect("readable");
        assert_eq!(found, [Alike { distance: 0, file: id(1) }]);
        // By one picture both are found that have it.
        assert_eq!(prints.alike(&moments[0], NEAR_BITS).expect("readable")[0].file, id(2));
        assert_eq!(prints.alike(&moments[7], NEAR_BITS).expect("readable")[0].file, id(1));
    }

    #[test]
    fn films_are_near_when_half_of_the_longer_one_is_in_the_other() {
        let mut numbers = Numbers::new(11);
        let moments: Vec<Fingerprint> = (0..16).map(|_| noise(&mut numbers)).collect();
        let id = |number: u8| FileId::from_bytes([number; 32]);
        let mut all: Vec<(FileId, Fingerprint)> = moments.iter().map(|print| (id(1), *print)).collect();
        // Packed anew, and without its beginning; a part of it; one moment and other ones; a still of it.
        all.extend(moments[4..].iter().map(|print| (id(2), with_bits_flipped(*print, 6, &mut numbers))));
        all.extend(moments[..6].iter().map(|print| (id(3), *print)));
        all.push((id(4), moments[0]));
        all.extend((0..3).map(|_| (id(4), noise(&mut numbers))));
        all.push((id(5), moments[9]));
        // Two stills.
        let still = noise(&mut numbers);
        all.extend([(id(6), still), (id(7), with_bits_flipped(still, 20, &mut numbers))]);
        let place = tempfile::tempdir().expect("a folder");
        let prints = Prints::at(&place.path().join("prints"));
        prints.add(&all).expect("added");
        let found = prints.groups(&|_| true).expect("readable");
        assert_eq!(found, [vec![id(1), id(2)], vec![id(6), id(7)]]);
        assert!(prints.groups(&|file| file != id(2) && file != id(6)).expect("readable").is_empty());
    }

    #[test]
    fn a_file_that_is_cut_or_foreign_is_damage_or_written_over() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("prints");
        let prints = Prints::at(&path);
        let one = (FileId::from_bytes([1; 32]), Fingerprint([1, 2, 3, 4]));
        let two = (FileId::from_bytes([2; 32]), Fingerprint([5, 6, 7, 8]));
        prints.add(&[one, two]).expect("added");
        // The last record was cut off: it is not there, and the next one takes its place.
        let file = OpenOptions::new().write(true).open(&path).expect("the file");
        file.set_len(16 + 64 + 10).expect("cut");
        assert_eq!(prints.alike(&two.1, 0).expect("readable"), []);
        prints.add(&[two]).expect("added");
        assert_eq!(prints.alike(&two.1, 0).expect("readable").len(), 1);
        std::fs::write(&path, b"something else").expect("written");
        assert!(prints.alike(&one.1, 0).is_err_and(|error| error.is_damage()));
        prints.add(&[one]).expect("begun anew");
        assert_eq!(prints.len(), 1);
    }

    #[test]
    fn likeness_is_told_in_hundredths() {
        assert_eq!((likeness(0), likeness(64), likeness(128), likeness(200)), (100, 50, 0, 0));
        assert_eq!((distance_of(100), distance_of(50), distance_of(0)), (0, 64, 128));
        assert!((0..=100).all(|part| likeness(distance_of(part)) >= part));
    }
}
