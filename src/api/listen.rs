//! Connections: where they come in, how many there may be, and how the service ends.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use futures::future::BoxFuture;
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::router::{App, router};
use super::tls::{TlsError, TlsFiles, keep};
use crate::serve::Service;

/// Connections at one time; one more is closed at once.
const CONNECTIONS_MAX: usize = 2_048;

/// How long a connection may take for the head of a request, and wait for the next.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// How long what is written may wait for whoever reads it.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// Requests of one HTTP/2 connection at one time.
const STREAMS_MAX: u32 = 128;

/// How long requests that are under way may take when the service ends.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Where the service listens.
#[derive(Debug, Clone)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// The certificate; without it, plain HTTP.
    pub tls: Option<TlsFiles>,
}

/// Why the service does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Credentials and values would travel in the clear.
    #[error("`{0}` is not a loopback address, and there is no certificate")]
    PlainBeyondLoopback(SocketAddr),
    /// Something else listens there, or the address is not of this machine.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system ended it.
    #[error("the service stopped listening")]
    Io(#[from] io::Error),
}

/// Listens, says where, and answers until `ended` comes; then what is under way is finished.
///
/// # Errors
///
/// [`ListenError`] where it cannot listen.
pub async fn serve(
    listen: Listen,
    service: Arc<Service>,
    listening: impl FnOnce(SocketAddr),
    ended: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ListenError> {
    let Listen { address, tls } = listen;
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(ListenError::PlainBeyondLoopback(address));
    }
    let config = tls.as_ref().map(TlsFiles::config).transpose()?.map(RustlsConfig::from_config);
    let bind = |source| ListenError::Bind { address, source };
    let listener = TcpListener::bind(address).map_err(bind)?;
    listener.set_nonblocking(true).map_err(bind)?;
    let bound = listener.local_addr().map_err(bind)?;

    let app = App::new(service);
    let make = router(&app).into_make_service();
    let handle = Handle::new();
    let ending = handle.clone();
    tokio::spawn(async move {
        ended.await;
        ending.graceful_shutdown(Some(END_WITHIN));
    });
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    limit(&mut server);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    listening(bound);
    if let (Some(config), Some(files)) = (config, tls) {
        let keeper = tokio::spawn(keep(files, config.clone()));
        let inner = RustlsAcceptor::new(config).acceptor(NoDelayAcceptor::new());
        let ended = server.acceptor(Bounded { inner, places }).serve(make).await;
        keeper.abort();
        ended?;
    } else {
        let inner = NoDelayAcceptor::new();
        server.acceptor(Bounded { inner, places }).serve(make).await?;
    }
    Ok(())
}

fn limit(server: &mut Server<SocketAddr>) {
    let builder = server.http_builder();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(HEAD_WITHIN))
        .keep_alive_timeout(HEAD_WITHIN);
}

/// Accepts while there is a place.
#[derive(Clone)]
struct Bounded<A> {
    inner: A,
    places: Arc<Semaphore>,
}

impl<A, I, S> Accept<I, S> for Bounded<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
    A::Stream: Send,
    A::Service: Send,
{
    type Stream = Held<A::Stream>;
    type Service = A::Service;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let accepting = place.is_ok().then(|| self.inner.accept(stream, service));
        Box::pin(async move {
            let full = || io::Error::other("there are too many connections");
            let (place, accepting) = place.ok().zip(accepting).ok_or_else(full)?;
            let (stream, service) = accepting.await?;
            Ok((Held { stream, stalled: None, read_within: READ_WITHIN, _place: place }, service))
        })
    }
}

/// A connection and its place. Whoever asks and does not read the answer loses both after a while.
struct Held<T> {
    stream: T,
    /// Runs while something waits to be written.
    stalled: Option<Pin<Box<Sleep>>>,
    read_within: Duration,
    _place: OwnedSemaphorePermit,
}

impl<T> Held<T> {
    /// Passes on what came of writing; fails where it has waited for too long.
    fn within<R>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled =
            self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.read_within)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Held<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Held<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.within(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.within(context, shut)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.within(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn who_does_not_read_what_he_asked_for_loses_his_connection() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).try_acquire_owned().unwrap();
        let (near, mut far) = tokio::io::duplex(16);
        let read_within = Duration::from_millis(100);
        let mut held = Held { stream: near, stalled: None, read_within, _place: place };

        // Whoever reads may take his time between reads.
        let mut bytes = [0; 16];
        for _ in 0..3 {
            held.write_all(&[7; 16]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(120)).await;
            far.read_exact(&mut bytes).await.unwrap();
        }
        let error = held.write_all(&[7; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(held);
        assert_eq!(places.available_permits(), 1);
    }
}
