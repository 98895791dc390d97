//! Whoever waits for room goes on as soon as there is some.

use std::sync::Arc;
use std::time::Duration;

use super::Look;
use crate::plan::ObjectName;
use crate::reconcile::context::Context;
use crate::reconcile::outage::Operator;

/// Between two looks at who may go on.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Has those who wait go on as soon as there is room, and tells once that there is none; for ever.
pub(in crate::reconcile) async fn follow(context: Arc<Context>, operator: Arc<Operator>) {
    let mut is_told = false;
    loop {
        let exists = |name: &ObjectName, uid: &str| {
            context.permissions.get(name).is_some_and(|object| object.metadata.uid.as_deref() == Some(uid))
        };
        let Look { limit, used, waiting, due } = context.brake.look(exists);
        context.metrics.brake(limit, used, waiting);
        for name in &due {
            context.permissions.wake(name);
        }
        if waiting > 0 && !is_told {
            let note = format!(
                "More first grants are due than --max-grants-per-hour ({limit}) lets out; those that wait say GrantBudgetExceeded, and revokes and corrections go on. If somebody has merged what was not meant, take it back now. If it is meant and cannot wait, start the operator with a higher number."
            );
            tracing::warn!(limit, waiting, "{note}");
            operator.tell(&context, "GrantBudgetExceeded", note).await;
        }
        is_told = waiting > 0;
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
