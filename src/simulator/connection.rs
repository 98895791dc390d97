//! Connections that the simulator can end without an answer, as a failing network does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::issued::Sent;

/// One client's connection, as a handler sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    cut: Arc<AtomicBool>,
    is_reset: Arc<AtomicBool>,
    /// Who waits for an answer that is on its way out.
    leaving: Arc<Mutex<Vec<Sent>>>,
}

impl Connection {
    /// From now on nothing more is sent: whatever the handler answers, the client sees the connection end.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// When the connection ends, it does so by a reset, as if the other machine had died.
    pub(crate) fn reset(&self) {
        self.is_reset.store(true, Ordering::Relaxed);
    }

    /// Has `sent` told when the answer that the handler is about to give has left. Answers leave in their order, and
    /// whatever was written before a flush has left with it.
    pub(crate) fn tell(&self, sent: Sent) {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    }

    fn flushed(&self) {
        for sent in self.leaving.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            sent.whole();
        }
    }
}

impl Connected<IncomingStream<'_, Accept>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Accept>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Accepts connections that can be cut.
#[derive(Debug)]
pub(crate) struct Accept(pub(crate) TcpListener);

impl Listener for Accept {
    type Io = Stream;
    // The server hands a connection's address to its handlers; the address itself is of no use here.
    type Addr = Connection;

    async fn accept(&mut self) -> (Stream, Connection) {
        let (inner, _) = Listener::accept(&mut self.0).await;
        if let Err(error) = inner.set_nodelay(true) {
            tracing::debug!(%error, "small answers may be late on this connection");
        }
        let connection = Connection::default();
        (Stream { inner, connection: connection.clone() }, connection)
    }

    fn local_addr(&self) -> io::Result<Connection> {
        Ok(Connection::default())
    }
}

/// The bytes of a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    inner: TcpStream,
    connection: Connection,
}

impl Stream {
    fn check(&self) -> io::Result<()> {
        if self.connection.cut.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.connection.is_reset.load(Ordering::Relaxed)
            && let Err(error) = self.inner.set_zero_linger()
        {
            tracing::debug!(%error, "a connection that was to be reset is closed instead");
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.connection.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
