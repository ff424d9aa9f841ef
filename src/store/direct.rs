//! Writes long files past the memory in which the system keeps what files have (`O_DIRECT`).
//!
//! Whoever writes hundreds of megabytes that nobody here reads again soon, and waits until they are durable, has the
//! system copy them, find pages for them and drop what others would read again. Where it can be done, the disk takes
//! them from the writer's own memory.

use std::fs::File;
use std::io;

/// What places, lengths and memory are multiples of: no disk asks for more.
#[cfg(target_os = "linux")]
const STEP: usize = 4096;
/// Bytes that the disk is given at a time.
#[cfg(target_os = "linux")]
const PIECE_BYTES: usize = 2 << 20;

/// Writes the beginning of `bytes` at `offset`, as much as goes past the cache; gives how much that was. The rest is
/// for the caller to write, and to sync all of it. Nobody else uses the open file meanwhile.
#[cfg(target_os = "linux")]
pub(crate) fn write_direct(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let whole = bytes.len() / STEP * STEP;
    if whole == 0 || !offset.is_multiple_of(STEP as u64) {
        return Ok(0);
    }
    let Ok(flags) = fcntl_getfl(file) else { return Ok(0) };
    if fcntl_setfl(file, flags | OFlags::DIRECT).is_err() {
        return Ok(0);
    }
    let written = write_aligned(file, offset, &bytes[..whole]);
    fcntl_setfl(file, flags)?;
    written
}

/// Elsewhere everything goes the usual way.
#[cfg(not(target_os = "linux"))]
pub(crate) fn write_direct(_: &File, _: u64, _: &[u8]) -> io::Result<usize> {
    Ok(0)
}

#[cfg(target_os = "linux")]
fn write_aligned(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    let mut memory = vec![0u8; PIECE_BYTES.min(bytes.len()) + STEP];
    let start = memory.as_ptr().align_offset(STEP);
    let Some(memory) = memory.get_mut(start..) else { return Ok(0) };
    let mut done = 0;
    for piece in bytes.chunks(PIECE_BYTES) {
        let Some(aligned) = memory.get_mut(..piece.len()) else { break };
        aligned.copy_from_slice(piece);
        match file.write_all_at(aligned, offset + done as u64) {
            Ok(()) => done += piece.len(),
            // This file system does not, or the disk is full in the middle: the usual way tells.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, SeekFrom, Write as _};

    #[test]
    fn what_goes_past_the_cache_and_what_does_not_are_one_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bytes: Vec<u8> = (0..5_000_007u32).map(|at| (at.wrapping_mul(at) >> 5) as u8).collect();
        for (start, length) in
            [(0, 5_000_007), (1 << 20, 4096 * 3), (1 << 20, 100), (77, 9_000), (4096, 4096)]
        {
            let path = folder.path().join(format!("{start}-{length}"));
            let mut file =
                File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
            file.write_all(&bytes[..start]).expect("the beginning");
            let part = &bytes[start..start + length.min(bytes.len() - start)];
            let direct = write_direct(&file, start as u64, part).expect("written");
            assert!(direct <= part.len() && (start % 4096 == 0 || direct == 0));
            file.seek(SeekFrom::Start((start + direct) as u64)).expect("a place");
            file.write_all(&part[direct..]).expect("the rest");
            file.sync_all().expect("durable");
            assert!(std::fs::read(&path).expect("a file") == bytes[..start + part.len()], "{start} {length}");
        }
    }
}
