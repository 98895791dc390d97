//! Connections, plain or with TLS, that the simulator can end without an answer, as a failing network does.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::issued::Sent;

/// How long a client may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections that agree on TLS at the same time, at most; further ones wait.
const HANDSHAKES_MAX: usize = 1_000;

/// One client's connection, as a handler sees it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    scheme: &'static str,
    cut: Arc<AtomicBool>,
    is_reset: Arc<AtomicBool>,
    /// Who waits for an answer that is on its way out.
    leaving: Arc<Mutex<Vec<Sent>>>,
}

impl Connection {
    fn new(scheme: &'static str) -> Self {
        Self { scheme, cut: Arc::default(), is_reset: Arc::default(), leaving: Arc::default() }
    }

    /// How its client came: `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// From now on nothing more is sent: whatever the handler answers, the client sees the connection end.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// When the connection ends, it does so by a reset, as if the other machine had died.
    pub(crate) fn reset(&self) {
        self.is_reset.store(true, Ordering::Relaxed);
    }

    /// Has `sent`, if there is any, told when what is about to be written has left: whatever was written before a flush has
    /// left with it.
    pub(crate) fn tell(&self, sent: Option<Sent>) {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner).extend(sent);
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

impl Connected<IncomingStream<'_, AcceptTls>> for Connection {
    fn connect_info(stream: IncomingStream<'_, AcceptTls>) -> Self {
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
        let stream = accept(&mut self.0, Connection::new("http")).await;
        let connection = stream.connection.clone();
        (stream, connection)
    }

    fn local_addr(&self) -> io::Result<Connection> {
        Ok(Connection::new("http"))
    }
}

/// The same, with TLS. A client that is slow to agree keeps nobody else waiting.
#[derive(Debug)]
pub(crate) struct AcceptTls {
    listener: TcpListener,
    acceptor: Acceptor,
    handshakes: JoinSet<Option<(TlsStream<Stream>, Connection)>>,
}

/// The library's own has no `Debug`.
#[derive(Clone)]
struct Acceptor(TlsAcceptor);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

impl AcceptTls {
    pub(crate) fn new(listener: TcpListener, acceptor: TlsAcceptor) -> Self {
        Self { listener, acceptor: Acceptor(acceptor), handshakes: JoinSet::new() }
    }

    fn begin(&mut self, stream: Stream) {
        let Acceptor(acceptor) = self.acceptor.clone();
        self.handshakes.spawn(async move {
            let connection = stream.connection.clone();
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => return Some((stream, connection)),
                // Most often a client that does not trust the authority, and it says so itself.
                Ok(Err(error)) => tracing::info!(%error, "a client did not agree on TLS: does it trust ca.pem?"),
                Err(_) => tracing::info!("a client took too long to agree on TLS"),
            }
            None
        });
    }
}

impl Listener for AcceptTls {
    type Io = TlsStream<Stream>;
    type Addr = Connection;

    async fn accept(&mut self) -> (TlsStream<Stream>, Connection) {
        loop {
            let has_room = self.handshakes.len() < HANDSHAKES_MAX;
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(accepted)) = done {
                        return accepted;
                    }
                }
                stream = accept(&mut self.listener, Connection::new("https")), if has_room => self.begin(stream),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Connection> {
        Ok(Connection::new("https"))
    }
}

async fn accept(listener: &mut TcpListener, connection: Connection) -> Stream {
    let (inner, _) = Listener::accept(listener).await;
    if let Err(error) = inner.set_nodelay(true) {
        tracing::debug!(%error, "small answers may be late on this connection");
    }
    Stream { inner, connection }
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
