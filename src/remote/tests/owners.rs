//! Assigning Owner in Azure, and looking up users in Graph.

use super::*;
use crate::model::{Assignee, AssigneeKind, SubscriptionId, UserPrincipalName};
use crate::remote::{Advice, Error};

const SUBSCRIPTION: &str = "50b50b50-3333-4c33-8c33-00000000000a";
const PRINCIPAL: &str = "0b1e0b1e-4444-4d44-8d44-000000000004";

fn subscription() -> SubscriptionId {
    SUBSCRIPTION.parse().unwrap()
}

fn assignee(kind: AssigneeKind) -> Assignee {
    Assignee::new(subscription(), PRINCIPAL.parse().unwrap(), kind)
}

fn refusal(status: u16, code: &str) -> Reply {
    reply(status, json!({ "error": { "code": code, "message": "Words." } }))
}

async fn assign(stage: &Stage, kind: AssigneeKind) -> Result<(), Error> {
    stage.remote.azure.assign_owner(customer(), subscription(), &assignee(kind)).await
}

fn principal_types(stage: &Stage) -> Vec<String> {
    let kind = |seen: &Seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        body["properties"]["principalType"].as_str().unwrap().to_owned()
    };
    stage.seen().iter().map(kind).collect()
}

#[tokio::test]
async fn owner_is_assigned_in_the_customers_tenant_under_a_name_of_its_own() {
    let stage = Stage::new([reply(201, json!({ "properties": { "principalId": PRINCIPAL } })), reply(200, "")]).await;
    assign(&stage, AssigneeKind::User).await.unwrap();
    assign(&stage, AssigneeKind::User).await.unwrap();
    let name = assignee(AssigneeKind::User).assignment;
    let path = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"
    );
    for seen in stage.seen() {
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("PUT", path.as_str()));
        assert!(seen.body.contains("8e3af657-a8ff-443c-a75c-2fe8c4bcb635") && seen.body.contains(PRINCIPAL));
    }
    assert_eq!(stage.sign_ins()[0].path, format!("/{CUSTOMER}/oauth2/token"));
    assert_eq!(stage.calls.count("assign_owner", "ok"), 2);
}

#[tokio::test]
async fn an_assignment_whose_answer_is_lost_is_sent_again_under_the_same_name() {
    let stage = Stage::new([reply(201, "").after(Duration::from_secs(2)), reply(409, "").after(Duration::ZERO)]).await;
    stage.scene.lock().unwrap().replies[1] = refusal(409, "RoleAssignmentExists");
    assign(&stage, AssigneeKind::User).await.unwrap();
    let seen = stage.seen();
    assert_eq!((seen.len(), &seen[0].path), (2, &seen[1].path));
}

#[tokio::test]
async fn what_azure_refuses_about_an_assignment_is_told_apart() {
    for (status, code, reason, advice) in [
        (400, "PrincipalNotFound", "PrincipalNotFound", Advice::RetrySoon),
        (403, "AuthorizationFailed", "OwnerAssignmentRefused", Advice::AwaitChange),
        (403, "LinkedAuthorizationFailed", "OwnerAssignmentRefused", Advice::AwaitChange),
        (400, "UnmatchedPrincipalType", "PrincipalNotSuitable", Advice::AwaitChange),
        (400, "RoleAssignmentLimitExceeded", "InvalidRequest", Advice::AwaitChange),
        (404, "SubscriptionNotFound", "NotFound", Advice::AwaitChange),
    ] {
        let stage = Stage::new([refusal(status, code)]).await;
        let error = assign(&stage, AssigneeKind::User).await.unwrap_err();
        assert_eq!((error.reason(), error.advice(), error.denial()), (reason, advice, None), "{code}");
        assert_eq!(stage.seen().len(), 1, "{code}");
    }
    let stage = Stage::new([refusal(409, "RoleAssignmentExists")]).await;
    assign(&stage, AssigneeKind::User).await.unwrap();
}

#[tokio::test]
async fn a_mere_object_id_is_a_user_or_a_group_and_nothing_else() {
    let stage = Stage::new([refusal(400, "UnmatchedPrincipalType"), reply(201, "")]).await;
    assign(&stage, AssigneeKind::UserOrGroup).await.unwrap();
    assert_eq!(principal_types(&stage), ["User", "Group"]);

    let application = (0..2).map(|_| refusal(400, "UnmatchedPrincipalType"));
    let stage = Stage::new(application).await;
    let error = assign(&stage, AssigneeKind::UserOrGroup).await.unwrap_err();
    assert!(error.message().contains("is not that of a user or group"), "{}", error.message());
    assert_eq!(principal_types(&stage), ["User", "Group"]);
}

#[tokio::test]
async fn an_assignment_to_somebody_else_is_not_believed() {
    let body = json!({ "properties": { "principalId": "0b1e0b1e-4444-4d44-8d44-000000000009" } });
    let stage = Stage::new([reply(200, body)]).await;
    let error = assign(&stage, AssigneeKind::User).await.unwrap_err();
    assert_eq!(error.category(), "unexpected_answer");
}

#[tokio::test]
async fn owner_is_not_assigned_without_the_lease() {
    #[derive(Debug)]
    struct Lost;
    impl Fence for Lost {
        fn remaining(&self) -> Duration {
            Duration::ZERO
        }
    }
    let stage = Stage::with([], quick(), Arc::new(Lost)).await;
    assert_eq!(assign(&stage, AssigneeKind::User).await.unwrap_err().category(), "fenced");
    assert!(stage.seen().is_empty());
}

fn ada() -> UserPrincipalName {
    "Ada_contoso.com#EXT#@fabrikam.onmicrosoft.com".parse().unwrap()
}

#[tokio::test]
async fn a_user_is_looked_up_in_the_customers_tenant_with_its_name_escaped() {
    let user = json!({ "id": PRINCIPAL.to_uppercase(), "userType": "Guest", "accountEnabled": false });
    let stage = Stage::new([reply(200, user), reply(200, json!({ "id": PRINCIPAL }))]).await;
    let found = stage.remote.graph.user(customer(), &ada()).await.unwrap().unwrap();
    assert_eq!((found.id.to_string().as_str(), found.is_guest, found.is_enabled), (PRINCIPAL, true, Some(false)));
    // What may not be read is left out.
    let found = stage.remote.graph.user(customer(), &ada()).await.unwrap().unwrap();
    assert_eq!((found.is_guest, found.is_enabled), (false, None));
    assert_eq!(
        stage.seen()[0].path,
        "/v1.0/users/ada_contoso.com%23ext%23@fabrikam.onmicrosoft.com?$select=id,userPrincipalName,userType,accountEnabled"
    );
    assert_eq!(stage.sign_ins()[0].path, format!("/{CUSTOMER}/oauth2/token"));
    assert_eq!(stage.calls.count("read_user", "ok"), 2);
}

#[tokio::test]
async fn only_graphs_own_word_says_that_there_is_no_such_user() {
    let stage = Stage::new([refusal(404, "Request_ResourceNotFound")]).await;
    assert_eq!(stage.remote.graph.user(customer(), &ada()).await.unwrap(), None);
    for answer in
        [reply(404, ""), refusal(404, "NotFound"), refusal(403, "Authorization_RequestDenied"), reply(200, "{}")]
    {
        let stage = Stage::new([answer]).await;
        let error = stage.remote.graph.user(customer(), &ada()).await.unwrap_err();
        assert_eq!(error.denial(), None, "{error:?}");
    }
}
