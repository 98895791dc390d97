//! Hands the reconciler what it needs, once this replica may act.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;

use super::credentials::Tied;
use super::health::{Check, Standing};
use super::process::{ControllersError, Leading};
use crate::plan::schedule::Intervals;
use crate::reconcile;
use crate::remote::{Calls, CredentialError, CredentialSource, Remote};

/// How often it is looked whether the sign-in has been changed; looking costs nothing.
const LOOK_AT_SIGN_IN: Duration = Duration::from_secs(2);

/// Runs the controllers until no new work shall be begun, and what was under way is finished.
pub async fn controllers(leading: Leading) -> Result<(), ControllersError> {
    let Leading { settings, client, installation, fence, credentials, metrics, readiness, shutdown } = leading;
    let credentials: Arc<dyn CredentialSource> =
        Arc::new(Tied::new(credentials, client.clone(), &settings, readiness.clone()));
    let calls = Calls::default();
    let counters = reconcile::Metrics::default();
    metrics.register(|registry| {
        calls.register(registry);
        counters.register(registry);
    });
    let remote = Remote::new(&settings.endpoints, settings.limits.clone(), credentials.clone(), fence, calls)?
        .with_app_only_reads(settings.app_only_reads);
    metrics.register(|registry| remote.register(registry));

    let (sign_in, sign_in_changes) = watch::channel(0_u64);
    let (stop, stopped) = watch::channel(false);
    let (is_complete, mut complete) = watch::channel(false);
    readiness.set(Check::Caches, Standing::Missing("the objects are being listed".to_owned()));

    let work = reconcile::run(
        client,
        remote,
        reconcile::Settings {
            namespace: settings.namespace.clone(),
            state_config_map: settings.state_configmap.clone(),
            lease: settings.lease_name.clone(),
            instance: settings.identity.clone(),
            installation,
            intervals: Intervals {
                resync: signed(settings.resync),
                prerequisites: signed(settings.prerequisite_interval),
                purchases: signed(settings.purchase_interval),
            },
            grants_per_hour_max: settings.max_grants_per_hour,
            allow_all_namespaces: settings.allow_all_namespaces,
            may_assign_owners: settings.allow_owner_assignment,
            may_purchase_plans: settings.allow_plan_purchase,
            activity_interval: settings.activity_interval,
            concurrency: settings.concurrency,
            reconcile_timeout: settings.reconcile_timeout,
            metrics: counters,
        },
        is_complete,
        sign_in_changes,
        stopped,
    );
    let announce = async {
        shutdown.requested().await;
        stop.send_replace(true);
        std::future::pending::<()>().await;
    };
    let report = async {
        // An error means that the work has ended first.
        if complete.wait_for(|is_complete| *is_complete).await.is_ok() {
            readiness.set(Check::Caches, Standing::Ready);
        }
        std::future::pending::<()>().await;
    };
    let look = async {
        let (mut generation, mut was_invalid) = (None, false);
        loop {
            match credentials.current().await {
                Ok(current) => {
                    // One that was missing or incomplete may be back as it was, and objects wait for it all the same.
                    if was_invalid || generation.as_ref().is_some_and(|known| *known != current.generation) {
                        sign_in.send_modify(|changes| *changes += 1);
                    }
                    (generation, was_invalid) = (Some(current.generation), false);
                }
                Err(CredentialError::Invalid { .. } | CredentialError::OtherPartner { .. }) => was_invalid = true,
                Err(CredentialError::Unavailable(_)) => {}
            }
            tokio::time::sleep(LOOK_AT_SIGN_IN).await;
        }
    };
    tokio::select! {
        ended = work => ended.map_err(Into::into),
        () = announce => Ok(()),
        () = report => Ok(()),
        () = look => Ok(()),
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
