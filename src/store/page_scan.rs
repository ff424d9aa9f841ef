//! Reads whatever a database file still says, page by page, when it cannot be opened any more.
//!
//! A leaf page of redb (file format 3) whose keys and values have no fixed length is: 1 (u8), unused
//! (u8), number of pairs *n* (u16), *n* ends of keys, *n* ends of values (u32 each, from the start of
//! the page), keys, values. Pages begin at multiples of 4,096 bytes. What is found may be out of
//! date, or no leaf at all: whoever asks has to know a true row when seeing one.

use std::path::Path;

use crate::store::disk::{Disk, DiskFile, read_around};
use crate::store::error::{IoContext, Result};

const PAGE_BYTES: u64 = 4096;
/// Longest page that is believed, in bytes: larger than any record that is ever stored.
const LEAF_BYTES_MAX: u64 = 64 << 20;
const LEAF: u8 = 1;

/// Shows every pair of a key and a value that stands in what looks like a leaf page.
pub fn scan_pages(disk: &dyn Disk, path: &Path, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
    let file = disk.open(path, false).during("opening", path)?;
    let length = file.len().during("reading", path)?;
    let mut offset = 0;
    while offset < length {
        let mut page = vec![0; PAGE_BYTES.min(length - offset) as usize];
        read_around(&*file, &mut page, offset).during("reading", path)?;
        if let Some(whole) = leaf_length(&page).filter(|whole| *whole <= length - offset) {
            if whole > page.len() as u64 {
                page = read_leaf(&*file, path, offset, whole)?;
            }
            show_pairs(&page, each);
        }
        offset += PAGE_BYTES;
    }
    Ok(())
}

fn read_leaf(file: &dyn DiskFile, path: &Path, offset: u64, length: u64) -> Result<Vec<u8>> {
    let mut page = vec![0; length as usize];
    read_around(file, &mut page, offset).during("reading", path)?;
    Ok(page)
}

fn number_at(page: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(page.get(at..at + 4)?.try_into().ok()?) as usize)
}

fn pairs(page: &[u8]) -> Option<usize> {
    let count = usize::from(u16::from_le_bytes(page.get(2..4)?.try_into().ok()?));
    (page.first() == Some(&LEAF) && count > 0).then_some(count)
}

/// Length of the leaf that begins with this page, as far as its table of ends is in the page. The end
/// of the last value is the largest number in it.
pub(super) fn leaf_length(page: &[u8]) -> Option<u64> {
    let count = pairs(page)?;
    // A table that does not fit into the first page means a leaf of a thousand tiny rows or more:
    // its end is then taken from what the page can have at most.
    let end = match number_at(page, 4 + 8 * count - 4) {
        Some(end) => end as u64,
        None => return Some((4 + 8 * count as u64).next_multiple_of(PAGE_BYTES).min(LEAF_BYTES_MAX)),
    };
    (end >= 4 + 8 * count as u64 && end <= LEAF_BYTES_MAX).then_some(end)
}

/// Shows the pairs whose ends are in order and within the page.
pub(super) fn show_pairs(page: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) {
    let Some(count) = pairs(page) else { return };
    let mut key_start = 4 + 8 * count;
    let Some(mut value_start) = number_at(page, 4 + 4 * (count - 1)) else { return };
    for index in 0..count {
        let (Some(key_end), Some(value_end)) =
            (number_at(page, 4 + 4 * index), number_at(page, 4 + 4 * (count + index)))
        else {
            return;
        };
        let (Some(key), Some(value)) = (page.get(key_start..key_end), page.get(value_start..value_end))
        else {
            return;
        };
        each(key, value);
        (key_start, value_start) = (key_end, value_end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RepositoryId;
    use crate::store::fault::FaultDisk;
    use crate::store::{Space, Store, StoreOptions, StoreSettings};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    #[test]
    fn every_row_of_a_database_is_found_in_its_pages() {
        let disk = FaultDisk::new();
        let dir = Path::new("/r/.pent");
        let settings = StoreSettings::new(RepositoryId::from_bytes([7; 16]));
        let store =
            Store::create_on(Arc::new(disk.clone()), dir, &settings, StoreOptions::default()).unwrap();
        let rows: BTreeMap<Vec<u8>, Vec<u8>> = (0..900u32)
            .map(|n| (n.to_be_bytes().to_vec(), vec![n as u8; (n as usize * 37) % 9000]))
            .collect();
        let mut transaction = store.begin().unwrap();
        for (key, value) in &rows {
            transaction.put(Space::Trees, key, value).unwrap();
        }
        transaction.commit().unwrap();
        drop(store);
        let mut found = BTreeMap::new();
        scan_pages(&disk, &dir.join("db.redb"), &mut |key, value| {
            found.insert(key.to_vec(), value.to_vec());
        })
        .unwrap();
        for (key, value) in &rows {
            assert_eq!(found.get(key), Some(value), "{key:?}");
        }
        assert_eq!(found.get(b"settings".as_slice()), Some(&settings.encode()));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_scanned(mut bytes in proptest::collection::vec(any::<u8>(), 0..6000), count in 0u16..40) {
            if bytes.len() > 4 {
                bytes[0] = LEAF;
                bytes[2..4].copy_from_slice(&count.to_le_bytes());
            }
            let _ = leaf_length(&bytes);
            show_pairs(&bytes, &mut |_, _| {});
        }
    }
}
