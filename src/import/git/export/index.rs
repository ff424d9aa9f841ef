//! The index of a pack, version 2 of gitformat-pack(5). The ids, checksums and places of all objects are
//! known from writing them, so that nothing has to be unpacked again to find them.

use crate::base::id::GitId;
use gix::hash::Kind as HashKind;
use std::io::{self, Write};

const SIGNATURE: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];
/// Places from here on stand in a table of their own.
const FAR: u64 = 1 << 31;

/// Where an object lies in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its id.
    pub id: GitId,
    /// CRC-32 of its bytes in the pack, its header included.
    pub crc: u32,
    /// Where these begin.
    pub offset: u64,
}

/// Writes the index of a pack that ends in `pack_checksum`. Entries must be sorted by id.
pub fn write(entries: &[Entry], pack_checksum: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut out = Hashed { out, hasher: gix::hash::hasher(HashKind::Sha1) };
    out.write_all(&SIGNATURE)?;
    let mut below = 0;
    for first in 0..=u8::MAX {
        below += entries[below..].partition_point(|entry| entry.id.as_bytes()[0] <= first);
        // A pack holds no more objects than 32 bits can count.
        out.write_all(&(below as u32).to_be_bytes())?;
    }
    for entry in entries {
        out.write_all(entry.id.as_bytes())?;
    }
    for entry in entries {
        out.write_all(&entry.crc.to_be_bytes())?;
    }
    let mut far: Vec<u64> = Vec::new();
    for entry in entries {
        let place = if entry.offset < FAR {
            entry.offset as u32
        } else {
            far.push(entry.offset);
            FAR as u32 | (far.len() as u32 - 1)
        };
        out.write_all(&place.to_be_bytes())?;
    }
    for offset in far {
        out.write_all(&offset.to_be_bytes())?;
    }
    out.write_all(pack_checksum)?;
    let Hashed { out, hasher } = out;
    let checksum = hasher.try_finalize().map_err(|error| io::Error::other(error.to_string()))?;
    out.write_all(checksum.as_bytes())
}

/// Writes and hashes.
struct Hashed<'a> {
    out: &'a mut dyn Write,
    hasher: gix::hash::Hasher,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_finds_everything_where_it_was_put_also_beyond_two_gigabytes() {
        let mut entries: Vec<Entry> = (0u32..600)
            .map(|number| {
                let hash = blake3::hash(&number.to_le_bytes());
                let id = GitId::from_slice(&hash.as_bytes()[..20]).expect("an id");
                let offset =
                    if number % 3 == 0 { FAR + u64::from(number) * 5_000_000_000 } else { u64::from(number) };
                Entry { id, crc: number ^ 0xdead_beef, offset }
            })
            .collect();
        entries.sort_unstable();
        let mut bytes = Vec::new();
        write(&entries, &[7; 20], &mut bytes).expect("an index");
        let index =
            gix_pack::index::File::from_data(bytes, "x.idx".into(), HashKind::Sha1).expect("an index");
        assert_eq!(index.num_objects(), 600);
        for entry in entries {
            let id = gix::ObjectId::Sha1(*entry.id.as_bytes());
            let position = index.lookup(id).expect("an object");
            assert_eq!(index.pack_offset_at_index(position), entry.offset);
            assert_eq!(index.crc32_at_index(position), Some(entry.crc));
        }
    }
}
