//! Connections: accepted, spoken TLS with, bounded in number and patience, ended without breaking work.

use crate::server::handle::handle;
use crate::server::rate::whose;
use crate::server::state::State;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::future::Future as _;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Connections at a time, and of them from one address.
const CONNECTIONS_MAX: usize = 1024;
const CONNECTIONS_EACH: usize = 256;
/// How long the head of a request may take, and how long a connection may be idle before one.
const HEAD_TIME_MAX: Duration = Duration::from_secs(20);
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what it is sent.
const STALL_MAX: Duration = Duration::from_secs(60);
/// Longest head of a request in bytes, and its most headers.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Accepts connections until told to stop, then lets those that are open finish.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    state: Arc<State>,
    stop: &(dyn Fn() -> bool + Sync),
    grace: Duration,
) -> io::Result<()> {
    let acceptor = tls.map(TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let each = Arc::new(Each::default());
    let (tell, told) = watch::channel(false);
    let mut tasks = JoinSet::new();
    while !stop() {
        let (stream, peer) = match timeout(LOOK, listener.accept()).await {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => {
                // Too many open files, or somebody who was gone already: it passes.
                state.note(&format!("a connection could not be accepted: {error}"));
                sleep(LOOK).await;
                continue;
            }
            Err(_) => {
                while tasks.try_join_next().is_some() {}
                continue;
            }
        };
        let Some(place) = each.enter(whose(peer.ip()), state.behind_proxy) else { continue };
        let Ok(permit) = room.clone().try_acquire_owned() else { continue };
        // Small answers leave at once; without it they only leave later.
        let _ = stream.set_nodelay(true);
        let (state, acceptor, told) = (state.clone(), acceptor.clone(), told.clone());
        tasks.spawn(async move {
            let _held = (permit, place);
            match acceptor {
                None => serve(stream, peer.ip(), state, told).await,
                Some(acceptor) => {
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream)).await {
                        serve(stream, peer.ip(), state, told).await;
                    }
                }
            }
        });
    }
    drop(listener);
    let _ = tell.send(true);
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = timeout(grace, all).await;
    Ok(())
}

async fn serve<S>(stream: S, peer: IpAddr, state: Arc<State>, mut told: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| handle(request, peer, state.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Impatient::new(stream)), service);
    tokio::pin!(connection);
    // How a connection ended is the client's business.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = told.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Counts connections by address.
#[derive(Default)]
struct Each(Mutex<HashMap<IpAddr, usize>>);

struct Place(Arc<Each>, IpAddr);

impl Each {
    fn enter(self: &Arc<Self>, address: IpAddr, behind_proxy: bool) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= CONNECTIONS_EACH && !behind_proxy {
            return None;
        }
        *count += 1;
        Some(Place(self.clone(), address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Ends a connection whose other end takes nothing for too long.
struct Impatient<S> {
    stream: S,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    const fn new(stream: S) -> Self {
        Self { stream, stalled: None }
    }

    fn watch<T>(
        stalled: &mut Option<Pin<Box<Sleep>>>,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            *stalled = None;
            return outcome;
        }
        let end =
            stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + STALL_MAX)));
        match end.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let outcome = Pin::new(&mut this.stream).poll_write(context, bytes);
        Self::watch(&mut this.stalled, context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let outcome = Pin::new(&mut this.stream).poll_flush(context);
        Self::watch(&mut this.stalled, context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
