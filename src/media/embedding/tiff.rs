//! A packet in a TIFF file (tag 700): the first directory is written once more at the end, with the packet's place
//! in it, and the header leads there. Nothing that stood in the file moves.

use super::Edit;
use crate::media::decoder::DecodeError;
use crate::media::input::Input;

/// The tag of a packet, and the type of its bytes.
const TAG: u64 = 700;
const BYTES: u64 = 1;
/// Most entries of a directory.
const ENTRIES_MAX: u64 = 4096;

/// How numbers are written.
#[derive(Clone, Copy)]
struct Form {
    big_endian: bool,
    /// Whether offsets have eight bytes (BigTIFF).
    large: bool,
}

impl Form {
    fn read(self, bytes: &[u8]) -> u64 {
        let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
    }

    fn write(self, value: u64, length: usize) -> Vec<u8> {
        let bytes = value.to_be_bytes();
        let mut bytes = bytes[8 - length..].to_vec();
        if !self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    const fn offset(self) -> usize {
        if self.large { 8 } else { 4 }
    }

    const fn count(self) -> usize {
        if self.large { 8 } else { 2 }
    }

    /// Bytes of an entry: tag, type, count, value or its place.
    const fn entry(self) -> usize {
        4 + 2 * self.offset()
    }
}

pub(super) fn edits(input: &mut Input<'_>, packet: &[u8]) -> Result<Vec<Edit>, DecodeError> {
    let damaged = || DecodeError::Damaged("its first directory is not as it should be".to_owned());
    let head = input.read_at(0, 16)?;
    let big_endian = head.starts_with(b"MM");
    let mut form = Form { big_endian, large: false };
    form.large = match head.get(2..4).map(|version| form.read(version)) {
        Some(42) => false,
        Some(43) => true,
        _ => return Err(damaged()),
    };
    let place = if form.large { 8 } else { 4 };
    let start = form.read(head.get(place..place + form.offset()).ok_or_else(damaged)?);
    let count = form.read(&input.exactly_at(start, form.count())?);
    if count == 0 || count > ENTRIES_MAX {
        return Err(damaged());
    }
    let table =
        input.exactly_at(start + form.count() as u64, count as usize * form.entry() + form.offset())?;
    let (entries, next) = table.split_at(count as usize * form.entry());
    // The packet begins where numbers may stand, and so does the directory behind it.
    let end = input.len();
    let at = end.next_multiple_of(2);
    let mut added = vec![0; (at - end) as usize];
    added.extend(packet);
    added.resize(added.len() + (at as usize + packet.len()) % 2, 0);
    let directory = end + added.len() as u64;
    let own = [
        form.write(TAG, 2),
        form.write(BYTES, 2),
        form.write(packet.len() as u64, form.offset()),
        form.write(at, form.offset()),
    ];
    let tag = |entry: &[u8]| form.read(&entry[..2]);
    let mut all: Vec<Vec<u8>> =
        entries.chunks_exact(form.entry()).filter(|entry| tag(entry) != TAG).map(<[u8]>::to_vec).collect();
    let behind = all.iter().position(|entry| tag(entry) > TAG).unwrap_or(all.len());
    all.insert(behind, own.concat());
    added.extend(form.write(all.len() as u64, form.count()));
    added.extend(all.concat());
    added.extend(next);
    if !form.large && end + added.len() as u64 > u64::from(u32::MAX) {
        return Err(DecodeError::TooLarge("the file is as long as such a file may be".to_owned()));
    }
    Ok(vec![
        Edit {
            at: place as u64,
            removed: form.offset() as u64,
            inserted: form.write(directory, form.offset()),
        },
        Edit::put_in(end, added),
    ])
}
