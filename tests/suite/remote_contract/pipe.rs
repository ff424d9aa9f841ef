//! A remote at the other end of pipes, in the same process; and what goes wrong on pipes.

use super::{Place, served_lab};
use crate::app_flow::Lab;
use crate::review_kit::House;
use pentimento::app::serve::{Readers, Rights, answer};
use pentimento::base::time::Timestamp;
use pentimento::repo::Repository;
use pentimento::sync::SyncError;
use pentimento::sync::error::SyncResult;
use pentimento::sync::remote::Remote;
use pentimento::sync::wire::pipe::{Dial, Keeper, PipeCarrier, PipeHost, Pipes, serve};
use pentimento::sync::wire::serve::FrameSink;
use pentimento::sync::wire::{Request, WireRemote};
use std::io::{Write as _, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A repository behind pipes.
pub struct PipePlace(Arc<dyn Keeps>);

/// Whoever has a repository to serve.
pub trait Keeps: Send + Sync {
    fn repository(&self) -> &Repository;
}

impl Keeps for Lab {
    fn repository(&self) -> &Repository {
        &self.repository
    }
}

impl Keeps for House {
    fn repository(&self) -> &Repository {
        &self.repository
    }
}

/// The moment at which everything is asked: later than all that people do.
const NOW: Timestamp = Timestamp::utc(1_772_386_000_000);

impl PipePlace {
    pub fn new() -> Self {
        Self(Arc::new(served_lab()))
    }

    pub fn of(house: House) -> Self {
        Self(Arc::new(house))
    }
}

impl Place for PipePlace {
    fn open(&self) -> Box<dyn Remote + '_> {
        Box::new(WireRemote::new(PipeCarrier::new(Dialing { kept: self.0.clone() })))
    }
}

struct Dialing {
    kept: Arc<dyn Keeps>,
}

struct Host {
    kept: Arc<dyn Keeps>,
    readers: Readers,
}

struct Nobody;

impl Keeper for Nobody {
    fn why_silent(&mut self) -> Option<SyncError> {
        None
    }
}

impl PipeHost for Host {
    fn answer(&self, request: Request, out: &mut FrameSink<'_>) -> SyncResult<()> {
        answer(self.kept.repository(), &Rights::local(), &self.readers, (request, NOW), out)
    }
}

impl Dial for Dialing {
    fn address(&self) -> &str {
        "the pipe"
    }

    fn dial(&self) -> SyncResult<Pipes> {
        let (mut asked, ask) = pipe().expect("a pipe");
        let (told, mut tell) = pipe().expect("a pipe");
        let kept = self.kept.clone();
        std::thread::spawn(move || {
            let host = Host { kept, readers: Readers::default() };
            // It ends with an error when the other end goes in the middle of something.
            let _ = serve(&mut asked, &mut tell, &host);
        });
        Ok(Pipes { input: Box::new(told), output: Box::new(ask), keeper: Box::new(Nobody) })
    }
}

/// Says some bytes and nothing more.
struct Saying(Vec<u8>, AtomicUsize);

impl Dial for Saying {
    fn address(&self) -> &str {
        "somewhere"
    }

    fn dial(&self) -> SyncResult<Pipes> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let (told, mut tell) = pipe().expect("a pipe");
        tell.write_all(&self.0).expect("said");
        Ok(Pipes { input: Box::new(told), output: Box::new(std::io::sink()), keeper: Box::new(Nobody) })
    }
}

fn told_by(bytes: &[u8]) -> SyncError {
    let remote = WireRemote::new(PipeCarrier::new(Saying(bytes.to_vec(), AtomicUsize::new(0))));
    remote.describe().expect_err("that is no answer")
}

#[test]
fn what_is_no_greeting_is_named() {
    for (said, shown) in [
        (&b"Welcome to host!\nPENTWIRE\x01\0\x01\0"[..], "Welcome to host!"),
        (b"\x1b[31mred\nPENTWIRE\x01\0\x01\0", "\\\\x1b[31mred"),
        (b"no line endPENTWIRE\x01\0\x01\0", "no line end"),
        (b"bash: pent: command not found\n", "command not found"),
        (b"", "without a word"),
    ] {
        let error = told_by(said);
        assert!(matches!(error, SyncError::NotPent { .. }), "{error:?}");
        assert!(error.to_string().contains(shown), "{error}");
    }
}

#[test]
fn another_version_is_named_with_both() {
    let error = told_by(b"PENTWIRE\x07\0\x09\0");
    assert!(matches!(error, SyncError::OtherVersion { theirs: (7, 9), .. }), "{error:?}");
}

#[test]
fn answers_that_are_none_are_errors_and_broken_ones_are_asked_for_again() {
    let greeting = b"PENTWIRE\x01\0\x01\0";
    let with = |rest: &[u8]| [greeting.as_slice(), rest].concat();
    // A frame that is too long, one of an unknown kind, a request, a value that is none.
    for rest in
        [&[2, 0, 0, 0, 255][..], &[99, 0, 0, 0, 0], &[1, 0, 0, 0, 0], &[2, 1, 0, 0, 0, 9, 5, 0, 0, 0, 0]]
    {
        let error = told_by(&with(rest));
        let named = matches!(error, SyncError::NotPent { .. } | SyncError::Invalid { .. });
        assert!(named, "{rest:?}: {error:?}");
    }
    for rest in [&[][..], &[2, 9, 0, 0, 0, 1], &[5, 0]] {
        let saying = Saying(with(rest), AtomicUsize::new(0));
        let carrier = PipeCarrier::new(saying);
        let remote = WireRemote::new(carrier);
        let error = remote.describe().expect_err("that is no answer");
        assert!(matches!(error, SyncError::Unreachable { .. }), "{rest:?}: {error:?}");
    }
}

#[test]
fn an_answer_to_another_question_is_refused() {
    // Two flags where a description was asked for.
    let flags = [2, 4, 0, 0, 0, 1, 2, 2, 3, 5, 0, 0, 0, 0];
    let error = told_by(&[b"PENTWIRE\x01\0\x01\0".as_slice(), &flags].concat());
    assert!(matches!(error, SyncError::Invalid { .. }), "{error:?}");
}
