//! Plain values that every floor uses: ids, names and paths, time, the canonical codec, and the
//! [`Monitor`](monitor::Monitor) through which long work reports. Nothing here does input or output.

pub mod candidates;
pub mod codec;
pub mod csv;
pub mod escape;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod id;
pub mod local_path;
pub mod lookalike;
pub mod memory;
pub mod monitor;
pub mod path;
pub mod ref_name;
pub mod size;
pub mod time;
