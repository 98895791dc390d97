//! The table that is printed at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use local_cluster::audit::Counts;

use super::measure::{Measurement, Phase, is_lease};
use super::options::Options;
use super::usage;

/// A table of text: the first column is flush left, the others are flush right.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn row<const N: usize>(&mut self, cells: [impl Into<String>; N]) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    fn section<const N: usize>(&mut self, title: &str, columns: [&str; N]) {
        if !self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        self.rows.push([title].into_iter().chain(columns).map(str::to_owned).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell: &String| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// What a measurement has come to, on what, and what was measured elsewhere.
pub(crate) fn report(measured: &Measurement, options: &Options) -> String {
    let mut table = Table::default();
    let Measurement { first, activity, restart, .. } = measured;
    let phases = [first, activity, restart];

    table.section("", ["until Ready", "each", "activity log", "each", "minute after restart"]);
    table.row(["time to the last write to Partner Center".to_owned(), seconds(measured.last_write_after)]);
    table.row(["time until every permission is Ready".to_owned(), seconds(measured.ready_after)]);
    let cpu = |phase: &Phase| phase.cpu.map_or_else(unknown, seconds);
    table.row(["CPU", &cpu(first), "", &cpu(activity), "", &cpu(restart)]);
    let peak = |phase: &Phase| phase.usage.map_or_else(unknown, |usage| mib(usage.peak_kib));
    table.row(["memory, peak so far", &peak(first), "", &peak(activity), "", &peak(restart)]);
    let now = |phase: &Phase| phase.usage.map_or_else(unknown, |usage| mib(usage.resident_kib));
    table.row(["memory, settled", &now(first), "", &now(activity), "", &now(restart)]);

    let numbers = |name: String, counts: [u64; 3]| -> [String; 6] {
        let each = |count| per(count, options.objects);
        let [first, activity, restart] = counts;
        [name, whole(first), each(first), whole(activity), each(activity), whole(restart)]
    };
    table.rows.push(Vec::new());
    table.row(numbers("remote calls".to_owned(), phases.map(|phase| phase.remote.values().sum())));
    table.row(["  of which due without the restart", "", "", "", "", &measured.restart_timetable.to_string()]);
    for operation in phases.iter().flat_map(|phase| phase.remote.keys()).collect::<BTreeSet<_>>() {
        let counts = phases.map(|phase| phase.remote.get(operation).copied().unwrap_or_default());
        table.row(numbers(format!("  {operation}"), counts));
    }

    let budget = Budget::of(measured);
    table.section(
        "by the default budget of Partner Center",
        [format!("{} a minute", measured.calls_per_minute).as_str()],
    );
    table.row(["calls to Partner Center for a permission", &per(budget.calls, options.objects)]);
    table.row(["permissions in a minute, after the first", &whole(budget.permissions_a_minute(options.objects))]);
    table.row(["minutes until all are permitted", &budget.minutes().to_string()]);

    table.rows.push(Vec::new());
    table.row(numbers("Kubernetes requests".to_owned(), phases.map(|phase| phase.kubernetes.total())));
    let by_kind = phases.map(|phase| by_verb_and_resource(&phase.kubernetes));
    for request in by_kind.iter().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>() {
        let counts = [0, 1, 2].map(|phase| by_kind[phase].get(request).copied().unwrap_or_default());
        table.row(numbers(format!("  {request}"), counts));
    }
    let of_activity = |kind: &String| {
        let all = measured.all_events.get(kind).copied().unwrap_or_default();
        all.saturating_sub(measured.first_events.get(kind).copied().unwrap_or_default())
    };
    for kind in measured.all_events.keys() {
        let first = measured.first_events.get(kind).copied().unwrap_or_default();
        table.row(numbers(format!("    events of {kind}"), [first, of_activity(kind), 0]));
    }

    table.section("compared, each for one permission", ["csp-operator", "Go controller *", "provider-http *"]);
    table.row(["time to the last write", &seconds(measured.last_write_after), "8.3 s", "-"]);
    table.row(["CPU, for all", &cpu(first), "0.9 to 1.4 s", "-"]);
    table.row(["memory, peak", &peak(first), "39 MB", "180 MB"]);
    table.row(["remote calls", &per(first.remote.values().sum(), options.objects), "2.0", "-"]);
    table.row(["Kubernetes requests", &per(first.kubernetes.total(), options.objects), "2.0", "10 to 13"]);
    let third = |count| per(count, options.objects * 3);
    table.row(["  for one object, of three", &third(first.kubernetes.total()), "2.0", "10 to 13"]);
    table.row([
        "remote calls after a restart, for all",
        &whole(restart.remote.values().sum()),
        "one each, at once",
        "-",
    ]);

    let title = format!(
        "csp-operator, {} permissions, each with a Customer and an AzureSubscription of its own, API latency {} ms,\n\
         release build, {} cores, {} {}, {} tasks running on average (others than the benchmark's included)\n",
        whole(options.objects.into()),
        options.latency_ms,
        std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        std::env::consts::OS,
        std::env::consts::ARCH,
        usage::load().map_or_else(unknown, |load| format!("{load:.1}")),
    );
    format!(
        "{title}\n{table}\n\
         * measured elsewhere on 2 cores, for the bare job: no prerequisites, events or activity log.\n  \
         Go: controller-runtime with 16 workers. provider-http: Crossplane's.\n"
    )
}

/// What the default budget makes of the counts.
struct Budget {
    /// Calls to Partner Center until everything was `Ready`.
    calls: u64,
    /// Calls that may be made at once: a fifth of what is allowed in a minute. The rest flows in.
    at_once: u64,
    a_minute: u64,
}

impl Budget {
    fn of(measured: &Measurement) -> Self {
        let to_others = ["token", "list_role_assignments", "list_my_groups"];
        let calls = measured.first.remote.iter().filter(|(operation, _)| !to_others.contains(&operation.as_str()));
        let allowed = u64::from(measured.calls_per_minute);
        Self { calls: calls.map(|(_, count)| count).sum(), at_once: allowed / 5, a_minute: allowed - allowed / 5 }
    }

    fn permissions_a_minute(&self, objects: u32) -> u64 {
        self.a_minute * u64::from(objects) / self.calls.max(1)
    }

    /// Rounded up.
    fn minutes(&self) -> u64 {
        self.calls.saturating_sub(self.at_once).div_ceil(self.a_minute.max(1))
    }
}

/// Requests by verb and resource, whatever namespace they were for; refused and conflicting ones apart.
fn by_verb_and_resource(counts: &Counts) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (request, count) in counts.iter() {
        let resource = request.resource.replace(".csp-operator.dev", "").replace(".events.k8s.io", "");
        let refused = if request.code >= 400 { format!(" ({})", request.code) } else { String::new() };
        let name = if is_lease(&request.resource) { "leases".to_owned() } else { resource };
        *sums.entry(format!("{} {name}{refused}", request.verb)).or_default() += count;
    }
    sums
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn mib(kib: u64) -> String {
    // Rounded up: a limit is compared with it.
    format!("{} MB", kib.div_ceil(1024))
}

fn unknown() -> String {
    "only on Linux".to_owned()
}

/// With a comma between thousands.
fn whole(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// `count` for each of `objects`, to one decimal.
fn per(count: u64, objects: u32) -> String {
    let tenths = (count * 10 + u64::from(objects) / 2) / u64::from(objects);
    format!("{}.{}", whole(tenths / 10), tenths % 10)
}
