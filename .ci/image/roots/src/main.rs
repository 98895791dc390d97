//! Prints Mozilla's certificate authorities as one PEM bundle: the `/etc/ssl/certs/ca-certificates.crt` of the images.
//!
//! They come from a crate whose version `Cargo.lock` pins, and not from the machine that builds, so that every build of a commit trusts
//! the same ones.

use std::io::{self, Write as _};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Characters in a line of PEM (RFC 7468).
const WIDTH: usize = 64;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for certificate in TLS_SERVER_ROOT_CERTS {
        let encoded = BASE64_STANDARD.encode(certificate);
        writeln!(out, "-----BEGIN CERTIFICATE-----")?;
        for line in encoded.as_bytes().chunks(WIDTH) {
            out.write_all(line)?;
            writeln!(out)?;
        }
        writeln!(out, "-----END CERTIFICATE-----")?;
    }
    out.flush()
}
