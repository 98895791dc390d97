//! Relationships between partners: who resells for whom.
//! <https://learn.microsoft.com/en-us/partner-center/developer/get-a-list-of-partner-relationships>

use serde_json::{Value, json};

use super::caller::{Needs, authenticate};
use super::collection;
use super::customers::related;
use super::refusal::invalid_property;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::State;
use crate::simulator::world::{PartnerType, RelatedPartner};

/// The two kinds of relationship, as a request names them and as an answer does.
const KINDS: [(&str, &str, PartnerType); 2] = [
    ("IsIndirectCloudSolutionProviderOf", "is_indirect_cloud_solution_provider_of", PartnerType::IndirectProvider),
    ("IsIndirectResellerOf", "is_indirect_reseller_of", PartnerType::IndirectReseller),
];

pub(super) fn list_relationships(state: &State, request: &Request) -> Outcome {
    authenticate(state, request, Needs::Profile)?;
    let asked = request.query("relationship_type").unwrap_or_default();
    let (_, word, kind) = KINDS
        .into_iter()
        .find(|(name, word, _)| name.eq_ignore_ascii_case(asked) || word.eq_ignore_ascii_case(asked))
        .ok_or_else(|| invalid_property(&format!("relationship_type `{asked}` is not known.")))?;
    Ok(Answer::ok(&collection::complete(&relationships(state, word, kind))))
}

/// The partners that have to do with a customer: for an indirect provider its resellers.
pub(super) fn of_customer(state: &State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::User)?;
    related(state, request, customer)?;
    let [(_, word, kind), _] = KINDS;
    Ok(Answer::ok(&collection::complete(&relationships(state, word, kind))))
}

fn relationships(state: &State, word: &str, kind: PartnerType) -> Vec<Value> {
    let partners = if state.partner.kind == kind { state.partner.related_partners.as_slice() } else { &[] };
    partners.iter().map(|partner| to_json(partner, word)).collect()
}

fn to_json(partner: &RelatedPartner, word: &str) -> Value {
    json!({
        "id": partner.tenant_id,
        "name": partner.name,
        "relationshipType": word,
        "state": partner.state,
        "mpnId": partner.mpn_id,
        "location": partner.location,
        "attributes": { "objectType": "PartnerRelationship" },
    })
}
