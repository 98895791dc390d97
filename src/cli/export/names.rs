//! What exported objects are called: names that Kubernetes takes, that people recognise, and that no two customers share.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::model::{CustomerProfile, SubscriptionId, TenantId};

/// Longest name made of a company's. With what is added to it, it stays a label of DNS (63 letters).
const NAME_MAX: usize = 40;

/// How a customer is called where shorter names are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// By its company name.
    Plain,
    /// With a hash of its tenant id.
    Hashed,
    /// By its tenant id alone.
    Tenant,
}

/// A name for each customer: its company name, and a hash of its tenant id where several have the same.
///
/// It depends on nothing but the customers, so whoever exports them again, or only some of them, gets the same names.
pub(super) fn of_customers(customers: &BTreeMap<TenantId, CustomerProfile>) -> BTreeMap<TenantId, String> {
    let mut lengths: BTreeMap<TenantId, Length> = customers.keys().map(|tenant| (*tenant, Length::Plain)).collect();
    loop {
        let names: BTreeMap<_, _> =
            lengths.iter().map(|(tenant, length)| (*tenant, name(*tenant, &customers[tenant], *length))).collect();
        let mut owners: BTreeMap<&str, Vec<TenantId>> = BTreeMap::new();
        for (tenant, name) in &names {
            owners.entry(name).or_default().push(*tenant);
        }
        let shared: Vec<_> = owners.into_values().filter(|tenants| tenants.len() > 1).flatten().collect();
        if shared.is_empty() {
            return names;
        }
        for tenant in shared {
            if let Some(length) = lengths.get_mut(&tenant) {
                *length = match length {
                    Length::Plain => Length::Hashed,
                    Length::Hashed | Length::Tenant => Length::Tenant,
                };
            }
        }
    }
}

/// A name for each Azure subscription of the customer called `customer`.
///
/// Also where there is only one, with the beginning of its id: it shall not change when another one is added.
pub(super) fn of_subscriptions(customer: &str, ids: &[SubscriptionId]) -> Vec<String> {
    let short = |id: &SubscriptionId| id.to_string().chars().take(8).collect::<String>();
    ids.iter()
        .map(|id| {
            let is_alone = ids.iter().filter(|other| short(other) == short(id)).count() == 1;
            format!("{customer}-{}", if is_alone { short(id) } else { id.to_string() })
        })
        .collect()
}

fn name(tenant: TenantId, profile: &CustomerProfile, length: Length) -> String {
    match length {
        Length::Plain => plain(profile),
        Length::Hashed => format!("{}-{}", plain(profile), hash(tenant)),
        Length::Tenant => format!("customer-{tenant}"),
    }
}

/// The company name in letters of DNS. One in another script is not recognised in what would be left of it, so then the
/// first part of the domain is taken, which has such letters only.
fn plain(profile: &CustomerProfile) -> String {
    let company = profile.company_name.as_deref().unwrap_or_default();
    let is_foreign = company.chars().any(|letter| letter.is_alphabetic() && !letter.is_ascii());
    let domain = profile.domain.as_deref().and_then(|domain| domain.split('.').next()).map(slug).unwrap_or_default();
    let company = slug(company);
    let candidates = if is_foreign { [domain, company] } else { [company, domain] };
    candidates.into_iter().find(|slug| !slug.is_empty()).unwrap_or_else(|| "customer".to_owned())
}

/// Lower-case letters and digits of ASCII, with single hyphens for everything in between.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars() {
        if slug.len() >= NAME_MAX {
            break;
        }
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Eight hexadecimal digits.
fn hash(tenant: TenantId) -> String {
    Sha256::digest(tenant.as_bytes()).iter().take(4).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Relationship;

    fn profile(company: &str, domain: &str) -> CustomerProfile {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        CustomerProfile {
            company_name: text(company),
            domain: text(domain),
            custom_domains: Vec::new(),
            relationship: Relationship::Reseller,
        }
    }

    fn tenant(number: usize) -> TenantId {
        format!("c0000000-0000-4000-8000-{number:012x}").parse().unwrap()
    }

    fn names<'a>(customers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
        let profiles = customers.into_iter().enumerate().map(|(i, (name, domain))| (tenant(i), profile(name, domain)));
        of_customers(&profiles.collect()).into_values().collect()
    }

    #[test]
    fn a_name_is_the_company_name_as_far_as_dns_allows() {
        for (company, domain, name) in [
            ("Fabrikam", "", "fabrikam"),
            ("  Fabrikam, Inc. (EMEA) ", "", "fabrikam-inc-emea"),
            ("3M & Co", "", "3m-co"),
            ("Müller GmbH", "mueller.onmicrosoft.com", "mueller"),
            ("Müller GmbH", "", "m-ller-gmbh"),
            ("株式会社", "", "customer"),
            ("", "woodgrove.onmicrosoft.com", "woodgrove"),
            ("!!!", "", "customer"),
            ("A very long company name that never ever ends at all", "", "a-very-long-company-name-that-never-ever"),
        ] {
            assert_eq!(names([(company, domain)]), [name], "{company}");
        }
    }

    #[test]
    fn customers_of_the_same_name_are_told_apart_whichever_is_exported() {
        let [first, second, third] = names([("Contoso", ""), ("CONTOSO", ""), ("Fabrikam", "")]).try_into().unwrap();
        assert_eq!(third, "fabrikam");
        assert!(first.starts_with("contoso-") && first.len() == "contoso-".len() + 8, "{first}");
        assert_ne!(first, second);
        // Somebody whose name is what another one got.
        let [one, other, cunning] = names([("Contoso", ""), ("Contoso", ""), (&second, "")]).try_into().unwrap();
        assert_eq!(one, first);
        assert_eq!(other, format!("customer-{}", tenant(1)));
        assert!(cunning.starts_with(&second), "{cunning}");
    }

    #[test]
    fn a_subscription_is_called_after_its_customer_and_its_id() {
        let id = |text: &str| text.parse::<SubscriptionId>().unwrap();
        let (one, other) = (id("30000000-0000-4000-8000-000000000001"), id("31000000-0000-4000-8000-000000000001"));
        let same = id("30000000-0000-4000-8000-000000000002");
        assert_eq!(of_subscriptions("a", &[one, other]), ["a-30000000", "a-31000000"]);
        assert_eq!(of_subscriptions("a", &[one, same]), [format!("a-{one}"), format!("a-{same}")]);
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_kubernetes_takes_and_nobody_else_has(
            customers in prop::collection::vec(("[Cc]ontoso|.{0,60}", "[a-z0-9-]{0,10}([.]com)?"), 0..12)
        ) {
            let names = names(customers.iter().map(|(name, domain)| (name.as_str(), domain.as_str())));
            for name in &names {
                prop_assert!(name.len() <= 54, "{name}: with an id it is a label");
                let is_letter = |letter: char| letter.is_ascii_digit() || letter.is_ascii_lowercase();
                prop_assert!(name.starts_with(is_letter) && name.ends_with(is_letter), "{name}");
                prop_assert!(name.chars().all(|letter| is_letter(letter) || letter == '-'), "{name}");
            }
            let unique: std::collections::BTreeSet<_> = names.iter().collect();
            prop_assert_eq!(unique.len(), names.len());
        }
    }
}
