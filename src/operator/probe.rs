//! `csp-operator ready`: what `/readyz` says, for those who have no other program in the container to ask it.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;
use url::Url;

/// Options of `csp-operator ready`.
#[derive(Debug, Args)]
pub struct ReadyArgs {
    /// Where the operator says whether it is ready: http only.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081/readyz")]
    pub url: Url,
}

/// Why nobody is known to be ready.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It answers, and says what is missing; that has been printed.
    #[error("{url} says that it is not ready: {status}")]
    NotReady {
        /// Who was asked.
        url: Url,
        /// The status line.
        status: String,
    },
    /// Not a URL of the operator.
    #[error("{url} is no http:// URL with a host")]
    Url {
        /// As given.
        url: Url,
    },
    /// Nobody answers, or not in HTTP.
    #[error("{url} does not answer: is the operator running, and is this its --health-address?")]
    Silent {
        /// Who was asked.
        url: Url,
        /// The cause.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("could not write to standard output")]
    Print(#[source] io::Error),
}

/// How long connecting, and each reading and writing, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much of an answer is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Asks, prints the answer, and succeeds if it is that the operator is ready.
pub fn ready(args: &ReadyArgs) -> Result<(), ProbeError> {
    let url = &args.url;
    if url.scheme() != "http" || !url.has_host() {
        return Err(ProbeError::Url { url: url.clone() });
    }
    let (status, body) = ask(url).map_err(|source| ProbeError::Silent { url: url.clone(), source })?;
    io::stdout().lock().write_all(body.as_bytes()).map_err(ProbeError::Print)?;
    if status.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(ProbeError::NotReady { url: url.clone(), status })
    }
}

/// The status line and the body of the answer.
fn ask(url: &Url) -> io::Result<(String, String)> {
    let mut stream = connect(&url.socket_addrs(|| None)?)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer comes in one piece, and its end is the end of the connection.
    let host = url.host_str().unwrap_or_default();
    // In one piece too: who reads only once sees all of it.
    stream.write_all(format!("GET {} HTTP/1.0\r\nHost: {host}\r\n\r\n", url.path()).as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.lines().next().filter(|line| line.starts_with("HTTP/")).ok_or_else(no_http)?;
    Ok((status.to_owned(), body.to_owned()))
}

/// Connects to the first of these that can be reached.
fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What comes of this answer.
    fn outcome(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/readyz", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // To its end: closing with something unread resets the connection, and the answer may be lost.
            let mut request = String::new();
            let mut reader = BufReader::new(&stream);
            while !request.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut request).unwrap(), 0, "it ends after {request:?}");
            }
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        let outcome = ready(&ReadyArgs { url: url.parse().unwrap() }).map_err(|error| error.to_string());
        assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\n"));
        outcome.map_err(|said| said.replace(&url, "URL"))
    }

    #[test]
    fn only_status_200_is_ready() {
        assert_eq!(outcome("HTTP/1.1 200 OK\r\n\r\ncrds: ok\n"), Ok(()));
        let missing = outcome("HTTP/1.1 503 Service Unavailable\r\n\r\ncrds: not served\n");
        assert_eq!(missing, Err("URL says that it is not ready: HTTP/1.1 503 Service Unavailable".to_owned()));
        let silent = "URL does not answer: is the operator running, and is this its --health-address?";
        assert_eq!(outcome("hello 200\r\n\r\n"), Err(silent.to_owned()));
        assert_eq!(outcome(""), Err(silent.to_owned()));
    }

    #[test]
    fn other_urls_are_refused() {
        let said = ready(&ReadyArgs { url: "https://127.0.0.1/readyz".parse().unwrap() }).unwrap_err().to_string();
        assert_eq!(said, "https://127.0.0.1/readyz is no http:// URL with a host");
    }
}
