//! How much is on its way at a time. What is, and was not noted as taken, is sent again by whoever goes on
//! after a kill: so that is never more than one pack.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of parcels that are on their way at most: one pack. A longer parcel travels alone. Of those that are gone on
/// with after they were cut off, the place itself knows how much may be on its way.
const BYTES_MAX: u64 = 32 << 20;

/// Lets parcels set out in the order in which they come, as long as there is room on the way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    road: Mutex<Road>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Road {
    bytes: u64,
    /// The number of the next parcel that comes, and that of the next that sets out.
    coming: u64,
    leaving: u64,
}

/// A parcel on its way, until this is dropped.
#[derive(Debug)]
pub(super) struct Travelling<'a> {
    way: &'a UnderWay,
    bytes: u64,
}

impl UnderWay {
    /// Waits until there is room for a parcel of so many bytes.
    pub(super) fn set_out(&self, bytes: u64) -> Travelling<'_> {
        let mut road = self.road();
        let number = road.coming;
        road.coming += 1;
        while road.leaving != number || (road.bytes > 0 && road.bytes + bytes > BYTES_MAX) {
            road = self.changed.wait(road).unwrap_or_else(PoisonError::into_inner);
        }
        road.leaving += 1;
        road.bytes += bytes;
        drop(road);
        self.changed.notify_all();
        Travelling { way: self, bytes }
    }

    fn road(&self) -> MutexGuard<'_, Road> {
        self.road.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Travelling<'_> {
    fn drop(&mut self) {
        self.way.road().bytes -= self.bytes;
        self.way.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn never_more_than_one_pack_is_on_its_way_and_everything_arrives() {
        let lengths = [8 << 20, 31 << 20, 1, 40 << 20, 12 << 20, 12 << 20, 8 << 20, 1 << 20];
        let (way, now, most, done) =
            (UnderWay::default(), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (way, now, most, done) = (&way, &now, &most, &done);
                scope.spawn(move || {
                    for length in lengths.iter().cycle().skip(start).take(40).copied() {
                        let travelling = way.set_out(length);
                        let here = now.fetch_add(length, Ordering::SeqCst) + length;
                        assert!(here <= BYTES_MAX || here == length, "{here} bytes with one of {length}");
                        most.fetch_max(here, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(length, Ordering::SeqCst);
                        drop(travelling);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 160);
        assert_eq!(most.into_inner(), 40 << 20, "what is longer than a pack travels alone");
    }

    #[test]
    fn short_parcels_travel_side_by_side() {
        let way = UnderWay::default();
        let all: Vec<Travelling<'_>> = (0..4).map(|_| way.set_out(8 << 20)).collect();
        assert_eq!(way.road().bytes, 32 << 20);
        drop(all);
        assert_eq!(way.road().bytes, 0);
    }
}
