//! Takes a panic of the database for what it is. redb trusts what it wrote itself and panics over pages
//! that somebody else changed; here that is an error with a name.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::store::error::{Result, StoreError};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Runs something that the database may panic over.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T> {
    DEPTH.set(DEPTH.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    DEPTH.set(DEPTH.get() - 1);
    outcome.map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        StoreError::DatabaseDamaged { detail: said.unwrap_or_else(|| "it cannot be read".to_owned()) }
    })
}

/// Keeps panics quiet that become errors; all others are told as before. For a program to call once,
/// before it opens a repository.
pub fn quiet_guarded_panics() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A thread that is ending has no such number any more, and guards nothing.
        if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
            told(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_words() {
        let error = guarded(|| -> u32 { panic!("page {} is odd", 7) }).unwrap_err();
        assert!(matches!(error, StoreError::DatabaseDamaged { detail } if detail == "page 7 is odd"));
        assert!(matches!(guarded(|| 3), Ok(3)));
    }
}
