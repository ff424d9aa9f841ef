//! A compound file: sectors in chains, of which streams are made; short streams share one of the long ones.

use super::{long, short, wide};
use crate::media::decoder::DecodeError;
use crate::media::input::Input;

/// Largest table of chains, in entries: enough for files of 2 GiB.
const CHAINS_MAX: usize = 4 << 20;
/// Longest directory, in bytes: 8192 streams and folders.
const DIRECTORY_MAX: usize = 1 << 20;
/// Longest stream that short streams share, in bytes.
const SHARED_MAX: usize = 16 << 20;
/// Streams shorter than this lie in the shared one.
const SHORT_STREAM: u64 = 4096;
/// Greatest number of a sector; those above mean something else.
const SECTOR_MAX: u32 = 0xffff_fffa;

/// A compound file with its tables.
pub(super) struct Compound<'r, 'a> {
    input: &'r mut Input<'a>,
    sector: usize,
    short_sector: usize,
    chains: Vec<u32>,
    short_chains: Vec<u32>,
    entries: Vec<Entry>,
    shared: Option<Vec<u8>>,
}

/// A stream, or a folder of such.
struct Entry {
    name: String,
    is_stream: bool,
    beside: [u32; 2],
    child: u32,
    start: u32,
    size: u64,
}

fn damaged() -> DecodeError {
    DecodeError::Damaged("its table of streams is damaged".to_owned())
}

impl<'r, 'a> Compound<'r, 'a> {
    /// Reads the tables and the directory.
    pub fn open(input: &'r mut Input<'a>) -> Result<Self, DecodeError> {
        let head = input.exactly_at(0, 512).map_err(|_| damaged())?;
        let sizes = short(&head, 30).zip(short(&head, 32)).ok_or_else(damaged)?;
        let (9 | 12, 6) = sizes else { return Err(damaged()) };
        let (sector, short_sector) = (1usize << sizes.0, 1usize << sizes.1);
        let mut compound = Self {
            input,
            sector,
            short_sector,
            chains: Vec::new(),
            short_chains: Vec::new(),
            entries: Vec::new(),
            shared: None,
        };
        compound.chains = compound.read_chains(&head)?;
        let start = |at: usize| long(&head, at).ok_or_else(damaged);
        let directory = compound.chain(start(48)?, DIRECTORY_MAX)?;
        compound.entries = directory.chunks_exact(128).map(Entry::read).collect();
        let short_chains = compound.chain(start(60)?, CHAINS_MAX)?;
        compound.short_chains = numbers(&short_chains).collect();
        Ok(compound)
    }

    /// The table of chains: which sector follows on which. Its own sectors are listed in the head, and where there
    /// are more of them, in sectors that lead to each other.
    fn read_chains(&mut self, head: &[u8]) -> Result<Vec<u32>, DecodeError> {
        let sectors = (self.input.len() / self.sector as u64) as usize;
        let entries_each = self.sector / 4;
        let wanted = sectors.min(CHAINS_MAX).div_ceil(entries_each);
        let mut places: Vec<u32> = numbers(&head[76..]).take_while(|place| *place <= SECTOR_MAX).collect();
        let mut next = long(head, 68).unwrap_or(u32::MAX);
        while places.len() < wanted && next <= SECTOR_MAX {
            let list = self.sector_at(next)?;
            let mut list: Vec<u32> = numbers(&list).collect();
            next = list.pop().unwrap_or(u32::MAX);
            let before = places.len();
            places.extend(list.into_iter().take_while(|place| *place <= SECTOR_MAX));
            if places.len() == before {
                break;
            }
        }
        let mut chains = Vec::new();
        for place in places.into_iter().take(wanted) {
            chains.extend(numbers(&self.sector_at(place)?));
        }
        Ok(chains)
    }

    /// A sector; the last one of a file may be cut short.
    fn sector_at(&mut self, number: u32) -> Result<Vec<u8>, DecodeError> {
        let bytes = self.input.read_at((u64::from(number) + 1) * self.sector as u64, self.sector)?;
        if bytes.is_empty() { Err(damaged()) } else { Ok(bytes) }
    }

    /// The bytes of a chain, at most so many.
    fn chain(&mut self, start: u32, most: usize) -> Result<Vec<u8>, DecodeError> {
        let (mut bytes, mut at) = (Vec::new(), start);
        while at <= SECTOR_MAX && bytes.len() < most {
            bytes.extend(self.sector_at(at)?);
            at = *self.chains.get(at as usize).ok_or_else(damaged)?;
        }
        bytes.truncate(most);
        Ok(bytes)
    }

    /// The stream of that name that lies in no folder; `None` when there is none. Of a longer one, `most` bytes.
    pub fn stream(&mut self, name: &str, most: usize) -> Result<Option<Vec<u8>>, DecodeError> {
        let Some((start, size)) = self.find(name) else { return Ok(None) };
        let wanted = usize::try_from(size).unwrap_or(usize::MAX).min(most);
        if size >= SHORT_STREAM {
            return self.chain(start, wanted).map(Some);
        }
        let shared = match self.shared.take() {
            Some(shared) => shared,
            None => {
                let root = self.entries.first().map(|root| (root.start, root.size)).ok_or_else(damaged)?;
                self.chain(root.0, usize::try_from(root.1).unwrap_or(usize::MAX).min(SHARED_MAX))?
            }
        };
        let (mut bytes, mut at) = (Vec::new(), start);
        while at <= SECTOR_MAX && bytes.len() < wanted {
            let from = at as usize * self.short_sector;
            let to = (from + self.short_sector).min(shared.len());
            bytes.extend(shared.get(from..to).filter(|part| !part.is_empty()).ok_or_else(damaged)?);
            at = *self.short_chains.get(at as usize).ok_or_else(damaged)?;
        }
        self.shared = Some(shared);
        bytes.truncate(wanted);
        Ok(Some(bytes))
    }

    /// Where a stream of the topmost folder begins, and its size: the entries of a folder are a tree.
    fn find(&self, name: &str) -> Option<(u32, u64)> {
        let mut open = vec![self.entries.first()?.child];
        // Damaged trees may lead back to themselves.
        for _ in 0..self.entries.len() * 2 {
            let Some(entry) = self.entries.get(open.pop()? as usize) else { continue };
            if entry.is_stream && entry.name == name {
                return Some((entry.start, entry.size));
            }
            open.extend(entry.beside.iter().filter(|place| **place <= SECTOR_MAX));
        }
        None
    }
}

impl Entry {
    fn read(bytes: &[u8]) -> Self {
        let number = |at: usize| long(bytes, at).unwrap_or(u32::MAX);
        let name_bytes = usize::from(short(bytes, 64).unwrap_or(0)).min(64);
        Self {
            name: wide(&bytes[..name_bytes]),
            is_stream: bytes[66] == 2,
            beside: [number(68), number(72)],
            child: number(76),
            start: number(116),
            // In files with sectors of 512 bytes the upper half may hold anything.
            size: u64::from(number(120)),
        }
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|part| u32::from_le_bytes([part[0], part[1], part[2], part[3]]))
}
