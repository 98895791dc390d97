//! An answer on its way out: its headers, and its body whole, slow or broken off.

use std::io;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt as _};
use hyper::ext::ReasonPhrase;
use tokio::time::sleep;

use super::connection::Connection;
use super::exchange::{Answer, Delivery};
use super::issued::Sent;

/// The response that carries `answer` out over `connection`.
pub(crate) fn response(answer: Answer, connection: &Connection) -> Response {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name.as_ref(), value);
    }
    let text = answer.body.unwrap_or_default();
    if !text.is_empty() && !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        builder = builder.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    }
    if let Delivery::Cut { has_length: true, .. } | Delivery::Reset { .. } = answer.delivery {
        builder = builder.header(header::CONTENT_LENGTH, text.len());
    }
    let mut response = match builder.body(body(text, answer.delivery, connection, answer.sent)) {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, "an answer could not be written");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    if let Some(reason) = answer.reason {
        match ReasonPhrase::try_from(reason) {
            Ok(reason) => drop(response.extensions_mut().insert(reason)),
            Err(error) => tracing::warn!(%error, "a reason phrase cannot be sent"),
        }
    }
    response
}

/// `sent` is told once the whole of it has left.
fn body(text: String, delivery: Delivery, connection: &Connection, sent: Option<Sent>) -> Body {
    match delivery {
        Delivery::Whole if text.is_empty() => Body::empty(),
        Delivery::Whole => {
            connection.tell(sent);
            Body::from(text)
        }
        Delivery::Drip { bytes, pause } => {
            let pieces: Vec<Vec<u8>> = text.into_bytes().chunks(bytes.max(1)).map(<[u8]>::to_vec).collect();
            let pieces = stream::iter(pieces).then(move |piece| async move {
                sleep(pause).await;
                Ok::<_, io::Error>(piece)
            });
            let connection = connection.clone();
            let end = stream::once(async move { connection.tell(sent) }).filter_map(async |()| None);
            Body::from_stream(pieces.chain(end))
        }
        Delivery::Cut { after_bytes, .. } => broken_off(text, after_bytes, None),
        Delivery::Reset { after_bytes } => broken_off(text, after_bytes, Some(connection.clone())),
    }
}

/// The beginning of `text`, then an error, at which the server ends the connection.
fn broken_off(text: String, after_bytes: usize, reset: Option<Connection>) -> Body {
    let mut beginning = text.into_bytes();
    beginning.truncate(after_bytes);
    let beginning = stream::once(async { Ok(beginning) });
    let end = stream::once(async move {
        // Else the error would overtake the bytes, which the server writes when it has nothing else to do.
        tokio::task::yield_now().await;
        if let Some(connection) = reset {
            connection.reset();
        }
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(beginning.chain(end))
}
