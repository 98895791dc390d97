//! What the API server says about manifests, without any help of the operator.

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission, crds};
use serde_json::{Value, json};

use crate::scene::{ALLOW_RESERVATIONS, Scene, permission};
use crate::stages::{eventually, shared};

const GUID: &str = "1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f";

fn customer(tenant: &str) -> String {
    format!("{{kind: Customer, metadata: {{name: contoso}}, spec: {{tenantId: {tenant:?}}}}}")
}

fn subscription(spec: &str) -> String {
    let id = if spec.contains("subscriptionId") { String::new() } else { format!("subscriptionId: {GUID}, ") };
    let customer = if spec.contains("customerRef") { "" } else { "customerRef: {name: contoso}, " };
    format!("{{kind: AzureSubscription, metadata: {{name: azure}}, spec: {{{customer}{id}{spec}}}}}")
}

/// Applies `first`, which must be accepted, and `then`, which must be refused with this sentence.
fn check(first: &str, then: &str, sentence: &str) {
    let scene = Scene::new(shared().1);
    // Nothing here is looked at by the operator long enough to matter; the customers do not exist.
    scene.apply(first);
    let refusal = scene.try_apply(then).expect_err(then);
    assert!(refusal.contains(sentence) || says_as_older_servers(&refusal, sentence), "{then}\n{refusal}");
}

/// Up to some version after 1.31, an API server shows the type of a value that a rule refuses, where newer ones show the value or nothing.
fn says_as_older_servers(refusal: &str, sentence: &str) -> bool {
    let Some((field, said)) = sentence.split_once("Invalid value: ") else { return false };
    let rule = if said.starts_with('"') { said.rsplit_once("\": ").map_or(said, |(_, rule)| rule) } else { said };
    ["string", "object"].iter().any(|shown| refusal.contains(&format!("{field}Invalid value: \"{shown}\": {rule}")))
}

#[test]
fn an_id_that_is_no_guid_in_lower_case_is_refused_with_an_example_of_one() {
    let tenant = "spec.tenantId: Invalid value: \"{}\": must be the Microsoft Entra tenant id of the customer: a GUID in \
                  lower case, like 1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f";
    let azure = "spec.subscriptionId: Invalid value: \"{}\": must be the id of an Azure subscription: a GUID in lower case, \
                 like 1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f";
    let owner = "spec.owners[0].objectId: Invalid value: \"{}\": must be the object id of a user or group in Microsoft \
                 Entra: a GUID in lower case";
    let upper = GUID.to_uppercase();
    let short = &GUID[1..];
    let braces = format!("{{{GUID}}}");
    let two_lines = format!("{GUID}\n");
    for bad in ["contoso", "", &upper, short, &braces, &two_lines] {
        let shown = |sentence: &str| sentence.replace("{}", &bad.escape_debug().to_string());
        check("", &customer(bad), &shown(tenant));
        check("", &subscription(&format!("subscriptionId: {bad:?}")), &shown(azure));
        check("", &subscription(&format!("owners: [{{objectId: {bad:?}}}]")), &shown(owner));
    }
}

#[test]
fn an_owner_is_named_in_exactly_one_way_that_can_be_a_name() {
    let one = "spec.owners[0]: Invalid value: must have exactly one of objectId (a user or group) and userPrincipalName (a user)";
    check("", &subscription(&format!("owners: [{{objectId: {GUID}, userPrincipalName: ada@fabrikam.com}}]")), one);
    check("", &subscription("owners: [{}]"), one);
    let name = "must be what a user of the customer signs in with, like ada@fabrikam.com";
    for bad in
        ["ada", "@fabrikam.com", "ada@fabrikam", "ada lovelace@fabrikam.com", "ada@fabrikam.com/x", "a@b@c.d", ""]
    {
        check("", &subscription(&format!("owners: [{{userPrincipalName: {bad:?}}}]")), name);
    }
    let scene = Scene::new(shared().1);
    for good in ["ada@fabrikam.com", "O'Hara_contoso.com#EXT#@fabrikam.onmicrosoft.com"] {
        scene.apply(&subscription(&format!("owners: [{{userPrincipalName: {good:?}}}, {{objectId: {GUID}}}]")));
    }
}

#[test]
fn owner_is_assigned_only_to_somebody_who_is_named() {
    let sentence = "spec.owners: Required value: must name at least one user or group while ownerRole is Assign: Owner is \
                    never assigned to anybody else";
    check("", &subscription("ownerRole: Assign"), sentence);
    check("", &subscription("ownerRole: Assign, owners: []"), sentence);
    let named = format!("ownerRole: Assign, owners: [{{objectId: {GUID}}}]");
    check(&subscription(&named), &subscription("ownerRole: Assign"), sentence);
}

#[test]
fn allow_needs_somebody_who_accepts_to_pay_and_a_subscription_to_look_at() {
    let acceptance = "spec.acceptBillingResponsibility: Invalid value: must be true while anything is Allow: the partner pays \
                      for whatever the customer then buys (mode Observe needs no acceptance)";
    let subscription = "spec.azureSubscriptionRefs: Required value: must name at least one AzureSubscription while anything is \
                        Allow: its plan and its Owner role are checked before anything is allowed";
    for switch in ["azureReservations", "azureSavingsPlans"] {
        check("", &permission("p", &format!("{switch}: Allow")), acceptance);
        check("", &permission("p", &format!("{switch}: Allow, mode: Suspend")), acceptance);
        let without = permission("p", &format!("{switch}: Allow, acceptBillingResponsibility: true"))
            .replace("[{name: azure}]", "[]");
        check("", &without, subscription);
        check("", &without.replace("azureSubscriptionRefs: [],", ""), subscription);
        check("", &without.replace("acceptBillingResponsibility: true", "mode: Observe"), subscription);
        // Neither is asked for where nothing can be bought.
        let scene = Scene::new(shared().1);
        scene.apply(&permission("observed", &format!("{switch}: Allow, mode: Observe")));
        scene.apply(&permission("denied", &format!("{switch}: Deny")).replace("[{name: azure}]", "[]"));
        scene.apply(&permission("unmanaged", &format!("{switch}: Unmanaged")));
    }
}

#[test]
fn leaving_mode_observe_needs_the_acceptance_that_it_did_not_need() {
    check(
        &permission("p", "azureReservations: Allow, mode: Observe"),
        &permission("p", "azureReservations: Allow, mode: Enforce"),
        "must be true while anything is Allow",
    );
}

#[test]
fn what_an_object_is_about_cannot_be_changed() {
    let other = "2f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f";
    check(
        &customer(GUID),
        &customer(other),
        &format!("spec.tenantId: Invalid value: \"{other}\": cannot be changed; create another Customer instead"),
    );
    check(
        &subscription(""),
        &subscription(&format!("subscriptionId: {other}")),
        &format!(
            "spec.subscriptionId: Invalid value: \"{other}\": cannot be changed; create another AzureSubscription instead"
        ),
    );
    check(
        &subscription(""),
        &subscription("customerRef: {name: fabrikam}"),
        "spec.customerRef.name: Invalid value: customerRef cannot be changed; create another AzureSubscription instead",
    );
    check(
        &permission("p", ALLOW_RESERVATIONS),
        &permission("p", ALLOW_RESERVATIONS).replace("contoso", "fabrikam"),
        "spec.customerRef.name: Invalid value: customerRef cannot be changed; create another CustomerPurchasePermission instead",
    );
}

#[test]
fn a_word_that_is_none_of_the_possible_ones_is_refused_with_those_that_are() {
    for (field, words) in [
        ("azureReservations", r#""Allow", "Deny", "Unmanaged""#),
        ("azureSavingsPlans", r#""Allow", "Deny", "Unmanaged""#),
        ("mode", r#""Enforce", "Observe", "Suspend""#),
        ("deletionPolicy", r#""Revoke", "Retain""#),
    ] {
        for word in ["Perhaps", "allow", "Unknown", "\"\""] {
            let shown = word.trim_matches('"');
            let sentence = format!("spec.{field}: Unsupported value: \"{shown}\": supported values: {words}");
            check("", &permission("p", &format!("{field}: {word}")), &sentence);
        }
    }
    let sentence = r#"spec.ownerRole: Unsupported value: "Give": supported values: "Verify", "Assign", "Skip""#;
    check("", &subscription("ownerRole: Give"), sentence);
}

#[test]
fn what_is_left_out_is_set_to_what_the_platform_does_by_itself() {
    let scene = Scene::new(shared().1);
    scene.apply("{kind: CustomerPurchasePermission, metadata: {name: p}, spec: {customerRef: {name: nobody}}}");
    scene.apply(&subscription(""));
    let spec = serde_json::to_value(scene.get::<CustomerPurchasePermission>("p").unwrap().spec).unwrap();
    let expected = json!({
        "customerRef": { "name": "nobody" }, "azureReservations": "Deny", "azureSavingsPlans": "Deny",
        "acceptBillingResponsibility": false, "mode": "Enforce", "deletionPolicy": "Revoke",
        "driftPolicy": "Correct", "onPrerequisiteLost": "Keep",
    });
    assert_eq!(spec, expected);
    let spec = serde_json::to_value(scene.get::<AzureSubscription>("azure").unwrap().spec).unwrap();
    assert_eq!(spec["ownerRole"], "Verify");
    scene.apply(&scene.customer());
    let spec = serde_json::to_value(scene.get::<Customer>("contoso").unwrap().spec).unwrap();
    assert_eq!(spec, json!({ "tenantId": scene.tenant(), "costManagement": "Unmanaged", "azurePlan": "Verify" }));
}

/// kubectl in the namespace of a scene.
fn kubectl(scene: &Scene, arguments: &[&str]) -> String {
    let namespace = ["--namespace", &scene.namespace];
    shared().0.kubectl(&[&namespace, arguments].concat()).unwrap()
}

#[test]
fn an_untouched_object_is_not_taken_for_current() {
    // Told by a namespace the operator cannot be ahead in: a dry run answers what would be stored.
    let scene = Scene::new(shared().1);
    let manifests = [scene.customer(), scene.subscription(), permission("p", "mode: Enforce")];
    for manifest in manifests {
        let manifest = manifest.replacen("---\n", "---\napiVersion: csp-operator.dev/v1alpha1\n", 1);
        let arguments =
            ["create", "--dry-run=server", "--output=json", "--filename=-", "--namespace", &scene.namespace];
        let answer = shared().0.kubectl_with_input(&arguments, &manifest).unwrap();
        let stored: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(stored["status"], json!({ "observedGeneration": -1 }), "{manifest}");
    }
}

#[test]
fn short_names_the_category_and_the_customers_name_find_objects() {
    let scene = Scene::new(shared().1);
    scene.declare("mode: Observe");
    scene.apply(&permission("other", "mode: Observe").replace("contoso", "fabrikam"));
    scene.apply(&scene.subscription().replace("name: azure", "name: elsewhere").replace("contoso", "fabrikam"));
    let names = |arguments: &[&str]| {
        let output = ["get", "--output=name"];
        let mut names: Vec<_> = kubectl(&scene, &[&output, arguments].concat()).lines().map(str::to_owned).collect();
        names.sort();
        names.join(" ").replace(".csp-operator.dev", "")
    };
    assert_eq!(names(&["cust"]), "customer/contoso");
    assert_eq!(names(&["azsub"]), "azuresubscription/azure azuresubscription/elsewhere");
    assert_eq!(names(&["cpp"]), "customerpurchasepermission/other customerpurchasepermission/permission");
    assert_eq!(
        names(&["csp"]),
        "azuresubscription/azure azuresubscription/elsewhere customer/contoso customerpurchasepermission/other \
         customerpurchasepermission/permission"
    );
    assert_eq!(
        names(&["cpp", "--field-selector=spec.customerRef.name=contoso"]),
        "customerpurchasepermission/permission"
    );
    assert_eq!(names(&["azsub", "--field-selector=spec.customerRef.name=fabrikam"]), "azuresubscription/elsewhere");
    let tenant = format!("--field-selector=spec.tenantId={}", scene.tenant());
    assert_eq!(names(&["cust", &tenant]), "customer/contoso");
    assert_eq!(names(&["cust", &format!("--field-selector=spec.tenantId={GUID}")]), "");
}

#[test]
fn tables_show_what_a_person_looks_for() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let table = |arguments: &[&str]| {
        let lines = kubectl(&scene, &[&["get"], arguments].concat());
        let cells = |line: &str| {
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" | ")
        };
        lines.lines().map(cells).collect::<Vec<_>>()
    };
    let rows = table(&["cpp"]);
    assert_eq!(rows[0], "NAME | CUSTOMER | RESERVATIONS | SAVINGS-PLANS | READY | REASON | AGE");
    assert!(rows[1].starts_with("permission | contoso | Allow | Deny | True | InSync | "), "{}", rows[1]);
    let rows = table(&["azsub"]);
    assert_eq!(rows[0], "NAME | CUSTOMER | KIND | STATUS | READY | REASON | AGE");
    assert!(rows[1].starts_with("azure | contoso | AzurePlan | active | True | Active | "), "{}", rows[1]);
    let rows = table(&["cust"]);
    assert_eq!(rows[0], "NAME | COMPANY | RELATIONSHIP | READY | REASON | AGE");
    assert!(rows[1].contains(" | reseller | True | Resolved | "), "{}", rows[1]);
    let wide = table(&["cpp", "--output=wide"]);
    assert!(wide[0].ends_with("| MESSAGE") && wide[0].contains("WANTED-RESERVATIONS"), "{}", wide[0]);
}

#[test]
fn explain_describes_every_field() {
    let scene = Scene::new(shared().1);
    // What the API server tells of its kinds may be a moment behind what it serves.
    let explained = eventually("the API server tells of the kind", || {
        shared().0.kubectl(&["explain", "cpp.spec", "--recursive"]).ok()
    });
    for field in ["customerRef", "azureReservations", "azureSavingsPlans", "azureSubscriptionRefs", "mode"] {
        assert!(explained.contains(field), "{explained}");
    }
    for (kind, object) in [("cust", "tenantId"), ("azsub", "owners"), ("cpp", "deletionPolicy")] {
        let explained = kubectl(&scene, &["explain", &format!("{kind}.spec.{object}")]);
        let description = explained.split("DESCRIPTION:").nth(1).unwrap().trim();
        assert!(description.len() > 40 && !description.contains("<empty>"), "{explained}");
    }
    let mut undescribed = Vec::new();
    for crd in crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        describe(&schema["openAPIV3Schema"]["properties"], &crd.spec.names.kind, &mut undescribed);
    }
    assert_eq!(undescribed, Vec::<String>::new());
}

/// Collects the fields below `properties` that have no description.
fn describe(properties: &Value, path: &str, undescribed: &mut Vec<String>) {
    for (name, schema) in properties.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if schema["description"].as_str().is_none_or(str::is_empty) {
            undescribed.push(path.clone());
        }
        describe(&schema["properties"], &path, undescribed);
        describe(&schema["items"]["properties"], &path, undescribed);
    }
}

#[test]
fn a_misspelt_field_is_refused_by_kubectl() {
    let scene = Scene::new(shared().1);
    let manifest = "{apiVersion: csp-operator.dev/v1alpha1, kind: Customer, metadata: {name: contoso}, \
                    spec: {tenantID: x}}";
    let refusal = shared()
        .0
        .kubectl_with_input(&["apply", "--filename=-", "--namespace", &scene.namespace], manifest)
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("unknown field \"spec.tenantID\""), "{refusal}");
    assert!(scene.get::<Customer>("contoso").is_none());
}
