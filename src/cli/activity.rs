//! `kubectl csp activity`: Partner Center's activity log of purchase permissions, from what the statuses keep of it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::args::ActivityArgs;
use super::objects::{ListError, Objects};
use super::table::{FormatError, structured, table};
use super::terminal::{printable, report, say};
use crate::api::{Activity, ActivityOrigin, Customer, CustomerPurchasePermission};

/// Partner Center's word for a record of something that has not ended.
const IN_PROGRESS: &str = "progress";

/// One record, as it is printed for programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// When it happened, to the second.
    time: Timestamp,
    /// What happened, by its name in the portal.
    action: String,
    /// Who did it; absent when the record does not say.
    user: Option<String>,
    /// Whom it affects.
    customer: Affected,
    /// How it ended, in Partner Center's own word.
    result: String,
    /// Whether this operator did it, another installation, or somebody else.
    origin: ActivityOrigin,
    correlation_id: Option<String>,
    record_id: String,
}

/// The customer that a record is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Affected {
    namespace: String,
    /// Name of its Customer.
    name: String,
    tenant_id: Option<String>,
    company_name: Option<String>,
}

/// Prints the log.
pub(super) async fn run(args: &ActivityArgs) -> Result<(), ListError> {
    let objects = Objects::open(&args.objects).await?;
    let (permissions, customers) = (objects.list().await?, objects.list().await?);
    let mut log = log(&permissions, &customers);
    if let Some(customer) = &args.customer {
        if !is_known(customer, &permissions, &customers) {
            return Err(objects.lack(customer));
        }
        log.retain(|entry| entry.customer.is(customer));
    }
    if let Some(since) = args.since {
        let earliest = Timestamp::now().saturating_sub(since).unwrap_or(Timestamp::MIN);
        log.retain(|entry| entry.time >= earliest);
    }
    match structured(&log, args.output)? {
        Some(text) => report(text.trim_end()).map_err(FormatError::from)?,
        None if log.is_empty() => say(&format!("No activity found in {}.", objects.place())),
        None => report(&rows(&log)).map_err(FormatError::from)?,
    }
    Ok(())
}

/// All that the statuses keep, each record once, newest first.
fn log(permissions: &[CustomerPurchasePermission], customers: &[Customer]) -> Vec<Entry> {
    let customers = by_name(customers);
    let mut records: BTreeMap<String, Entry> = BTreeMap::new();
    for permission in permissions {
        let affected = Affected::of(permission, &customers);
        for activity in permission.status.iter().flat_map(|status| &status.recent_activity) {
            let entry = Entry::new(activity, affected.clone());
            // Two objects for one tenant show the same record; one of them may not have heard of its end.
            let is_newer = |known: &Entry| known.result == IN_PROGRESS && entry.result != IN_PROGRESS;
            if records.get(&entry.record_id).is_none_or(is_newer) {
                records.insert(entry.record_id.clone(), entry);
            }
        }
    }
    let mut log: Vec<_> = records.into_values().collect();
    log.sort_by(|a, b| b.age().cmp(&a.age()));
    log
}

/// Customers by namespace and name: of ten thousand, each is looked for once.
type ByName<'a> = HashMap<(&'a str, &'a str), &'a Customer>;

fn by_name(customers: &[Customer]) -> ByName<'_> {
    customers
        .iter()
        .filter_map(|customer| {
            let metadata = &customer.metadata;
            Some(((metadata.namespace.as_deref()?, metadata.name.as_deref()?), customer))
        })
        .collect()
}

fn is_known(customer: &str, permissions: &[CustomerPurchasePermission], customers: &[Customer]) -> bool {
    let is_it = |known: &Customer| known.name_any() == customer || known.spec.tenant_id.eq_ignore_ascii_case(customer);
    let by_name = by_name(customers);
    customers.iter().any(is_it) || permissions.iter().any(|permission| Affected::of(permission, &by_name).is(customer))
}

impl Entry {
    fn new(activity: &Activity, customer: Affected) -> Self {
        Self {
            time: activity.time.0,
            action: activity.operation.clone(),
            user: activity.actor.clone(),
            customer,
            result: activity.result.clone(),
            origin: activity.origin,
            correlation_id: activity.correlation_id.clone(),
            record_id: activity.record_id.clone(),
        }
    }

    /// By which entries are ordered: a status keeps whole seconds, and ids end in ticks of 100 ns.
    fn age(&self) -> (Timestamp, u64, &str) {
        let ticks = self.record_id.rsplit('_').next().and_then(|ticks| ticks.parse().ok()).unwrap_or_default();
        (self.time, ticks, &self.record_id)
    }
}

impl Affected {
    fn of(permission: &CustomerPurchasePermission, customers: &ByName<'_>) -> Self {
        let namespace = permission.namespace().unwrap_or_default();
        let name = permission.spec.customer_ref.name.clone();
        let customer = customers.get(&(namespace.as_str(), name.as_str()));
        // Whom the status is about, also when its Customer is gone, or has been made anew for somebody else.
        let shown = permission.status.as_ref().and_then(|status| status.tenant_id.clone());
        let tenant_id = shown.or_else(|| customer.map(|customer| customer.spec.tenant_id.clone()));
        let named = customer.filter(|customer| tenant_id.as_ref() == Some(&customer.spec.tenant_id));
        let company_name = named.and_then(|customer| customer.status.as_ref()?.company_name.clone());
        Self { namespace, name, tenant_id, company_name }
    }

    /// Whether a person means it by this name or tenant id.
    fn is(&self, customer: &str) -> bool {
        self.name == customer || self.tenant_id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(customer))
    }
}

/// The columns of the portal's page, and what it shows of a record beside them.
fn rows(log: &[Entry]) -> String {
    let rows: Vec<_> = log
        .iter()
        .map(|entry| {
            let user = match (entry.origin, entry.user.as_deref()) {
                (ActivityOrigin::Operator, Some(user)) => format!("{user} (this operator)"),
                (ActivityOrigin::RivalOperator, Some(user)) => format!("{user} (another operator)"),
                (ActivityOrigin::Operator, None) => "this operator".to_owned(),
                (ActivityOrigin::RivalOperator, None) => "another operator".to_owned(),
                (_, user) => user.unwrap_or("not named").to_owned(),
            };
            let customer = entry.customer.company_name.as_deref().unwrap_or(&entry.customer.name);
            let correlation = entry.correlation_id.as_deref().unwrap_or("-");
            [&entry.time.to_string(), &entry.action, &user, customer, &entry.result, correlation].map(printable)
        })
        .collect();
    table(["DATE", "ACTION", "USER", "CUSTOMER", "RESULT", "CORRELATION ID"], &rows)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;
    use crate::cli::args::Output;

    const TENANT: &str = "c1a0c1a0-1111-4a11-8a11-000000000001";

    fn activity(id: &str, time: &str, action: &str, result: &str) -> Activity {
        Activity {
            record_id: id.into(),
            time: Time(time.parse().unwrap()),
            operation: action.into(),
            actor: Some("ada@contoso.com".into()),
            origin: ActivityOrigin::Other,
            correlation_id: Some("0f7c3a52-9d2e-4d0b-8a53-2b1f0e9b7a10".into()),
            result: result.into(),
        }
    }

    fn permission(namespace: &str, customer: &str, activity: Vec<Activity>) -> CustomerPurchasePermission {
        let mut object: CustomerPurchasePermission = serde_json::from_value(json!({
            "apiVersion": "csp-operator.dev/v1alpha1", "kind": "CustomerPurchasePermission",
            "metadata": { "name": "p", "namespace": namespace }, "spec": { "customerRef": { "name": customer } },
        }))
        .unwrap();
        object.status.get_or_insert_default().recent_activity = activity;
        object
    }

    fn customer(namespace: &str, name: &str) -> Customer {
        serde_json::from_value(json!({
            "apiVersion": "csp-operator.dev/v1alpha1", "kind": "Customer",
            "metadata": { "name": name, "namespace": namespace }, "spec": { "tenantId": TENANT },
            "status": { "companyName": "Fabrikam\u{1b}[31m Inc" },
        }))
        .unwrap()
    }

    #[test]
    fn the_table_has_the_columns_of_the_portals_page_newest_first() {
        let mut own = activity(
            "p_c_create_639308442578293621",
            "2026-03-01T08:00:00Z",
            "Create Customer Purchase Permissions",
            "succeeded",
        );
        own.origin = ActivityOrigin::Operator;
        let mut nobody = activity(
            "p_c_delete_639308442570000000",
            "2026-03-01T08:00:00Z",
            "Delete Customer Purchase Permissions",
            "failed",
        );
        (nobody.actor, nobody.correlation_id) = (None, None);
        let log = log(&[permission("a", "fabrikam", vec![nobody, own])], &[customer("a", "fabrikam")]);
        let expected = "\
DATE                   ACTION                                 USER                              CUSTOMER           RESULT      CORRELATION ID
2026-03-01T08:00:00Z   Create Customer Purchase Permissions   ada@contoso.com (this operator)   Fabrikam[31m Inc   succeeded   0f7c3a52-9d2e-4d0b-8a53-2b1f0e9b7a10
2026-03-01T08:00:00Z   Delete Customer Purchase Permissions   not named                         Fabrikam[31m Inc   failed      -";
        assert_eq!(rows(&log), expected, "within a second the ids tell");
    }

    #[test]
    fn a_record_that_two_objects_show_is_printed_once_and_with_its_end() {
        let of = |result| activity("one", "2026-03-01T08:00:00Z", "Create Customer Purchase Permissions", result);
        let other = activity("two", "2026-02-01T08:00:00Z", "Update Customer Purchase Permissions", "succeeded");
        for results in [["progress", "succeeded"], ["succeeded", "progress"]] {
            let objects = [
                permission("a", "fabrikam", vec![of(results[0])]),
                permission("b", "fabrikam", vec![of(results[1]), other.clone()]),
            ];
            let told: Vec<_> = log(&objects, &[]).into_iter().map(|entry| (entry.record_id, entry.result)).collect();
            assert_eq!(told, [("one".into(), "succeeded".into()), ("two".into(), "succeeded".into())]);
        }
    }

    #[test]
    fn a_customer_is_meant_by_its_name_or_its_tenant() {
        let mut orphan = permission("a", "gone", Vec::new());
        orphan.status.get_or_insert_default().tenant_id = Some(TENANT.into());
        let declared = [customer("a", "fabrikam")];
        for (name, permissions, customers, is_one) in [
            ("fabrikam", &[][..], &declared[..], true),
            (TENANT, &[], &declared, true),
            (&TENANT.to_uppercase(), &[], &declared, true),
            ("gone", std::slice::from_ref(&orphan), &[], true),
            (TENANT, std::slice::from_ref(&orphan), &[], true),
            ("contoso", std::slice::from_ref(&orphan), &declared, false),
        ] {
            assert_eq!(is_known(name, permissions, customers), is_one, "{name}");
        }
    }

    #[test]
    fn a_customer_made_anew_for_another_tenant_does_not_lend_its_name_to_the_records_of_the_first() {
        let of_somebody = activity("one", "2026-03-01T08:00:00Z", "Create Customer Purchase Permissions", "succeeded");
        let mut object = permission("a", "fabrikam", vec![of_somebody]);
        object.status.as_mut().unwrap().tenant_id = Some("c1a0c1a0-1111-4a11-8a11-000000000002".into());
        let told = log(&[object], &[customer("a", "fabrikam")]).remove(0).customer;
        assert_eq!(
            (told.tenant_id.as_deref(), told.company_name),
            (Some("c1a0c1a0-1111-4a11-8a11-000000000002"), None)
        );
    }

    #[test]
    fn programs_get_every_field() {
        let entries = log(
            &[permission(
                "a",
                "fabrikam",
                vec![activity("one", "2026-03-01T08:00:00Z", "Create Customer Purchase Permissions", "succeeded")],
            )],
            &[customer("a", "fabrikam")],
        );
        let expected = json!([{
            "time": "2026-03-01T08:00:00Z", "action": "Create Customer Purchase Permissions", "user": "ada@contoso.com",
            "customer": { "namespace": "a", "name": "fabrikam", "tenantId": TENANT, "companyName": "Fabrikam\u{1b}[31m Inc" },
            "result": "succeeded", "origin": "Other", "correlationId": "0f7c3a52-9d2e-4d0b-8a53-2b1f0e9b7a10", "recordId": "one",
        }]);
        let json = structured(&entries, Output::Json).unwrap().unwrap();
        let yaml = structured(&entries, Output::Yaml).unwrap().unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), expected);
        assert_eq!(serde_yaml::from_str::<serde_json::Value>(&yaml).unwrap(), expected);
        assert_eq!(structured(&entries[..0], Output::Json).unwrap().unwrap(), "[]");
    }
}
