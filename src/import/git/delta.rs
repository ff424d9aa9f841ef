//! Blobs that a pack has as a difference to another object, put together in files instead of memory: a
//! difference is a row of pieces, copied from the other object or new (gitformat-pack(5)).

use std::fs::{self, File};
use std::io::{self, BufWriter, Error, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest content that is put together, in bytes.
pub const CONTENT_BYTES_MAX: u64 = 1 << 40;
/// How much is copied at once, in bytes.
const STEP_BYTES: usize = 256 << 10;

/// A new file in `folder` that goes when it is closed.
pub fn nameless_file(folder: &Path) -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("git-blob-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Refuses content for which the file system has no room.
pub fn check_room(file: &File, bytes: u64) -> io::Result<()> {
    let space = rustix::fs::fstatvfs(file)?;
    let room = space.f_bavail.saturating_mul(space.f_frsize);
    if bytes > CONTENT_BYTES_MAX || bytes > room / 10 * 9 {
        return Err(Error::other("there is no room to put it together"));
    }
    Ok(())
}

/// What a difference is one to.
pub trait Base {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Fills `buffer` from a place on.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Base for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

/// Applies a difference to what is in `base`, and gives how many bytes were written to `out`, which are
/// as many as the difference says.
pub fn apply(base: &File, delta: &mut dyn Read, out: &File) -> io::Result<u64> {
    let mut written = BufWriter::with_capacity(STEP_BYTES, out);
    let length = apply_to(base, delta, &mut written, &|length| check_room(out, length))?;
    written.flush()?;
    Ok(length)
}

/// The same for any place; `allow` is asked how much may be written.
pub fn apply_to(
    base: &dyn Base,
    delta: &mut dyn Read,
    out: &mut dyn Write,
    allow: &dyn Fn(u64) -> io::Result<()>,
) -> io::Result<u64> {
    if read_length(delta)? != base.length()? {
        return Err(broken("it is a difference to something of another length"));
    }
    let length = read_length(delta)?;
    allow(length)?;
    let (mut left, mut buffer) = (length, vec![0; STEP_BYTES]);
    while let Some(code) = next_byte(delta)? {
        let (count, from) = match code {
            0 => return Err(broken("it has a piece of no kind")),
            code if code & 0x80 == 0 => (u64::from(code), None),
            code => {
                let offset = read_bits(delta, code & 0x0f)?;
                let size = read_bits(delta, (code >> 4) & 0x07)?;
                (if size == 0 { 0x1_0000 } else { size }, Some(offset))
            }
        };
        left = left.checked_sub(count).ok_or_else(|| broken("it is longer than it says"))?;
        match from {
            Some(offset) => copy(base, offset, count, &mut buffer, out)?,
            None => {
                let piece = &mut buffer[..count as usize];
                delta.read_exact(piece)?;
                out.write_all(piece)?;
            }
        }
    }
    if left == 0 { Ok(length) } else { Err(broken("it is shorter than it says")) }
}

fn copy(base: &dyn Base, offset: u64, count: u64, buffer: &mut [u8], out: &mut dyn Write) -> io::Result<()> {
    let (mut at, end) = (offset, offset + count);
    while at < end {
        let step = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        base.read_at(&mut buffer[..step], at)?;
        out.write_all(&buffer[..step])?;
        at += step as u64;
    }
    Ok(())
}

/// A number of which the bits of `present` say which bytes stand there, the lowest first.
fn read_bits(input: &mut dyn Read, present: u8) -> io::Result<u64> {
    let mut number = 0;
    for position in (0..4).filter(|position| present & (1 << position) != 0) {
        let byte = next_byte(input)?.ok_or_else(|| broken("it ends early"))?;
        number |= u64::from(byte) << (8 * position);
    }
    Ok(number)
}

fn read_length(input: &mut dyn Read) -> io::Result<u64> {
    let mut length = 0u64;
    for position in 0..9 {
        let byte = next_byte(input)?.ok_or_else(|| broken("it ends early"))?;
        length |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Ok(length);
        }
    }
    Err(broken("its length is no number"))
}

fn next_byte(input: &mut dyn Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match input.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn broken(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("a difference in a pack is broken: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, bytes: &[u8]) -> File {
        let mut file = nameless_file(folder).expect("a file");
        file.write_all(bytes).expect("written");
        file
    }

    fn applied(base: &[u8], delta: &[u8]) -> io::Result<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a folder");
        let (base, out) = (file(folder.path(), base), nameless_file(folder.path()).expect("a file"));
        let length = apply(&base, &mut &*delta, &out)?;
        let mut bytes = vec![0; length as usize];
        out.read_exact_at(&mut bytes, 0).expect("what was written");
        Ok(bytes)
    }

    #[test]
    fn pieces_are_copied_and_inserted_and_lengths_are_held_to() {
        // Copies 3 bytes from place 2, inserts `xy`, copies 2 bytes from place 0.
        let delta = [&[6u8, 7, 0x91, 2, 3, 2][..], b"xy", &[0x90, 2]].concat();
        assert_eq!(applied(b"abcdef", &delta).expect("content"), b"cdexyab");
        for cut in 0..delta.len() {
            assert!(applied(b"abcdef", &delta[..cut]).is_err(), "cut at {cut}");
        }
        assert!(applied(b"abcde", &delta).is_err(), "another base");
        let beyond = [6u8, 3, 0x91, 5, 3];
        assert!(applied(b"abcdef", &beyond).is_err(), "beyond the end of the base");
        let longer = [&[6u8, 1, 2][..], b"xy"].concat();
        assert!(applied(b"abcdef", &longer).is_err(), "more than it says");
        assert!(applied(b"abcdef", &[6, 0, 0]).is_err(), "no kind");
        let bomb = [6u8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x90, 6];
        assert!(applied(b"abcdef", &bomb).is_err(), "more than there is room for");
    }
}
