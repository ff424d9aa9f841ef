//! Answers on their way: frames from a thread, sent as fast as the client takes them.

use crate::sync::wire::fault::Fault;
use crate::sync::wire::frame::{Frame, FrameKind};
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Frame as BodyFrame, SizeHint};
use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, Sleep};

/// How long a client hears nothing while its request is worked on.
pub(super) const WAIT: Duration = Duration::from_secs(10);

/// A part of an answer.
#[derive(Debug)]
pub(super) struct Part {
    /// What the whole answer has for a status, should this be its first part.
    pub status: StatusCode,
    /// One frame.
    pub bytes: Bytes,
}

impl Part {
    pub(super) fn frame(kind: FrameKind, payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(payload.len() + crate::sync::wire::frame::HEADER_BYTES);
        bytes.extend_from_slice(&Frame::header(kind, payload.len()));
        bytes.extend_from_slice(payload);
        Self { status: StatusCode::OK, bytes: bytes.into() }
    }

    pub(super) fn fault(fault: &Fault) -> Self {
        Self { status: status_of(fault), ..Self::frame(FrameKind::Fault, &fault.encode()) }
    }
}

/// The status that says about the same as a fault.
fn status_of(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Moved { .. } | Fault::LogMoved { .. } | Fault::Outdated | Fault::OtherRepository { .. } => {
            StatusCode::CONFLICT
        }
        Fault::Refused { .. } | Fault::LogRefused { .. } | Fault::NotAllowed { .. } => StatusCode::FORBIDDEN,
        Fault::Missing { .. } | Fault::TurnedDown { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Fault::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
        Fault::Nothing => StatusCode::NOT_FOUND,
        Fault::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Failed { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        Fault::SignIn { .. } => StatusCode::UNAUTHORIZED,
    }
}

/// The body of an answer.
pub(super) struct Outgoing {
    first: Option<Bytes>,
    rest: Option<mpsc::Receiver<Part>>,
    wait: Pin<Box<Sleep>>,
    // Given back when the answer was sent.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Outgoing {
    /// All of it at once.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            first: Some(bytes.into()),
            rest: None,
            wait: Box::pin(tokio::time::sleep(WAIT)),
            _permit: None,
        }
    }

    /// Something at once, the rest as it comes.
    pub(super) fn stream(first: Bytes, rest: mpsc::Receiver<Part>, permit: OwnedSemaphorePermit) -> Self {
        let wait = Box::pin(tokio::time::sleep(WAIT));
        Self { first: Some(first), rest: Some(rest), wait, _permit: Some(permit) }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let known = self.first.as_ref().map_or(0, Bytes::len) as u64;
        if self.rest.is_none() { SizeHint::with_exact(known) } else { SizeHint::default() }
    }

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        let data = |bytes| Poll::Ready(Some(Ok(BodyFrame::data(bytes))));
        if let Some(first) = self.first.take() {
            return data(first);
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        match rest.poll_recv(context) {
            Poll::Ready(Some(part)) => {
                self.wait.as_mut().reset(Instant::now() + WAIT);
                data(part.bytes)
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.wait.as_mut().poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    self.wait.as_mut().reset(Instant::now() + WAIT);
                    data(Part::frame(FrameKind::Wait, &[]).bytes)
                }
            },
        }
    }
}
