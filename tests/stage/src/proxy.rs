//! A way to the API server that can be made slow.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Passes connections on, whatever is in them. Ends with its owner.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    delay_ms: AtomicU64,
    open: AtomicUsize,
    ended: AtomicBool,
}

impl Proxy {
    /// Listens on this machine and passes everything on to `target`, a host and a port.
    pub fn start(target: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let (target, accepting) = (target.to_owned(), Arc::clone(&shared));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                // A connection that cannot be passed on is dropped, which its client sees.
                if let Ok(server) = TcpStream::connect(&target) {
                    let _ = pass_on(&client, &server, &accepting);
                }
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, everything sent to the server is held up for so long.
    pub fn delay(&self, delay: Duration) {
        self.shared.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether everything that was sent has been passed on, and all connections have ended.
    pub fn is_idle(&self) -> bool {
        self.shared.open.load(Ordering::Acquire) == 0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // It looks only when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

/// Two threads, one for each direction.
fn pass_on(client: &TcpStream, server: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    for (from, to, is_held_up) in [(client, server, true), (server, client, false)] {
        let (from, to, shared) = (from.try_clone()?, to.try_clone()?, Arc::clone(shared));
        shared.open.fetch_add(1, Ordering::AcqRel);
        thread::spawn(move || {
            copy(&from, &to, is_held_up.then_some(&shared.delay_ms));
            shared.open.fetch_sub(1, Ordering::AcqRel);
        });
    }
    Ok(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, delay_ms: Option<&AtomicU64>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let delay_ms = delay_ms.map_or(0, |delay_ms| delay_ms.load(Ordering::Relaxed));
        if delay_ms > 0 {
            thread::sleep(Duration::from_millis(delay_ms));
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other direction ends by itself once its side has nothing more to say.
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
