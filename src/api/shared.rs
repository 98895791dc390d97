//! What the three kinds have in common.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A GUID in lower case. In CEL rather than `pattern`, because only a CEL rule can carry a sentence for people.
pub(super) const IS_GUID: &str = "self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')";

/// What an object can be called. A reference to anything else leads nowhere, and could put strange text where it is shown.
const IS_OBJECT_NAME: &str = "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')";

/// `observedGeneration` of an object that no pass has seen.
pub(super) const NEVER_OBSERVED: i64 = -1;

pub(super) fn never_observed() -> i64 {
    NEVER_OBSERVED
}

/// Names another object in the namespace of this one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct NameRef {
    /// Name of the object, in this namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new(IS_OBJECT_NAME).message(
            "must be the name of an object: lower-case letters, digits, hyphens and dots, beginning and ending with a letter or a digit"
        )
    )]
    pub name: String,
}

impl NameRef {
    /// A reference to the object called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}
