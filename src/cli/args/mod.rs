//! What can be said on the command line.
//!
//! `mod` has the commands, with what `--help` says of each; one file for each command has its options, and beside them is
//! what several have: `cluster` and `objects`, `files`, `output`, `sign_in`, `microsoft`.
//!
//! Nothing secret is an option or a variable: command lines and environments are shown in too many places.

// The comments on options are what --help prints, and a terminal shows backticks as they are.
#![allow(clippy::doc_markdown)]

mod activity;
mod cluster;
mod completion;
mod explain;
mod export;
mod files;
mod lint;
mod login;
mod microsoft;
mod objects;
mod output;
mod plan;
mod purchases;
mod sign_in;
mod tree;

use clap::{Parser, Subcommand};

use crate::operator::version::version;

pub(super) use activity::ActivityArgs;
pub(super) use cluster::ClusterArgs;
pub(super) use completion::{CompleteArgs, CompletionArgs};
pub(super) use explain::ExplainArgs;
pub(super) use export::ExportArgs;
pub(super) use files::FilesArgs;
pub(super) use lint::LintArgs;
pub(super) use login::LoginArgs;
pub(super) use microsoft::{AzureArgs, MicrosoftArgs};
pub(super) use objects::ObjectsArgs;
pub(super) use output::Output;
pub(super) use plan::{FailOn, PlanArgs, PlanOutput};
pub(super) use purchases::PurchasesArgs;
pub(super) use sign_in::BorrowArgs;
pub(super) use tree::TreeArgs;

/// Purchase permissions of Microsoft CSP customers, for the people who look after csp-operator.
#[derive(Debug, Parser)]
#[command(name = "kubectl-csp", bin_name = "kubectl csp", version = version(), max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the plugin can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in to Partner Center, and create or renew the Secret that the operator signs in with.
    ///
    /// Opens a browser, in which a user of the partner signs in with MFA; that user should be an Admin agent. What the
    /// options leave out is taken from the Secret, so renewing it takes none.
    ///
    /// The application needs the delegated permission Microsoft Partner Center > user_impersonation and the redirect URI
    /// http://localhost, on the platform Web if it has a client secret or a certificate.
    Login(Box<LoginArgs>),

    /// Show who turned customers' purchase permissions on and off, as Partner Center's activity log tells it.
    ///
    /// Newest first, under the names that the portal's Activity log page has for it: Create, Update and Delete Customer
    /// Purchase Permissions. Read from the statuses of the CustomerPurchasePermissions, each of which keeps the newest 20
    /// records of its customer; needs no sign-in to Partner Center. The operator reads Partner Center's log every minute,
    /// and records take some minutes to appear there.
    #[command(after_help = activity::EXAMPLES)]
    Activity(ActivityArgs),

    /// Write manifests for the customers that the partner has already, saying what Partner Center has of them.
    ///
    /// For each customer a Customer, an AzureSubscription for every active Azure subscription, and a
    /// CustomerPurchasePermission: a switch that is on is Allow, one that is off is Deny, and mode is Observe, so that
    /// applying them writes nothing and nobody accepts a bill by accident. To have the operator keep what is there, set
    /// mode to Enforce and, where anything is Allow, acceptBillingResponsibility to true. That writes nothing either.
    ///
    /// Reads only. Signs in as the operator does, with its two Secrets, and leaves them as they are. Costs three requests
    /// to Partner Center for each customer (one more for each further Azure plan, and one for 500 customers to list them), of
    /// the 500 a minute that the partner has for everything: 1,000 customers take 12 minutes at the default pace. Progress
    /// is told on standard error. A customer that cannot be read is told there and left out, and the exit code is then 1.
    #[command(after_help = export::EXAMPLES)]
    Export(Box<ExportArgs>),

    /// Show what manifests would change in Partner Center, before they are applied.
    ///
    /// Reads the Customers, AzureSubscriptions and CustomerPurchasePermissions in files, reads Partner Center and Azure as
    /// the operator does, and asks the operator's own planner: which switches would be turned on or off, which stay as they
    /// are, and which are held up by what. Needs no cluster; writes nothing anywhere. A namespace acts only for the
    /// customers that its annotation csp-operator.dev/allowed-customers lists, so the Namespace belongs to the files, or
    /// --allow-all-namespaces says that the operator runs with that.
    ///
    /// What is no longer in the files is planned with --previous only: a deleted manifest with deletionPolicy Revoke, which is
    /// the default, has its switches turned off once it is deleted in the cluster too.
    ///
    /// Exit code 0: nothing would change. 2: something would change, or is to change and is held up, or the objects let the
    /// operator write what is not planned (azurePlan Purchase, ownerRole Assign, costManagement). 1: an error, such as a
    /// manifest that the API server would refuse, or a customer that could not be read.
    ///
    /// Costs up to four requests to Partner Center for each customer, and one to Azure for each subscription.
    #[command(after_help = plan::EXAMPLES)]
    Plan(Box<PlanArgs>),

    /// Check manifests without a cluster, as the API server would.
    ///
    /// Schema and CEL rules are those of the CRDs that belong to this version. Beside what the API server would refuse
    /// (errors) it tells what would come to nothing (warnings): references to what is not in the files, two permissions for
    /// one customer that want different things, a customer that its Namespace in the same files does not list. That fields
    /// such as tenantId cannot be changed afterwards is not looked at: there is nothing to compare with.
    ///
    /// Exit code 1 where there is an error.
    #[command(after_help = lint::EXAMPLES)]
    Lint(LintArgs),

    /// Say in words what an object waits for, and what to do.
    ///
    /// Follows the chain from a permission to its customer, its Azure subscriptions, their owners and the sign-in, each with
    /// its condition, since when, and why. Read from the statuses in the cluster.
    #[command(after_help = explain::EXAMPLES)]
    Explain(ExplainArgs),

    /// Show customers with what belongs to them, and references that lead nowhere.
    Tree(TreeArgs),

    /// Print the completion script of a shell, for the program kubectl-csp.
    ///
    /// For kubectl csp itself, kubectl runs a program kubectl_complete-csp that it finds in PATH; put this into one and make
    /// it executable: exec kubectl-csp __complete "$@"
    Completion(CompletionArgs),

    /// Answer kubectl's completion.
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),

    /// Show which reservations and savings plans customers have bought, and when they end.
    ///
    /// Newest first, with who bought them as far as there is evidence. Read from the statuses of the Customers, each of which
    /// keeps the newest 20; needs no sign-in to Partner Center. The operator looks for them every six hours while a purchase
    /// permission is on. It is said where there may be more than can be seen.
    #[command(after_help = purchases::EXAMPLES)]
    Purchases(PurchasesArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_option_takes_a_secret() {
        let cli = Cli::command();
        for command in cli.get_subcommands() {
            for option in command.get_arguments() {
                let name = option.get_id().as_str();
                let is_secret = name.contains("password") || name.contains("token") || name == "client_secret";
                // The name of an object.
                assert!(!is_secret || name == "tokens_secret", "{name} of {}", command.get_name());
                assert!(option.get_help().is_some() || name == "help", "--{name} is not documented");
            }
        }
    }
}
