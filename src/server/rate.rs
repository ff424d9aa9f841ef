//! How often one address may ask.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Addresses that are kept in mind at a time.
const ADDRESSES_MAX: usize = 10_000;

/// What one customer of a network has: one address of the old kind, a block of 2^64 of the new.
pub fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(new) => IpAddr::from((u128::from(new) >> 64 << 64).to_be_bytes()),
        old @ IpAddr::V4(_) => old,
    }
}

/// So many requests at once, and so many a second from then on.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// At once.
    pub burst: f64,
    /// A second.
    pub each_second: f64,
}

/// Counts requests by address.
pub struct Limiter {
    rate: Rate,
    left: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Limiter {
    /// A limiter that has seen nobody.
    pub fn new(rate: Rate) -> Self {
        Self { rate, left: Mutex::new(HashMap::new()) }
    }

    /// Counts a request; `false` when it is one too many.
    pub fn take(&self, address: IpAddr, now: Instant) -> bool {
        let address = whose(address);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = self.rate;
        let refilled = |(left, since): (f64, Instant)| {
            let seconds = now.saturating_duration_since(since).as_secs_f64();
            (left + seconds * rate.each_second).min(rate.burst)
        };
        if left.len() >= ADDRESSES_MAX && !left.contains_key(&address) {
            left.retain(|_, entry| refilled(*entry) < rate.burst);
            // So many busy addresses are an attack: begin anew rather than grow.
            if left.len() >= ADDRESSES_MAX {
                left.clear();
            }
        }
        let entry = left.entry(address).or_insert((rate.burst, now));
        *entry = (refilled(*entry), now);
        if entry.0 < 1.0 {
            return false;
        }
        entry.0 -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn whoever_has_a_block_of_addresses_counts_once() {
        let limiter = Limiter::new(Rate { burst: 3.0, each_second: 0.0 });
        let now = Instant::now();
        let of = |text: &str| text.parse().expect("an address");
        let taken = (0..9).filter(|number| limiter.take(of(&format!("2001:db8:0:1::{number}")), now)).count();
        assert_eq!(taken, 3);
        assert!(limiter.take(of("2001:db8:0:2::1"), now) && limiter.take(of("192.0.2.1"), now));
        assert_eq!(whose(of("::ffff:192.0.2.1")), of("192.0.2.1"));
    }

    #[test]
    fn a_burst_is_allowed_and_then_so_many_a_second() {
        let limiter = Limiter::new(Rate { burst: 3.0, each_second: 2.0 });
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let now = Instant::now();
        let taken = (0..5).filter(|_| limiter.take(one, now)).count();
        assert_eq!(taken, 3);
        assert!(limiter.take(other, now), "others are not held up");
        let later = now + Duration::from_secs(1);
        assert_eq!((0..5).filter(|_| limiter.take(one, later)).count(), 2);
    }
}
