//! The running ssh-agent: the program that holds keys so that nobody types a passphrase twice.
//!
//! The protocol is that of the IETF draft "SSH Agent Protocol" (draft-miller-ssh-agent): messages
//! with a length in front, one answer to each question. What answers may be anything that listens
//! at that socket, so lengths are bounded, waiting ends, and every signature is checked.

use crate::object::signature::{Namespace, PublicKey, Signature, signed_bytes, verify, wire};
use crate::trust::{Signer, TrustError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// Asks an RSA key to hash with SHA-512; other keys take no notice.
const FLAG_RSA_SHA2_512: u32 = 4;
/// Longest answer, in bytes, as OpenSSH bounds it.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Most keys of an agent, as OpenSSH bounds them.
const KEYS_MAX: usize = 2048;
/// How long to wait for a list of keys, and for a signature that a person may have to allow.
const LIST_WAIT: Duration = Duration::from_secs(10);
const SIGN_WAIT: Duration = Duration::from_secs(120);
/// Most pieces in which an answer may come: one that drips in would keep a command waiting.
const READS_MAX: usize = 1024;

/// A key that an agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentKey {
    /// The key.
    pub key: PublicKey,
    /// What the agent calls it; nobody vouches for it.
    pub comment: String,
}

/// The keys of the agent at `socket` that can sign here; others are passed over.
pub fn list(socket: &Path) -> Result<Vec<AgentKey>, TrustError> {
    let wrap = |source| TrustError::Agent { socket: socket.to_owned(), source };
    let mut stream = connect(socket, LIST_WAIT).map_err(wrap)?;
    let answer = ask(&mut stream, &[REQUEST_IDENTITIES]).map_err(wrap)?;
    read_keys(&answer).map_err(|_| TrustError::AgentAnswer { socket: socket.to_owned() })
}

/// Signs with one key of an agent.
#[derive(Debug, Clone)]
pub struct AgentSigner {
    socket: PathBuf,
    key: PublicKey,
}

impl AgentSigner {
    /// A signer with a key that [`list`] has shown.
    pub fn new(socket: &Path, key: &PublicKey) -> Self {
        Self { socket: socket.to_owned(), key: key.clone() }
    }
}

impl Signer for AgentSigner {
    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn sign(&self, namespace: Namespace, statement: &[u8]) -> Result<Signature, TrustError> {
        let wrap = |source| TrustError::Agent { socket: self.socket.clone(), source };
        let mut question = vec![SIGN_REQUEST];
        wire::put_string(&mut question, self.key.blob());
        wire::put_string(&mut question, &signed_bytes(namespace, statement));
        question.extend_from_slice(&FLAG_RSA_SHA2_512.to_be_bytes());
        let mut stream = connect(&self.socket, SIGN_WAIT).map_err(wrap)?;
        let answer = ask(&mut stream, &question).map_err(wrap)?;
        let refused = || TrustError::AgentRefused { fingerprint: self.key.fingerprint() };
        let raw = read_signature(&answer).ok_or_else(refused)?;
        let signature = Signature::from_raw(&self.key, namespace, raw)?;
        verify(statement, &signature, namespace)?;
        Ok(signature)
    }
}

#[cfg(unix)]
fn connect(socket: &Path, wait: Duration) -> io::Result<std::os::unix::net::UnixStream> {
    let stream = std::os::unix::net::UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(LIST_WAIT))?;
    Ok(stream)
}

#[cfg(not(unix))]
fn connect(_: &Path, _: Duration) -> io::Result<std::net::TcpStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "agents are reached on Unix only"))
}

/// Sends one message and reads one.
fn ask(stream: &mut (impl Read + Write), question: &[u8]) -> io::Result<Vec<u8>> {
    let mut message = (question.len() as u32).to_be_bytes().to_vec();
    message.extend_from_slice(question);
    stream.write_all(&message)?;
    let mut reads = READS_MAX;
    let mut length = [0u8; 4];
    fill(stream, &mut length, &mut reads)?;
    let length = u32::from_be_bytes(length) as usize;
    if length == 0 || length > ANSWER_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer of an impossible length"));
    }
    let mut answer = vec![0u8; length];
    fill(stream, &mut answer, &mut reads)?;
    Ok(answer)
}

fn fill(stream: &mut impl Read, mut buffer: &mut [u8], reads: &mut usize) -> io::Result<()> {
    while !buffer.is_empty() {
        *reads = reads
            .checked_sub(1)
            .ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "the answer comes too slowly"))?;
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => buffer = &mut buffer[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads the list of keys; an answer that is not one is an error, a key of another kind is not.
pub(super) fn read_keys(answer: &[u8]) -> Result<Vec<AgentKey>, wire::WireError> {
    let mut reader = wire::WireReader::new(answer);
    let (kind, count) = (reader.u8()?, reader.u32()? as usize);
    if kind != IDENTITIES_ANSWER || count > KEYS_MAX {
        return Err(wire::WireError);
    }
    let mut keys = Vec::new();
    for _ in 0..count {
        let blob = reader.string(ANSWER_BYTES_MAX)?;
        let comment = reader.string(ANSWER_BYTES_MAX)?;
        if let Ok(key) = PublicKey::from_blob(blob) {
            keys.push(AgentKey { key, comment: String::from_utf8_lossy(comment).into_owned() });
        }
    }
    reader.finish()?;
    Ok(keys)
}

pub(super) fn read_signature(answer: &[u8]) -> Option<&[u8]> {
    let mut reader = wire::WireReader::new(answer);
    if reader.u8().ok()? != SIGN_RESPONSE {
        return None;
    }
    let raw = reader.string(ANSWER_BYTES_MAX).ok()?;
    reader.finish().ok().map(|()| raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::LocalKey;
    use proptest::prelude::*;

    /// An agent that says what it was told to, a few bytes at a time.
    struct Scripted {
        answer: Vec<u8>,
        at: usize,
        step: usize,
    }

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.step.min(buffer.len()).min(self.answer.len() - self.at);
            buffer[..count].copy_from_slice(&self.answer[self.at..self.at + count]);
            self.at += count;
            Ok(count)
        }
    }

    impl Write for Scripted {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer_of(length: u32, body: &[u8], step: usize) -> io::Result<Vec<u8>> {
        let mut answer = length.to_be_bytes().to_vec();
        answer.extend_from_slice(body);
        ask(&mut Scripted { answer, at: 0, step }, &[REQUEST_IDENTITIES])
    }

    #[test]
    fn answers_that_are_too_long_too_short_or_too_slow_end_the_waiting() {
        assert_eq!(answer_of(3, b"abc", 1).unwrap(), b"abc");
        let kind = |result: io::Result<Vec<u8>>| result.unwrap_err().kind();
        assert_eq!(kind(answer_of(u32::MAX, b"", 9)), io::ErrorKind::InvalidData);
        assert_eq!(kind(answer_of(0, b"", 9)), io::ErrorKind::InvalidData);
        assert_eq!(kind(answer_of(4, b"abc", 9)), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(answer_of(4096, &[7; 4096], 1)), io::ErrorKind::TimedOut);
    }

    #[test]
    fn keys_of_other_kinds_are_passed_over_and_lies_about_their_number_refused() {
        let key = LocalKey::from_seed(&[1; 32]).unwrap().public_key().clone();
        let mut answer = vec![IDENTITIES_ANSWER, 0, 0, 0, 2];
        wire::put_string(&mut answer, b"\0\0\0\x07ssh-dss");
        wire::put_string(&mut answer, b"old");
        wire::put_string(&mut answer, key.blob());
        wire::put_string(&mut answer, b"laptop \xff");
        let keys = read_keys(&answer).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!((&keys[0].key, keys[0].comment.as_str()), (&key, "laptop \u{fffd}"));
        for count in [0, 1, 3, u32::MAX] {
            answer[1..5].copy_from_slice(&count.to_be_bytes());
            assert!(read_keys(&answer).is_err(), "{count}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_brings_the_reader_down(answer in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_keys(&answer);
            let _ = read_signature(&answer);
            let mut framed = answer.clone();
            framed.insert(0, IDENTITIES_ANSWER);
            let _ = read_keys(&framed);
        }
    }
}
