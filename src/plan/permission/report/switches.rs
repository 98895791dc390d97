//! The switches in the status: what Partner Center holds, and what we last applied.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::held::{Held, is_touched};
use super::super::pass::Pass;
use super::super::switches::{get, set, wished, word};
use super::{Outcome, Report};
use crate::api::{CustomerPurchasePermissionStatus, Mode, SwitchState, SwitchStatus, Switches};
use crate::model::Switch;
use crate::plan::to_second;

impl Pass<'_> {
    pub(super) fn show_switches(&self, report: &Report, status: &mut CustomerPurchasePermissionStatus) {
        let Held::Read { state: read, .. } = &report.held else {
            let is_worthless = match report.outcome {
                // Who does not own the tenant does not hear of the owner's writes.
                Outcome::Conflict { .. } | Outcome::Unresolved => true,
                // Going on is another generation, also for who is held in deletion until a person has decided.
                Outcome::Suspended => is_touched(self),
                Outcome::Stopped { .. } if self.desired.mode == Mode::Suspend => is_touched(self),
                // From here on the status knows the record or the generation, so nothing but this tells that nobody has
                // looked since.
                Outcome::Enforced { .. } | Outcome::Observed { .. } | Outcome::Stopped { .. } => {
                    is_touched(self) || !self.is_current()
                }
            };
            if is_worthless {
                status.effective = None;
                status.policy_id = None;
            }
            return;
        };
        status.policy_id = read.policy().map(|policy| policy.id.clone());
        let before = self.before.effective.as_ref();
        let mut effective = Switches::default();
        for switch in Switch::ALL {
            set(&mut effective, switch, Some(self.since(before, switch, word(read.allows(switch)))));
        }
        status.effective = Some(effective);
        if !matches!(report.outcome, Outcome::Enforced { .. }) {
            return;
        }
        let applied_before = self.before.last_applied.as_ref();
        let mut applied = self.before.last_applied.clone().unwrap_or_default();
        for switch in Switch::ALL {
            match wished(self.latches.wishes.of(switch)) {
                None => set(&mut applied, switch, None),
                Some(wish) if wish == word(read.allows(switch)) => {
                    set(&mut applied, switch, Some(self.since(applied_before, switch, wish)));
                }
                Some(_) => {}
            }
        }
        status.last_applied = (applied != Switches::default()).then_some(applied);
    }

    /// `wanted`, with the time of before if that is what it was before.
    fn since(&self, before: Option<&Switches>, switch: Switch, wanted: SwitchState) -> SwitchStatus {
        let since: Time = before
            .and_then(|before| get(before, switch))
            .filter(|before| before.state == wanted)
            .map_or_else(|| to_second(self.now), |before| before.since.clone());
        SwitchStatus { state: wanted, since }
    }
}
