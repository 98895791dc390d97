//! What stands around every page: who looks at it, what the simulator is made to do, and what came of the last form.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::fault_words;
use super::form::{address, asked};
use super::people::{self, Person};
use crate::simulator::exchange::Request;
use crate::simulator::state::State;

/// Faults that the banner names.
const FAULTS_NAMED: usize = 3;

/// The part of the portal that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Customers,
    Activity,
    Faults,
    Clock,
    /// None of the menu's.
    None,
}

/// A message at the top of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// It is done.
    Status(String),
    /// It is not done, and why.
    Alert(String),
}

impl Message {
    /// Its role for assistive technology, and its look.
    pub(super) fn role(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Alert(_) => "alert",
        }
    }

    pub(super) fn said(&self) -> &str {
        match self {
            Self::Status(said) | Self::Alert(said) => said,
        }
    }
}

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: String,
    pub(super) title: &'static str,
    pub(super) is_current: bool,
}

/// A time, as pages show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) Timestamp);

impl Moment {
    /// For people.
    pub(super) fn shown(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// For `datetime`.
    pub(super) fn machine(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// The frame of a page.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) place: Place,
    pub(super) people: Vec<Person>,
    pub(super) me: Person,
    pub(super) partner: String,
    pub(super) message: Option<Message>,
    /// Where somebody who signs in as another user goes back to.
    pub(super) back: String,
    pub(super) now: Moment,
    /// How the clock differs from this machine's.
    pub(super) clock: Option<String>,
    /// What the waiting faults do.
    pub(super) faults: Vec<String>,
}

impl Shell {
    /// The frame of the page that is asked for, with the message that its address names.
    pub(super) fn new(state: &State, request: &Request, place: Place, title: &str) -> Self {
        let rest: Vec<(&str, &str)> = request
            .query
            .iter()
            .filter(|(name, _)| name != "done")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Self {
            title: title.to_owned(),
            place,
            people: people::everybody(state),
            me: people::signed_in(state, request),
            partner: state.partner.name.clone(),
            message: asked(request, "done").and_then(done).map(|said| Message::Status(said.to_owned())),
            back: address(&request.path, &rest),
            now: Moment(request.at),
            clock: clock_note(state),
            faults: state.faults.waiting().iter().map(|fault| fault_words::told(state, &json!(fault))).collect(),
        }
    }

    /// The same after a form that was refused: the page stands at `path`.
    pub(super) fn refused(mut self, said: &str, path: &str) -> Self {
        self.message = Some(Message::Alert(said.to_owned()));
        path.clone_into(&mut self.back);
        self
    }

    /// What Partner Center has a page for, too.
    pub(super) fn entries(&self) -> Vec<Entry> {
        vec![
            self.entry("/portal/customers", "Customers", Place::Customers),
            self.entry("/portal/activity", "Activity log", Place::Activity),
        ]
    }

    /// What only a simulator has.
    pub(super) fn own_entries(&self) -> Vec<Entry> {
        vec![self.entry("/portal/faults", "Faults", Place::Faults), self.entry("/portal/clock", "Clock", Place::Clock)]
    }

    fn entry(&self, address: &str, title: &'static str, place: Place) -> Entry {
        Entry { address: address.to_owned(), title, is_current: place == self.place }
    }

    /// The faults that the banner names, and how many more there are.
    pub(super) fn named_faults(&self) -> (&[String], usize) {
        let named = self.faults.len().min(FAULTS_NAMED);
        (&self.faults[..named], self.faults.len() - named)
    }

    /// The title of the window begins with what came of the form, since that is what is read out first.
    pub(super) fn window_title(&self) -> String {
        let prefix = match &self.message {
            Some(Message::Status(_)) => "Done: ",
            Some(Message::Alert(_)) => "Refused: ",
            None => "",
        };
        format!("{prefix}{} - Partner Center, simulated", self.title)
    }
}

/// The sentences that a page shows after a form; addresses name them, so that nobody can have others shown.
fn done(name: &str) -> Option<&'static str> {
    Some(match name {
        "reservations-on" => "Azure reservations are on. The activity log has a record of it.",
        "reservations-off" => "Azure reservations are off. The activity log has a record of it.",
        "savings-plans-on" => "Azure savings plans are on. The activity log has a record of it.",
        "savings-plans-off" => "Azure savings plans are off. The activity log has a record of it.",
        "bought-reservation" => "The reservation is bought.",
        "bought-savings-plan" => "The savings plan is bought.",
        "fault-on" => "The fault is on.",
        "fault-off" => "It is off.",
        "clock" => "The clock is set.",
        "as-before" => "It was so already: nothing has been changed or recorded.",
        _ => return None,
    })
}

fn clock_note(state: &State) -> Option<String> {
    let shown = state.clock.shown();
    let minutes = SignedDuration::from_mins(shown.offset_seconds.abs() / 60);
    match shown.offset_seconds {
        _ if shown.frozen => Some("stands still".to_owned()),
        // What passes between two looks at the clock is no difference.
        -1..=1 => None,
        2..60 => Some(format!("{} s ahead of this machine’s", shown.offset_seconds)),
        -59..-1 => Some(format!("{} s behind this machine’s", -shown.offset_seconds)),
        60.. => Some(format!("{minutes:#} ahead of this machine’s")),
        _ => Some(format!("{minutes:#} behind this machine’s")),
    }
}
