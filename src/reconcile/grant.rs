//! What a grant needs right before it is sent: a fresh look at whether it is still wished.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Resource as _;
use tokio::time::Instant;

use super::driver::{Kind, Pass};
use super::error::Error;
use super::{namespaces, patches};
use crate::model::TenantId;

/// How long after it was made sure of a grant is sent at the latest, for the first time or again: whoever takes a grant
/// back has to reckon with this, and with the time that a request may then be under way.
///
/// It is as long as that time (`write_timeout`): long enough for a turn that ran out to be followed by the next one and for
/// quick failures to be repeated, and too short for a repetition of what got no answer. That is left to the next pass, which
/// reads the policy first.
pub(super) const GRANT_SENT_WITHIN: Duration = Duration::from_secs(10);

/// Longest time from the beginning of a pass to a grant. The facts behind it were recent when the pass began.
const GRANT_PASS_MAX: SignedDuration = SignedDuration::from_mins(5);

/// A claim that was made in the same pass longer ago than this does not do for a look at the object.
const LOOKED_AT_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl<K: Kind> Pass<'_, K> {
    /// Makes sure of a grant: meanwhile it may have been taken back, or the namespace may not act for the customer any more.
    /// Gives the moment for which that is certain.
    pub(super) async fn make_sure(&self, tenant: TenantId) -> Result<Instant, Error> {
        if Timestamp::now().duration_since(self.now) > GRANT_PASS_MAX {
            return Err(Error::Late);
        }
        let namespace = self.object.meta().namespace.as_deref().ok_or(Error::Anonymous)?;
        let may_act = namespaces::confirm::make_sure(self.context, namespace, tenant);
        // A claim has asked for the object already.
        if let Some(at) = self.claimed_at.filter(|at| at.elapsed() <= LOOKED_AT_AGAIN_AFTER) {
            may_act.await?;
            return Ok(at);
        }
        let at = Instant::now();
        futures::try_join!(self.confirm(), may_act)?;
        Ok(at)
    }

    /// Asks the API server whether the object is still as it was planned with: a watch may stall, and a grant that was
    /// taken back meanwhile must not go out. A revoke does not wait for this.
    async fn confirm(&self) -> Result<(), Error> {
        let planned = self.object.meta();
        let current = patches::read(&self.context.client, self.object.as_ref()).await?;
        let now = current.meta();
        let is_same = (&now.uid, now.generation, &now.deletion_timestamp, &now.finalizers)
            == (&planned.uid, planned.generation, &planned.deletion_timestamp, &planned.finalizers)
            && now.annotations == planned.annotations;
        if is_same { Ok(()) } else { Err(Error::Outdated) }
    }
}
