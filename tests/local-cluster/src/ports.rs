//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Error;
use crate::directory::random;

/// Below the ports the kernel gives to outgoing connections (from 32768 on Linux, 49152 on macOS). Otherwise, while the
/// API server is stopped, one of its clients' connection attempts could be given that very port and occupy it.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// Where this process looks next; 0 before its first look. One cursor, so that two control planes started at once in
/// one process never compete; a random start, so that two processes rarely do.
static CURSOR: AtomicU16 = AtomicU16::new(0);

/// A port that was free on 127.0.0.1 a moment ago. Another process may take it before the caller does.
pub(crate) fn free() -> Result<u16, Error> {
    let _ = CURSOR.compare_exchange(0, random_start()?, Ordering::Relaxed, Ordering::Relaxed);
    (FIRST..=LAST)
        .map(|_| next())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or(Error::NoFreePort { from: FIRST, to: LAST })
}

fn next() -> u16 {
    let advance = |port: u16| Some(if port >= LAST { FIRST } else { port + 1 });
    match CURSOR.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance) {
        Ok(port) | Err(port) => port,
    }
}

fn random_start() -> Result<u16, Error> {
    let [low, high, ..] = random()?;
    Ok(FIRST + u16::from_le_bytes([low, high]) % (LAST - FIRST))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes free ports until nobody else was faster.
    fn hold() -> TcpListener {
        (0..20)
            .find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free().unwrap())).ok())
            .expect("a port that stays free")
    }

    #[test]
    fn gives_each_caller_another_port_that_can_be_bound() {
        let (one, two) = (hold(), hold());
        let [one, two] = [one, two].map(|held| held.local_addr().unwrap().port());
        assert_ne!(one, two);
        assert!([one, two].iter().all(|port| (FIRST..=LAST).contains(port)), "{one}, {two}");
    }

    #[test]
    fn passes_over_a_port_in_use() {
        let held: Vec<_> = (0..20).map(|_| hold()).collect();
        CURSOR.store(held[0].local_addr().unwrap().port(), Ordering::Relaxed);
        let port = free().unwrap();
        assert!(held.iter().all(|listener| listener.local_addr().unwrap().port() != port));
    }
}
