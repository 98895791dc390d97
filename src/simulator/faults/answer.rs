//! The words in which a fault says what is to happen.

use serde::{Deserialize, Serialize};

use super::edit::{Edit, NextLink};
use super::status::StatusAnswer;
use crate::simulator::control_call::ControlCall;

/// What happens to a request that a fault hits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum FaultAnswer {
    /// Another answer than the right one.
    Status(Box<StatusAnswer>),
    /// The right status with a body that is not JSON. The request takes effect.
    Garbage,
    /// The right answer, altered. The request takes effect.
    Edit(Edit),
    /// The right page of a list with another link to the next.
    NextLink { form: NextLink },
    /// The right answer, its body sent so slowly. The request takes effect.
    Drip { bytes: usize, every_ms: u64 },
    /// The right answer, which breaks off after so many bytes of its body. The request takes effect.
    Cut { after_bytes: usize, how: CutHow },
    /// The connection ends without an answer.
    Disconnect { applied: bool },
    /// The right answer, late. A caller who gives up before the effect prevents it.
    Delay { delay_ms: u64, applied: bool },
    /// The request is held up on its way and takes effect later, even when the caller has given up.
    Late { delay_ms: u64 },
    /// The right answer; and right after it was made, before anybody else's turn, these calls of the control API.
    Then { calls: Vec<ControlCall> },
}

/// How a body breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CutHow {
    /// `Content-Length` promises the whole body; the connection ends before.
    Length,
    /// Sent in chunks, of which the last never comes.
    Chunked,
    /// The connection is reset.
    Reset,
}

impl FaultAnswer {
    /// Whether it can be carried out; else a sentence with the field that is in the way, and what is allowed there.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Status(status) => status.check(),
            Self::Edit(edit) => edit.check(),
            Self::Drip { bytes: 0, .. } => Err("bytes is at least 1".to_owned()),
            Self::Garbage
            | Self::Then { .. }
            | Self::NextLink { .. }
            | Self::Drip { .. }
            | Self::Cut { .. }
            | Self::Disconnect { .. }
            | Self::Delay { .. }
            | Self::Late { .. } => Ok(()),
        }
    }
}
