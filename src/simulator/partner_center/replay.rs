//! Writes are idempotent per `MS-RequestId`: <https://learn.microsoft.com/en-us/partner-center/developer/headers>.
//!
//! A repeated write gets the stored answer and changes nothing. Method, path and body belong to the key, because a caller
//! may use one id for everything it does. Reads are never replayed, and refused writes are judged anew. Who asks is
//! examined each time: a stored answer is for nobody whom the write itself would be refused to.

use sha2::{Digest, Sha256};

use super::caller::{Needs, authenticate};
use crate::simulator::exchange::{Outcome, Request};
use crate::simulator::replays::Key;
use crate::simulator::state::State;

/// Carries a write out, unless it was carried out before under the same id. Either way the caller is one that the
/// operation `needs`.
pub(super) fn once(
    state: &mut State,
    request: &Request,
    needs: Needs,
    write: impl FnOnce(&mut State, &Request) -> Outcome,
) -> Outcome {
    let Some(key) = request.header("MS-RequestId").map(|id| key(request, id)) else {
        return write(state, request);
    };
    if let Some(stored) = state.replays.answers.get(&key) {
        authenticate(state, request, needs)?;
        return Ok(stored.clone());
    }
    let answer = write(state, request)?;
    if answer.effective {
        state.replays.store(key, &answer);
    }
    Ok(answer)
}

fn key(request: &Request, id: &str) -> Key {
    let part = |text: &str| Sha256::digest(text.to_lowercase());
    Sha256::new()
        .chain_update(part(id))
        .chain_update(part(request.method.as_str()))
        .chain_update(part(&request.path))
        .chain_update(Sha256::digest(&request.body))
        .finalize()
        .into()
}
