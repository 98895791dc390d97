//! Which customers a namespace may act for, as a cluster admin says in an annotation on it.
//!
//! What is not allowed is as good as not declared: nothing is read, granted or claimed for it, and it stands in nobody's way.
//! What an object of the namespace has been granted before stays until its wish changes or it is deleted; then it is revoked
//! as everywhere.

use std::collections::BTreeSet;

use super::CustomerRef;
use crate::api::ALLOWED_CUSTOMERS_ANNOTATION;
use crate::model::TenantId;

/// Reason of whatever a namespace may not act for. A person must act.
pub(super) const NAMESPACE_NOT_ALLOWED: &str = "NamespaceNotAllowed";

/// Longest list of malformed entries that is shown.
const MALFORMED_SHOWN_MAX: usize = 3;

/// Which customers a namespace may act for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceRule {
    /// All.
    All,
    /// These.
    Listed {
        /// Their tenants.
        tenants: BTreeSet<TenantId>,
        /// Entries that are no tenant ids: they allow nobody.
        malformed: Vec<String>,
    },
    /// Nobody has seen the namespace yet.
    Unknown {
        /// Why not, where it is known not to come by itself; with what to do.
        why: Option<String>,
    },
}

impl NamespaceRule {
    /// What the annotation says: tenant ids, or `*` for all, with commas in between. None and an empty one allow nobody.
    pub fn of(annotation: Option<&str>) -> Self {
        let entries = annotation.unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let (mut tenants, mut malformed) = (BTreeSet::new(), Vec::new());
        for entry in entries {
            match entry.parse() {
                _ if entry == "*" => return Self::All,
                Ok(tenant) => {
                    tenants.insert(tenant);
                }
                Err(_) => malformed.push(entry.chars().take(64).collect()),
            }
        }
        Self::Listed { tenants, malformed }
    }

    /// What a Customer in `namespace` that names `tenant` comes to.
    pub fn refer(&self, namespace: &str, tenant: TenantId) -> CustomerRef {
        match self {
            Self::All => CustomerRef::Found(tenant),
            Self::Listed { tenants, .. } if tenants.contains(&tenant) => CustomerRef::Found(tenant),
            Self::Listed { tenants, malformed } => CustomerRef::NotAllowed {
                why: refusal(namespace, tenant, tenants.is_empty() && malformed.is_empty(), malformed),
                is_certain: true,
            },
            Self::Unknown { why } => CustomerRef::NotAllowed {
                why: format!(
                    "nobody has looked yet which customers namespace \"{namespace}\" may act for{}",
                    why.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
                ),
                is_certain: false,
            },
        }
    }
}

fn refusal(namespace: &str, tenant: TenantId, is_empty: bool, malformed: &[String]) -> String {
    let wrong: Vec<_> = malformed.iter().take(MALFORMED_SHOWN_MAX).map(|entry| format!("\"{entry}\"")).collect();
    let wrong = if wrong.is_empty() {
        String::new()
    } else {
        format!(" (entries such as {} are no tenant ids, and allow nobody)", wrong.join(", "))
    };
    let others = if is_empty {
        String::new()
    } else {
        // What is allowed already may be long.
        let path = ALLOWED_CUSTOMERS_ANNOTATION.replace('.', "\\.");
        format!("\"$(kubectl get namespace {namespace} -o jsonpath='{{.metadata.annotations.{path}}}')\",")
    };
    format!(
        "namespace \"{namespace}\" may not act for tenant {tenant}: its annotation {ALLOWED_CUSTOMERS_ANNOTATION} does not list it{wrong}. Nothing is read or granted; what was granted before stays until it is denied or deleted. Have a cluster admin run: kubectl annotate namespace {namespace} --overwrite {ALLOWED_CUSTOMERS_ANNOTATION}={others}{tenant}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "10000000-0000-4000-8000-000000000001";
    const TWO: &str = "10000000-0000-4000-8000-00000000000b";

    fn refer(annotation: Option<&str>, tenant: &str) -> CustomerRef {
        NamespaceRule::of(annotation).refer("csp-customers", tenant.parse().unwrap())
    }

    fn check(annotation: Option<&str>, tenant: &str, is_allowed: bool) {
        let is_found = refer(annotation, tenant) == CustomerRef::Found(tenant.parse().unwrap());
        assert_eq!(is_found, is_allowed, "{annotation:?} {tenant}");
    }

    #[test]
    fn only_what_is_listed_is_allowed_and_a_star_allows_all() {
        for (annotation, one, two) in [
            (None, false, false),
            (Some(""), false, false),
            (Some(" , ,"), false, false),
            (Some(ONE), true, false),
            (Some("10000000-0000-4000-8000-000000000001,10000000-0000-4000-8000-00000000000B"), true, true),
            (Some(" 10000000-0000-4000-8000-00000000000b ,\n"), false, true),
            (Some("*"), true, true),
            (Some("10000000-0000-4000-8000-000000000001, *"), true, true),
            // Whatever is no tenant id is worth nothing.
            (Some("contoso.onmicrosoft.com"), false, false),
            (Some("**"), false, false),
            (Some("10000000-*"), false, false),
            (Some("10000000000040008000000000000001"), false, false),
            (Some("contoso, 10000000-0000-4000-8000-000000000001"), true, false),
        ] {
            check(annotation, ONE, one);
            check(annotation, TWO, two);
        }
        let unseen = NamespaceRule::Unknown { why: None }.refer("ns", ONE.parse().unwrap());
        assert!(matches!(unseen, CustomerRef::NotAllowed { is_certain: false, .. }));
    }

    #[test]
    fn the_refusal_says_what_is_wrong_and_which_command_allows_it() {
        let said = |annotation| match refer(annotation, ONE) {
            CustomerRef::NotAllowed { why, is_certain: true } => why,
            other => panic!("{other:?}"),
        };
        let end =
            format!("kubectl annotate namespace csp-customers --overwrite csp-operator.dev/allowed-customers={ONE}");
        assert!(said(None).ends_with(&end), "{}", said(None));
        // What is allowed already is not lost.
        let kept = said(Some(TWO));
        assert!(kept.ends_with(&format!("allowed-customers={}{ONE}", "\"$(kubectl get namespace csp-customers -o jsonpath='{.metadata.annotations.csp-operator\\.dev/allowed-customers}')\",")), "{kept}");
        let wrong = said(Some("contoso"));
        assert!(wrong.contains("\"contoso\"") && wrong.contains("no tenant ids"), "{wrong}");
    }
}
