//! Lists a folder: its names, sorted, in one piece of memory.

use rustix::fd::AsFd;
use rustix::fs::FileType;
use std::io;

/// Where a name stands in [`Listing::heap`], and what the system said it is.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    length: u16,
    kind: FileType,
}

/// The names in a folder, sorted by their bytes.
#[derive(Debug, Default)]
pub struct Listing {
    heap: Vec<u8>,
    places: Vec<Place>,
}

impl Listing {
    /// Reads an open folder. `.` and `..` are left out.
    pub fn read(folder: impl AsFd) -> io::Result<Self> {
        let mut listing = Self::default();
        listing.read_entries(folder)?;
        let heap = std::mem::take(&mut listing.heap);
        listing.places.sort_unstable_by(|left, right| slice(&heap, left).cmp(slice(&heap, right)));
        listing.heap = heap;
        Ok(listing)
    }

    #[cfg(target_os = "linux")]
    fn read_entries(&mut self, folder: impl AsFd) -> io::Result<()> {
        // 32 KiB is what the C library uses; names have at most 255 bytes, so any entry fits.
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut entries = rustix::fs::RawDir::new(folder, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            self.add(entry.file_name().to_bytes(), entry.file_type())?;
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn read_entries(&mut self, folder: impl AsFd) -> io::Result<()> {
        for entry in rustix::fs::Dir::read_from(folder)? {
            let entry = entry?;
            self.add(entry.file_name().to_bytes(), entry.file_type())?;
        }
        Ok(())
    }

    fn add(&mut self, name: &[u8], kind: FileType) -> io::Result<()> {
        if name == b"." || name == b".." {
            return Ok(());
        }
        let too_large = |_| io::Error::other("the folder is too large");
        let start = u32::try_from(self.heap.len()).map_err(too_large)?;
        let length = u16::try_from(name.len()).map_err(too_large)?;
        self.heap.extend_from_slice(name);
        self.places.push(Place { start, length, kind });
        Ok(())
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// A name by its position, and what the system said it is (it may say `Unknown`).
    pub fn get(&self, position: usize) -> Option<(&[u8], FileType)> {
        self.places.get(position).map(|place| (slice(&self.heap, place), place.kind))
    }

    /// All names in order, and what the system said they are.
    pub fn names(&self) -> impl Iterator<Item = (&[u8], FileType)> {
        self.places.iter().map(|place| (slice(&self.heap, place), place.kind))
    }

    /// What the system said a name is.
    pub fn find(&self, name: &[u8]) -> Option<FileType> {
        let found = self.places.binary_search_by(|place| slice(&self.heap, place).cmp(name));
        found.ok().and_then(|position| self.places.get(position)).map(|place| place.kind)
    }
}

fn slice<'a>(heap: &'a [u8], place: &Place) -> &'a [u8] {
    let start = place.start as usize;
    heap.get(start..start + usize::from(place.length)).unwrap_or_default()
}
