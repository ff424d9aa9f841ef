//! Memory that was freed and that the allocator keeps.

/// From how many elements on it is worth giving back what a list took.
pub const MANY: usize = 100_000;

/// Gives back to the system what the allocator keeps of freed memory, where there is such a call.
///
/// Lists of a million things that were made of a thousand smaller ones leave the smaller ones' room
/// behind, in pieces that are no use to the next list.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes no pointer, and the allocator guards itself against other threads.
    unsafe {
        libc::malloc_trim(0);
    }
}
