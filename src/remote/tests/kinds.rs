//! What kind of partner it is, by its relationships.

use super::*;
use crate::model::PartnerKind;

fn relationships(states: &[Option<&str>]) -> Reply {
    let items: Vec<_> = states
        .iter()
        .map(|state| json!({ "id": PARTNER, "name": "Other", "relationshipType": "is_indirect_…", "state": state }))
        .collect();
    reply(200, json!({ "totalCount": items.len(), "items": items }))
}

/// The states of the relationships to resellers and to providers, and what follows.
async fn check(to_resellers: &[Option<&str>], to_providers: &[Option<&str>], kind: PartnerKind) {
    let stage = Stage::new([relationships(to_resellers), relationships(to_providers)]).await;
    assert_eq!(stage.remote.partner_center.partner_kind().await.unwrap(), kind, "{to_resellers:?} {to_providers:?}");
    let asked: Vec<_> = stage.seen().into_iter().map(|seen| seen.path).collect();
    let both = [
        "/v1/relationships?relationship_type=IsIndirectCloudSolutionProviderOf",
        "/v1/relationships?relationship_type=IsIndirectResellerOf",
    ];
    assert_eq!(asked, if kind == PartnerKind::IndirectProvider { &both[..1] } else { &both[..] });
}

#[tokio::test]
async fn relationships_to_other_partners_tell_what_kind_of_partner_it_is() {
    let active = [Some("Active")];
    check(&[], &[], PartnerKind::DirectBill).await;
    check(&active, &[], PartnerKind::IndirectProvider).await;
    check(&active, &active, PartnerKind::IndirectProvider).await;
    check(&[], &active, PartnerKind::IndirectReseller).await;
    check(&[], &[None], PartnerKind::IndirectReseller).await;
    check(&[], &[Some("Terminated"), Some("active")], PartnerKind::IndirectReseller).await;
    check(&[Some("Terminated")], &[Some("Pending")], PartnerKind::DirectBill).await;
}

#[tokio::test]
async fn what_cannot_be_read_tells_nothing_of_the_kind() {
    for (first, second) in [(reply(403, fault("1002")), None), (relationships(&[]), Some(reply(200, json!({}))))] {
        let stage = Stage::new([Some(first), second].into_iter().flatten()).await;
        let error = stage.remote.partner_center.partner_kind().await.unwrap_err();
        assert_eq!(error.denial(), None, "{error} {:?}", error.cause());
    }
}
