//! The partner's relationships to other partners.

use serde::Deserialize;

/// The value of `relationship_type` for relationships to indirect resellers, which only an indirect provider has.
pub(in crate::remote) const PROVIDER_OF: &str = "IsIndirectCloudSolutionProviderOf";
/// The value of `relationship_type` for relationships to indirect providers, which only an indirect reseller has.
pub(in crate::remote) const RESELLER_OF: &str = "IsIndirectResellerOf";

/// One relationship.
#[derive(Debug, Deserialize)]
pub(in crate::remote) struct RelationshipWire {
    state: Option<String>,
}

impl RelationshipWire {
    /// Whether it holds now. One that says nothing of its state is taken for active.
    pub(in crate::remote) fn is_active(&self) -> bool {
        self.state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("active"))
    }
}
