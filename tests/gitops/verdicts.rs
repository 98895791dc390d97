//! kstatus, Flux and Argo CD say of every status what `docs/gitops.md` says they do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::built;

/// How an object stands, by its conditions: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Every wish holds, or what is only observed is current.
    Holds,
    /// Something is under way, or may come by itself; or nobody has looked at this generation yet.
    InProgress,
    /// A person must act.
    Stalled,
    /// Drift that `driftPolicy` leaves.
    Left,
    /// Nobody looks, and it was Ready.
    SuspendedReady,
    /// Nobody looks, and it was not Ready.
    SuspendedNotReady,
    /// It is being deleted.
    Deleting,
}

/// What the tools say: kstatus, Flux by our `healthCheckExprs`, Argo CD by our script.
type Words = [&'static str; 3];

impl Verdict {
    fn of(object: &Value) -> Self {
        let condition = |type_: &str| {
            let all = object["status"]["conditions"].as_array().into_iter().flatten();
            all.clone().find(|condition| condition["type"] == type_).cloned().unwrap_or_default()
        };
        let [ready, reconciling, stalled] = ["Ready", "Reconciling", "Stalled"].map(condition);
        if object["metadata"]["deletionTimestamp"].is_string() {
            Self::Deleting
        } else if object["status"]["observedGeneration"] != object["metadata"]["generation"] {
            Self::InProgress
        } else {
            match [&ready, &reconciling, &stalled].map(|it| it["status"].as_str().unwrap_or_default()) {
                ["False", "True", "False"] => Self::InProgress,
                ["False", "False", "True"] => Self::Stalled,
                ["True", "False", "False"] if ready["reason"] == "Suspended" => Self::SuspendedReady,
                ["False", "False", "False"] if ready["reason"] == "Suspended" => Self::SuspendedNotReady,
                ["True", "False", "False"] => Self::Holds,
                ["False", "False", "False"] if ready["reason"] == "Drifted" => Self::Left,
                other => panic!("no situation has these: {other:?} {object}"),
            }
        }
    }

    /// The table of `docs/gitops.md`.
    fn words(self) -> Words {
        match self {
            Self::Holds => ["Current", "Current", "Healthy"],
            Self::InProgress => ["InProgress", "InProgress", "Progressing"],
            Self::Stalled => ["Failed", "Failed", "Degraded"],
            Self::Left => ["InProgress", "Failed", "Degraded"],
            Self::SuspendedReady => ["Current", "Current", "Suspended"],
            Self::SuspendedNotReady => ["InProgress", "Failed", "Suspended"],
            Self::Deleting => ["Terminating", "InProgress", "Progressing"],
        }
    }
}

/// How many different statuses there are at least. Those of permissions come from whole histories at random, 2,000 of them, and
/// are more than twice as many each time.
const LEAST: [(&str, Verdict, usize); 15] = {
    use Verdict::{Deleting, Holds, InProgress, Left, Stalled, SuspendedNotReady, SuspendedReady};
    let (permission, subscription, customer) = ("CustomerPurchasePermission", "AzureSubscription", "Customer");
    [
        (permission, Holds, 100),
        (permission, InProgress, 700),
        (permission, Stalled, 200),
        (permission, Left, 10),
        (permission, SuspendedReady, 8),
        (permission, SuspendedNotReady, 25),
        (permission, Deleting, 500),
        (subscription, Holds, 2),
        (subscription, InProgress, 40),
        (subscription, Stalled, 3),
        (subscription, Deleting, 25),
        (customer, Holds, 16),
        (customer, InProgress, 80),
        (customer, Stalled, 20),
        (customer, Deleting, 60),
    ]
};

/// All statuses that the planner's tests have written, by their files.
pub(crate) fn statuses() -> BTreeMap<PathBuf, Value> {
    let directory = built("statuses");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())).collect()
}

/// Where our rules for the tools are.
const FLUX_RULES: &str = "manifests/gitops/flux/health-check-exprs.yaml";
const ARGO_RULES: &str = "manifests/gitops/argocd/argocd-cm.yaml";

/// What this program says of the files: the columns after the file's name.
fn judge(program: &str, rules: &Path, files: &[&Path]) -> BTreeMap<PathBuf, Vec<String>> {
    let mut said = BTreeMap::new();
    // A command line has its limit.
    for files in files.chunks(500) {
        let output = Command::new(built(program)).arg(rules).args(files).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let mut columns = line.split('\t').map(str::to_owned);
            said.insert(PathBuf::from(columns.next().unwrap()), columns.collect());
        }
    }
    said
}

/// How often each verdict was given, and where a tool says otherwise.
#[derive(Default)]
struct Judged {
    counts: BTreeMap<(String, Verdict), usize>,
    wrong: Vec<String>,
}

fn judge_all(statuses: &BTreeMap<PathBuf, Value>, flux_rules: &Path, argo_rules: &Path) -> Judged {
    let files: Vec<_> = statuses.keys().map(PathBuf::as_path).collect();
    let flux = judge("gitops-flux", flux_rules, &files);
    let argo = judge("gitops-argocd", argo_rules, &files);
    let mut judged = Judged::default();
    for (path, object) in statuses {
        let verdict = Verdict::of(object);
        let said = [&flux[path][0], &flux[path][1], &argo[path][0]];
        if said != verdict.words() {
            judged.wrong.push(format!("{verdict:?}, but {said:?}: {object}"));
        }
        *judged.counts.entry((object["kind"].as_str().unwrap().to_owned(), verdict)).or_default() += 1;
    }
    judged
}

#[test]
fn every_tool_says_of_every_status_what_the_table_says() {
    let (root, statuses) = (stage::root(), statuses());
    let Judged { counts, mut wrong } = judge_all(&statuses, &root.join(FLUX_RULES), &root.join(ARGO_RULES));
    for ((kind, verdict), count) in &counts {
        println!("{count:>6}  {kind:<28}{:<20}{}", format!("{verdict:?}"), verdict.words().join(" · "));
    }
    println!("{:>6}  statuses were judged, {} of them otherwise than the table says", statuses.len(), wrong.len());
    wrong.truncate(5);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (kind, verdict, least) in LEAST {
        let count = counts.get(&(kind.to_owned(), verdict)).copied().unwrap_or_default();
        assert!(count >= least, "only {count} statuses of a {kind} that is {verdict:?}: not all were written");
    }
}

#[test]
fn rules_that_are_wrong_are_noticed() {
    let (root, statuses) = (stage::root(), statuses());
    let directory = root.join("target/gitops/wrong");
    fs::create_dir_all(&directory).unwrap();
    for (rules, right, wrong) in [
        (FLUX_RULES, "c.status != 'True'", "c.status == 'Unknown'"),
        (FLUX_RULES, "has(metadata.deletionTimestamp) ||", "false ||"),
        (ARGO_RULES, r#"reconciling.status == "True""#, r#"reconciling.status == "true""#),
        (ARGO_RULES, "obj.status.observedGeneration ~= obj.metadata.generation", "false"),
        (ARGO_RULES, r#"ready.reason == "Suspended""#, "false"),
    ] {
        let text = fs::read_to_string(root.join(rules)).unwrap();
        assert!(text.contains(right), "{rules} has no {right} any more");
        let path = directory.join(Path::new(rules).file_name().unwrap());
        fs::write(&path, text.replace(right, wrong)).unwrap();
        let (flux, argo) =
            if rules == FLUX_RULES { (path, root.join(ARGO_RULES)) } else { (root.join(FLUX_RULES), path) };
        assert!(!judge_all(&statuses, &flux, &argo).wrong.is_empty(), "{rules} without {right} is not noticed");
    }
}
