//! The steps of the demo.

use serde_json::json;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::shell::{NAMESPACE, Shell};

/// Tenants and subscriptions of `world.yaml`.
const FABRIKAM: &str = "10000000-0000-4000-8000-000000000001";
const CONTOSO_HOTELS: &str = "10000000-0000-4000-8000-000000000002";
const WOODGROVE_BANK: &str = "10000000-0000-4000-8000-000000000003";
const WOODGROVE_SUBSCRIPTION: &str = "30000000-0000-4000-8000-000000000003";

/// As Partner Center calls the two switches.
const RESERVATIONS: &str = "AzureReservedInstances";
const SAVINGS_PLANS: &str = "AzureSavingsPlan";

/// Somebody at the partner who prefers the portal.
const PORTAL_USER: &str = "ada@contosopartner.onmicrosoft.com";

/// kubectl's name for the sentence of the condition `Ready`.
const MESSAGE: &str = r#"jsonpath={.status.conditions[?(@.type=="Ready")].message}{"\n"}"#;

/// The newest activity record of every permission, as columns.
const LAST_ACTIVITY: &str = "custom-columns=NAME:.metadata.name,\
    ACTIVITY:.status.conditions[?(@.type==\"ActivityRecorded\")].reason,\
    ORIGIN:.status.recentActivity[0].origin,ACTOR:.status.recentActivity[0].actor,WHEN:.status.recentActivity[0].time";

pub(crate) async fn tell(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    screen.say(&format!(
        "The simulator stands in for Partner Center, Entra and Azure: SIM={}",
        shell.simulator().url()
    ))?;
    the_yaml_is_applied(shell, screen).await?;
    two_wait(shell, screen).await?;
    somebody_turns_it_off(shell, screen).await?;
    an_azure_plan_is_bought(shell, screen).await?;
    an_owner_is_assigned(shell, screen).await?;
    the_activity_log_is_there(shell, screen)?;
    the_yaml_is_deleted(shell, screen).await
}

async fn the_yaml_is_applied(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    screen.step("A pipeline applies the partner's YAML")?;
    shell.kubectl(screen, &["apply", "--server-side", "-f", "examples/quickstart", "-f", "examples/demo/waiting"])?;
    wait_until_ready(shell, screen, "fabrikam")?;
    shell.permissions(screen, FABRIKAM, &[RESERVATIONS], 1).await?;
    screen.meaning("Fabrikam has an Azure plan and an Owner, so it may now buy its own reservations.")?;
    Ok(())
}

async fn two_wait(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    screen.step("Two other customers are not ready for it, and their permissions say why")?;
    for (name, reason) in [("contoso-hotels", "NoAzureSubscription"), ("woodgrove-bank", "OwnerMissing")] {
        shell
            .until(&format!("{name} waits with reason {reason}"), async || {
                Ok(shell.ready(name)?.is_some_and(|ready| ready.status == "False" && ready.reason == reason))
            })
            .await?;
    }
    shell.kubectl(screen, &["get", "cpp", "-n", NAMESPACE])?;
    for name in ["contoso-hotels", "woodgrove-bank"] {
        shell.kubectl(screen, &["get", "cpp", name, "-n", NAMESPACE, "-o", MESSAGE])?;
    }
    for tenant in [CONTOSO_HOTELS, WOODGROVE_BANK] {
        shell.permissions(screen, tenant, &[], 0).await?;
    }
    screen.meaning("Nothing was written for them: a grant waits for every prerequisite.")?;
    Ok(())
}

async fn somebody_turns_it_off(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    screen.step("Somebody turns Fabrikam's switch off in the portal")?;
    let body = json!({ "customer": FABRIKAM, "resource": RESERVATIONS, "allow": false, "user": PORTAL_USER });
    shell.post(screen, "portal/permission", body).await?;
    shell
        .until("an event names the user who turned the switch off", async || {
            shell.has_event("fabrikam", &[PORTAL_USER, "the operator turns it back"])
        })
        .await?;
    shell
        .until("the switch is on again", async || {
            let is_on = shell.simulator().permissions(FABRIKAM).await? == [RESERVATIONS];
            Ok(is_on && shell.ready("fabrikam")?.is_some_and(|ready| ready.status == "True"))
        })
        .await?;
    shell.kubectl(screen, &["events", "--for", "cpp/fabrikam", "-n", NAMESPACE])?;
    shell.permissions(screen, FABRIKAM, &[RESERVATIONS], 2).await?;
    screen.meaning("The operator saw it in Partner Center's activity log, named the user, and turned it on again.")?;
    Ok(())
}

async fn an_azure_plan_is_bought(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    screen.step("Contoso Hotels gets its Azure plan, with a subscription that a user of its own owns")?;
    let plan = json!({
        "id": "20000000-0000-4000-8000-000000000002", "kind": "AzurePlan",
        "azureSubscriptions": [{
            "id": "30000000-0000-4000-8000-000000000002",
            "roleAssignments": [{ "principalId": "40000000-0000-4000-8000-000000000002", "role": "Owner" }],
        }],
    });
    shell.post(screen, &format!("customers/{CONTOSO_HOTELS}/subscriptions"), plan).await?;
    screen.remark("the operator looks again by itself; an annotation with any new value has it look now")?;
    shell.kubectl(
        screen,
        &["annotate", "azsub", "contoso-hotels", "-n", NAMESPACE, "csp-operator.dev/reconcile=the-plan-is-bought"],
    )?;
    wait_until_ready(shell, screen, "contoso-hotels")?;
    shell.permissions(screen, CONTOSO_HOTELS, &[RESERVATIONS], 1).await?;
    screen
        .meaning("The permission went on as soon as its subscription was in order. Nobody applied anything again.")?;
    Ok(())
}

async fn an_owner_is_assigned(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    screen.step("A user of Woodgrove Bank becomes Owner of its subscription")?;
    let owner = json!({
        "subscription": WOODGROVE_SUBSCRIPTION, "principalId": "40000000-0000-4000-8000-000000000003", "holds": true,
    });
    shell.post(screen, "owners", owner).await?;
    screen.remark("this time nobody asks the operator to look: it does within 20 seconds, later less often")?;
    wait_until_ready(shell, screen, "woodgrove-bank")?;
    shell.permissions(screen, WOODGROVE_BANK, &[RESERVATIONS, SAVINGS_PLANS], 1).await?;
    screen.meaning("Both switches of Woodgrove Bank are on, with one write.")?;
    Ok(())
}

fn the_activity_log_is_there(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    screen.step("Who changed what: Partner Center's activity log in Kubernetes")?;
    shell.kubectl(screen, &["wait", "--for=condition=ActivityRecorded", "cpp", "--all", "-n", NAMESPACE])?;
    shell.kubectl(screen, &["get", "cpp", "-n", NAMESPACE, "-o", LAST_ACTIVITY])?;
    screen.remark("the part on the activity log; the rest is spec, the other conditions, and the events from above")?;
    shell.kubectl_trimmed(screen, &["describe", "cpp", "fabrikam", "-n", NAMESPACE], "", activity)?;
    shell.kubectl(screen, &["get", "csp", "-n", NAMESPACE])?;
    screen.meaning("The newest record is the condition ActivityRecorded, and the newest twenty are in the status.")?;
    Ok(())
}

/// What `kubectl describe` says of the activity log.
fn activity(description: &str) -> String {
    let lines = description.lines().skip_while(|line| !line.starts_with("  Recent Activity:"));
    let lines = lines.take_while(|line| !line.starts_with("Events:"));
    let lines: Vec<_> = lines.filter(|line| !line.trim_start().starts_with("Record Id:")).collect();
    format!("…\n{}\n…", lines.join("\n"))
}

async fn the_yaml_is_deleted(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    screen.step("Fabrikam's YAML is deleted")?;
    shell.permissions(screen, FABRIKAM, &[RESERVATIONS], 2).await?;
    shell.kubectl(screen, &["delete", "-f", "examples/quickstart/10-fabrikam.yaml"])?;
    shell.permissions(screen, FABRIKAM, &[], 3).await?;
    shell
        .until("an event tells of the release", async || {
            shell.has_event("fabrikam", &["Partner Center holds none of its switches"])
        })
        .await?;
    shell.kubectl_trimmed(
        screen,
        &["events", "--for", "cpp/fabrikam", "-n", NAMESPACE, "--no-headers"],
        " | tail -n 1",
        |output| output.lines().last().unwrap_or_default().to_owned(),
    )?;
    screen.meaning("What it had granted was revoked before it went, although its Customer was deleted first.")?;
    Ok(())
}

/// How to go on after the last step.
pub(crate) fn epilogue(shell: &Shell<'_>, screen: &mut Screen) -> Result<(), Failure> {
    let [operator, simulator] = shell.logs();
    screen.step("It is yours until Ctrl-C. In another terminal:")?;
    let lines = [
        format!("export KUBECONFIG={} SIM={}", shell.kubeconfig().display(), shell.simulator().url()),
        format!("alias kubectl={}        # unless you have one", shell.kubectl_program()),
        format!("export PATH={}:$PATH        # has kubectl-csp, which kubectl runs as kubectl csp", shell.programs()),
        "export CSP_LOGIN_URL=$SIM CSP_PARTNER_CENTER_URL=$SIM CSP_AZURE_URL=$SIM CSP_GRAPH_URL=$SIM".to_owned(),
        "                    # for kubectl csp plan, export and login: the simulator in place of Microsoft".to_owned(),
        format!("kubectl get csp -n {NAMESPACE}"),
        format!("kubectl get cpp -n {NAMESPACE} --watch"),
        "kubectl csp plan -f examples/quickstart        # Fabrikam's YAML is deleted: what applying it would change".to_owned(),
        "kubectl csp activity -A".to_owned(),
        "kubectl csp login --no-browser        # open the address that it shows, or curl -sL it in a third terminal".to_owned(),
        "kubectl apply --server-side -f examples/situations   # the simulator has a customer for each".to_owned(),
        "                    # coho-vineyard's Azure plan is bought after a quarter of an hour, to be sure that it has none".to_owned(),
        format!("kubectl get cpp -n {NAMESPACE} -o wide"),
        "kubectl explain cpp.spec --recursive".to_owned(),
        format!(
            r#"curl -s $SIM/simulator/portal/permission -d '{{"customer":"{WOODGROVE_BANK}","resource":"{SAVINGS_PLANS}","allow":false,"user":"{PORTAL_USER}"}}'"#
        ),
        format!("tail -f {} {}", operator.display(), simulator.display()),
    ];
    for line in lines {
        screen.say(&format!("  {line}"))?;
    }
    screen.say(&format!(
        "In a browser, pages like Partner Center's, to turn switches and let customers buy: {}/portal",
        shell.simulator().url()
    ))?;
    screen
        .say("This cluster has its operator: to install one of your own, docs/simulator.md starts another cluster.")?;
    screen.say("docs/simulator.md lists all that can happen in the simulator. Ctrl-C takes everything down.")?;
    Ok(())
}

fn wait_until_ready(shell: &Shell<'_>, screen: &Screen, name: &str) -> Result<(), Failure> {
    let object = format!("cpp/{name}");
    shell.kubectl(screen, &["wait", "--for=condition=Ready", &object, "-n", NAMESPACE, "--timeout=60s"])
}
