//! What must hold on any machine. Counts only: times depend on what else runs.

use super::measure::{Measurement, is_lease};

/// Most remote calls in the first minute after a restart, beyond those that would have been due without one.
const CALLS_AFTER_RESTART_MAX: u64 = 20;
/// Most writes to one new permission until it is `Ready`: finalizer, status, event.
const WRITES_PER_PERMISSION_MAX: u64 = 3;
/// Most writes to one `AzureSubscription` that is in order: status.
const WRITES_PER_SUBSCRIPTION_MAX: u64 = 1;
/// Most writes to one Customer that is in order: status, and status once its permission is on.
const WRITES_PER_CUSTOMER_MAX: u64 = 2;
/// Most writes for one activity record: status, event.
const WRITES_PER_RECORD_MAX: u64 = 2;
/// Objects of the operator's own: the refresh token, how far the activity log was read, that it may be trusted.
const OWN_WRITES_MAX: u64 = 4;

/// The claims that do not hold, in words.
pub(crate) fn broken(measured: &Measurement, objects: u32) -> Vec<String> {
    let objects = u64::from(objects);
    let mut broken = Vec::new();
    let mut claim = |holds: bool, what: String| {
        if !holds {
            broken.push(what);
        }
    };

    let writes = measured.effective_writes;
    claim(writes as u64 == objects, format!("{writes} writes changed a policy; {objects} would have done"));

    let first = measured.first.kubernetes.writes();
    let written = |resource: &str| first.only(|request| request.resource.starts_with(resource)).total();
    let events = |kind: &str| measured.first_events.get(kind).copied().unwrap_or_default();
    for (kind, resource, each_max) in [
        ("Customer", "customers.", WRITES_PER_CUSTOMER_MAX),
        ("AzureSubscription", "azuresubscriptions.", WRITES_PER_SUBSCRIPTION_MAX),
        ("CustomerPurchasePermission", "customerpurchasepermissions.", WRITES_PER_PERMISSION_MAX),
    ] {
        let (written, max) = (written(resource) + events(kind), each_max * objects);
        claim(
            written <= max,
            format!("{written} writes for {objects} objects of kind {kind} until Ready, more than {max}"),
        );
    }

    let own = |resource: &str| ["leases.", "secrets", "configmaps"].iter().any(|prefix| resource.starts_with(prefix));
    let activity = measured.activity.kubernetes.writes().only(|request| !own(&request.resource)).total();
    let max = WRITES_PER_RECORD_MAX * objects;
    claim(activity <= max, format!("{activity} writes for {objects} activity records, more than {max}"));

    let restart = &measured.restart;
    let calls: u64 = restart.remote.values().sum();
    let extra = calls.saturating_sub(measured.restart_timetable as u64);
    claim(
        extra <= CALLS_AFTER_RESTART_MAX,
        format!(
            "{extra} remote calls in the minute after a restart were not due anyway, more than {CALLS_AFTER_RESTART_MAX}"
        ),
    );
    let policy_writes: u64 = restart
        .remote
        .iter()
        .filter(|(operation, _)| operation.ends_with("_self_serve_policy") && !operation.starts_with("get"))
        .map(|(_, count)| *count)
        .sum();
    claim(policy_writes == 0, format!("{policy_writes} writes to Partner Center after a restart"));
    let to_objects = restart.kubernetes.writes().only(|request| !own(&request.resource));
    // A Customer whose purchases had their first turn in that minute says so.
    let first_looks = restart.remote.get("list_reservations").copied().unwrap_or_default();
    claim(
        to_objects.total() <= first_looks,
        format!("more than {first_looks} writes to converged objects after a restart:\n{to_objects}"),
    );
    let to_own = restart.kubernetes.writes().only(|request| own(&request.resource) && !is_lease(&request.resource));
    claim(
        to_own.total() <= OWN_WRITES_MAX,
        format!("more than {OWN_WRITES_MAX} writes to the operator's own objects after a restart:\n{to_own}"),
    );
    let forbidden = [&measured.first, &measured.activity, restart].map(|phase| phase.kubernetes.forbidden().total());
    claim(forbidden == [0; 3], format!("{forbidden:?} requests were forbidden: the ClusterRole lacks something"));
    broken
}
