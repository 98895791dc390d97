//! Replicas against an API server in this process, with the shortest lease that a record can say.

use std::time::Instant;

use axum::http::StatusCode;
use k8s_openapi::api::coordination::v1::Lease;

use super::super::test_api::ApiServer;
use super::*;

const DURATION: Duration = Duration::from_secs(1);
const WRITE_TIMEOUT: Duration = Duration::from_millis(330);

fn terms(me: &str) -> Terms {
    Terms {
        namespace: "csp".to_owned(),
        name: "csp-operator".to_owned(),
        me: me.to_owned(),
        duration: DURATION,
        write_timeout: WRITE_TIMEOUT,
    }
}

fn join(server: &ApiServer, me: &str) -> Election {
    join_on(server, terms(me))
}

fn join_on(server: &ApiServer, terms: Terms) -> Election {
    Election::join(server.client(), terms, Readiness::new(), Metrics::new())
}

async fn lost(replica: &mut Election) -> LostLease {
    tokio::time::timeout(DURATION * 3, replica.lost()).await.expect("the lease must be lost by now")
}

fn spec(server: &ApiServer) -> k8s_openapi::api::coordination::v1::LeaseSpec {
    serde_json::from_value::<Lease>(server.object().unwrap()).unwrap().spec.unwrap()
}

#[tokio::test]
async fn a_released_lease_passes_on_at_once() {
    let server = ApiServer::default();
    let mut first = join(&server, "first");
    first.leading().await.unwrap();
    let mut second = join(&server, "second");
    assert!(!first.fence().remaining().is_zero() && second.fence().remaining().is_zero());

    let (fence, released) = (first.fence(), Instant::now());
    first.release(DURATION).await;
    assert!(fence.remaining().is_zero());
    second.leading().await.unwrap();
    assert!(released.elapsed() < DURATION, "{:?}", released.elapsed());
    assert_eq!(spec(&server).holder_identity.as_deref(), Some("second"));
}

#[tokio::test]
async fn a_holder_renews_and_so_keeps_others_out() {
    let server = ApiServer::default();
    let mut first = join(&server, "first");
    first.leading().await.unwrap();
    let second = join(&server, "second");
    let end = Instant::now() + DURATION * 2;
    while Instant::now() < end {
        // What the settings promise: there is always room for a write.
        assert!(first.fence().remaining() >= WRITE_TIMEOUT);
        assert!(second.fence().remaining().is_zero());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_successor_waits_for_the_lease_and_for_one_write() {
    let server = ApiServer::default();
    let mut first = join(&server, "first");
    first.leading().await.unwrap();
    // As long as the lease, so that leaving it out would show.
    let mut second = join_on(&server, Terms { write_timeout: DURATION, ..terms("second") });
    let fence = first.fence();
    drop(first);
    let gone = Instant::now();
    second.leading().await.unwrap();
    assert!(fence.remaining().is_zero());
    // The last renewal was at most a third before the end.
    assert!(gone.elapsed() >= DURATION * 2 / 3 + DURATION, "{:?}", gone.elapsed());
}

#[tokio::test]
async fn without_the_api_server_the_lease_is_lost_in_time() {
    let server = ApiServer::default();
    let mut replica = join(&server, "first");
    replica.leading().await.unwrap();
    server.fail_with(Some(StatusCode::FORBIDDEN));
    let failing = Instant::now();
    let lost = lost(&mut replica).await;
    assert!(failing.elapsed() <= DURATION + DURATION / 2);
    assert!(replica.fence().remaining().is_zero());
    let LostLease::Expired { source: Some(cause), .. } = lost else { panic!("{lost}") };
    assert!(cause.to_string().starts_with("not permitted to update leases.coordination.k8s.io csp/csp-operator"));
}

#[tokio::test]
async fn a_lease_that_somebody_took_is_lost_at_the_next_renewal() {
    let server = ApiServer::default();
    let mut replica = join(&server, "first");
    replica.leading().await.unwrap();
    let mut taken = server.object().unwrap();
    taken["spec"]["holderIdentity"] = "somebody".into();
    server.set_object(Some(taken));
    let lost = lost(&mut replica).await;
    assert!(lost.to_string().contains("lost the lease csp/csp-operator: somebody holds it now"), "{lost}");
    assert_eq!(spec(&server).holder_identity.as_deref(), Some("somebody"));
}

#[tokio::test]
async fn a_write_of_somebody_else_or_a_deletion_does_not_cost_the_lease() {
    let server = ApiServer::default();
    let mut replica = join(&server, "first");
    replica.leading().await.unwrap();
    let mut labelled = server.object().unwrap();
    labelled["metadata"]["labels"]["team"] = "partner".into();
    server.set_object(Some(labelled));
    tokio::time::sleep(DURATION).await;
    assert!(!replica.fence().remaining().is_zero());
    assert!(server.object().unwrap()["metadata"]["labels"]["team"] == "partner");

    server.set_object(None);
    tokio::time::sleep(DURATION).await;
    assert!(!replica.fence().remaining().is_zero());
    assert_eq!(spec(&server).holder_identity.as_deref(), Some("first"));
}
