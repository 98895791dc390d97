//! Microsoft Graph's collections, and how its refusals differ from Partner Center's.

use super::*;
use crate::remote::{Advice, Cause};

fn group(last: u8, name: Option<&str>) -> Value {
    json!({ "@odata.type": "#microsoft.graph.group", "id": id(last), "displayName": name })
}

fn id(last: u8) -> String {
    format!("f0000000-0000-4000-8000-0000000000{last:02x}")
}

#[tokio::test]
async fn own_groups_are_asked_of_graph_in_the_partners_tenant_and_come_from_all_pages() {
    let stage = Stage::new([]).await;
    let next = format!("{}/v1.0/me/transitiveMemberOf/microsoft.graph.group?$skiptoken=2", stage.address);
    stage.scene.lock().unwrap().replies.extend([
        reply(200, json!({ "value": [group(1, Some("AdminAgents")), group(2, None)], "@odata.nextLink": next })),
        reply(200, json!({ "value": [group(3, Some("Staff"))] })),
    ]);
    let groups = stage.remote.graph.own_groups().await.unwrap();
    let told: Vec<_> = groups.iter().map(|group| (group.id.to_string(), group.name.as_deref())).collect();
    assert_eq!(told, [(id(1), Some("AdminAgents")), (id(2), None), (id(3), Some("Staff"))]);
    let paths: Vec<_> = stage.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        [
            "/v1.0/me/transitiveMemberOf/microsoft.graph.group?$select=id,displayName",
            "/v1.0/me/transitiveMemberOf/microsoft.graph.group?$skiptoken=2"
        ]
    );
    let sign_in = &stage.sign_ins()[0];
    assert_eq!(sign_in.path, format!("/{PARTNER}/oauth2/token"));
    assert!(sign_in.body.contains("resource=https%3A%2F%2Fgraph.microsoft.com&"), "another resource was asked for");
}

#[tokio::test]
async fn a_collection_without_items_is_no_empty_one_and_no_link_leads_away() {
    for body in [
        json!({}),
        json!({ "value": null }),
        json!({ "value": [{ "displayName": "AdminAgents" }] }),
        json!({ "value": [], "@odata.nextLink": "https://elsewhere.example/v1.0/me" }),
    ] {
        let stage = Stage::new([reply(200, body.clone())]).await;
        let error = stage.remote.graph.own_groups().await.unwrap_err();
        assert_eq!(error.category(), "unexpected_answer", "{body}");
        assert_eq!(stage.seen().len(), 1, "{body}");
    }
}

#[tokio::test]
async fn what_graph_refuses_says_nothing_of_the_partner() {
    for (status, code, category) in [
        (401, "InvalidAuthenticationToken", "unauthorized"),
        (403, "Authorization_RequestDenied", "forbidden"),
        (429, "TooManyRequests", "throttled"),
    ] {
        let body = json!({ "error": { "code": code, "message": "Words.", "innerError": { "request-id": id(9) } } });
        let refusals = (0..9).map(|_| reply(status, &body).with("retry-after", "7"));
        let stage = Stage::with(refusals, Limits { attempts_max: 1, ..quick() }, Arc::new(Unfenced)).await;
        let error = stage.remote.graph.own_groups().await.unwrap_err();
        assert_eq!((error.category(), error.denial()), (category, None), "{status}");
        let Cause::Refused(refusal) = error.cause() else { panic!("{error:?}") };
        assert_eq!(refusal.code(), Some(code));
        assert_eq!(error.advice() == Advice::RetryAfter(Duration::from_secs(7)), status == 429);
    }
}

#[tokio::test]
async fn a_missing_consent_for_graph_is_told_from_a_sign_in_that_does_not_work() {
    let refused = |code: u32| {
        reply(400, json!({ "error": "invalid_grant", "error_description": "Words.", "error_codes": [code] }))
    };
    for (code, reason) in [(65_001, "GraphNotConsented"), (700_082, "CredentialsInvalid")] {
        let stage = Stage::new([]).await;
        stage.sign_ins_answer([refused(code)]);
        let error = stage.remote.graph.own_groups().await.unwrap_err();
        assert_eq!((error.reason(), error.denial()), (reason, None));
        assert_eq!(stage.seen().len(), 0);
    }
}
