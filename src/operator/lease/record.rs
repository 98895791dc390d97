//! The Lease object: reading what matters of it, and writing its next version.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;

use super::super::args::LEASE_DURATION_MAX;
use super::Terms;

/// What the election needs to know of a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Changes with every write, whoever makes it.
    pub(super) version: String,
    /// Who holds it; nobody once it was released.
    pub(super) holder: Option<String>,
    /// How long it is held after a renewal.
    pub(super) duration: Duration,
}

impl Record {
    /// Reads `lease`. A duration that is missing is taken to be ours; one that no operator would have set is bounded, so
    /// that a slip of somebody's editor does not stop work for ever.
    pub(super) fn of(lease: &Lease, terms: &Terms) -> Self {
        let spec = lease.spec.as_ref();
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        let duration = match seconds {
            None | Some(0) => terms.duration,
            Some(seconds) => Duration::from_secs(seconds).min(LEASE_DURATION_MAX),
        };
        let holder = spec.and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty());
        Self { version: lease.metadata.resource_version.clone().unwrap_or_default(), holder, duration }
    }
}

/// A Lease that does not exist yet, held by us.
pub(super) fn created(terms: &Terms, now: Timestamp) -> Lease {
    let metadata = ObjectMeta {
        name: Some(terms.name.clone()),
        namespace: Some(terms.namespace.clone()),
        labels: Some([("app.kubernetes.io/managed-by".to_owned(), "csp-operator".to_owned())].into()),
        ..ObjectMeta::default()
    };
    taken(&Lease { metadata, spec: None }, terms, now)
}

/// `lease` with us as its new holder.
pub(super) fn taken(lease: &Lease, terms: &Terms, now: Timestamp) -> Lease {
    let before = lease.spec.as_ref();
    let transitions = before.and_then(|spec| spec.lease_transitions);
    let is_new_holder = before.is_some_and(|spec| spec.holder_identity.as_deref() != Some(&terms.me));
    let spec = LeaseSpec {
        acquire_time: Some(MicroTime(now)),
        lease_transitions: Some(transitions.unwrap_or_default().saturating_add(i32::from(is_new_holder))),
        ..before.cloned().unwrap_or_default()
    };
    renewed(&Lease { metadata: lease.metadata.clone(), spec: Some(spec) }, terms, now)
}

/// `lease`, which is ours, renewed.
pub(super) fn renewed(lease: &Lease, terms: &Terms, now: Timestamp) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(terms.me.clone()),
        lease_duration_seconds: Some(i32::try_from(terms.duration.as_secs()).unwrap_or(i32::MAX)),
        renew_time: Some(MicroTime(now)),
        ..lease.spec.clone().unwrap_or_default()
    };
    Lease { metadata: lease.metadata.clone(), spec: Some(spec) }
}

/// `lease`, which is ours, released: nobody holds it, and the count of its holders stays.
pub(super) fn released(lease: &Lease, now: Timestamp) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(String::new()),
        renew_time: Some(MicroTime(now)),
        ..lease.spec.clone().unwrap_or_default()
    };
    Lease { metadata: lease.metadata.clone(), spec: Some(spec) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(me: &str) -> Terms {
        Terms {
            namespace: "csp".to_owned(),
            name: "csp-operator".to_owned(),
            me: me.to_owned(),
            duration: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_lease_passes_from_hand_to_hand() {
        let transitions = |lease: &Lease| lease.spec.as_ref().unwrap().lease_transitions;
        let (ours, theirs) = (terms("we_1"), terms("they_2"));

        let first = created(&ours, at(1));
        assert_eq!(Record::of(&first, &theirs).holder.as_deref(), Some("we_1"));
        assert_eq!(transitions(&first), Some(0));

        let again = renewed(&first, &ours, at(2));
        let spec = again.spec.clone().unwrap();
        assert_eq!((spec.acquire_time.unwrap().0, spec.renew_time.unwrap().0), (at(1), at(2)));

        let free = released(&again, at(3));
        assert_eq!(Record::of(&free, &theirs).holder, None);
        assert_eq!(transitions(&free), Some(0));

        let other = taken(&free, &theirs, at(4));
        assert_eq!(Record::of(&other, &ours).holder.as_deref(), Some("they_2"));
        assert_eq!(transitions(&other), Some(1));
        // Taken again because the answer was lost: no other holder in between.
        assert_eq!(transitions(&taken(&other, &theirs, at(5))), Some(1));
    }

    #[test]
    fn strange_durations_are_bounded() {
        for (seconds, duration) in [(None, 30), (Some(0), 30), (Some(-4), 30), (Some(15), 15), (Some(i32::MAX), 300)] {
            let spec = LeaseSpec { lease_duration_seconds: seconds, ..LeaseSpec::default() };
            let lease = Lease { metadata: ObjectMeta::default(), spec: Some(spec) };
            assert_eq!(Record::of(&lease, &terms("we")).duration, Duration::from_secs(duration), "{seconds:?}");
        }
    }
}
