//! The requests of a [`Remote`](crate::sync::Remote) as bytes, whatever carries them.
//!
//! ```text
//! client                              server
//! request frame            ->
//!                          <-         bundle or block frames, any number of them
//!                          <-         one value frame, or none
//!                          <-         end frame, or fault frame
//! ```
//!
//! A [`Carrier`] brings one request over and the frames of its answer back: a pipe ([`pipe`]), with ssh
//! in between or not, or HTTP. [`WireRemote`] makes a remote of a carrier, [`serve::answer`] answers
//! with one. An answer that does not end in an end or fault frame was cut short.
//!
//! `docs/protocol.md` has the bytes.

pub mod answer;
pub mod client;
pub mod fault;
pub mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod greeting;
pub mod pipe;
pub mod request;
pub mod serve;

pub use answer::Answer;
pub use client::{Carrier, WireRemote};
pub use fault::Fault;
pub use frame::{Frame, FrameKind};
pub use request::{Request, Verb};
