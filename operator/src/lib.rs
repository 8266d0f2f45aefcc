//! Reeve's control plane: watches policies, servers and pods, compiles each pod's configuration, gives it to the pod's sidecar,
//! puts sidecars into pods, and tells in each object's status how far it is in force.
//!
//! ```text
//!                 ┌───────────────────────── pure: values in, values out ─────────────────────────┐
//! API server ──►  kubernetes::watch ──► control ─┬─ world: what was seen, and whom a change touches │
//!                                                ├─ plan: a pod's configuration                     │
//!                                                ├─ reports: what sidecars said                     │
//!                                                └─ status, events: what follows from both          │
//!                 └──────────────────────────────────────────────────────────────────────────────┘
//!                        │ assignments                       │ statuses, Events
//!                        ▼                                   ▼
//! sidecars ◄── delivery (/v1/sync) ── reports ──► control    kubernetes::write (the leader alone) ──► API server
//!
//! API server ──► webhook ─┬─ inject: a pod → the pod with a sidecar
//!                         └─ validate: an object of Reeve's → accepted, refused, warned of
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | what the operator has seen of the cluster, trimmed to what it uses, and indexed |
//! | [`assignment`] | what one sidecar is given |
//! | [`control`] | takes what was seen and heard, and says what follows |
//! | `plan` | a pod's configuration: what pods alike are given, made once |
//! | `reports` | what sidecars said, by pod and replica |
//! | `status` | how far each policy and server is in force |
//! | [`delivery`] | gives sidecars their configuration, and hears what became of it |
//! | [`events`] | which Events tell of what has changed |
//! | [`webhook`] | what the API server asks before it stores a pod or an object of Reeve's |
//! | [`control_loop`] | runs `control` between what is seen and heard and what follows |
//! | [`kubernetes`] | everything that is read from and written into the API server |
//! | [`http`] | the one port with TLS: webhooks and sidecars; and the plain one |
//! | [`tls`] | how the API server and the sidecars know the operator |
//! | [`admin`], [`metrics`] | probes, and what is counted |
//! | [`cli`], [`settings`] | flags and variables |
//! | [`run`], [`readiness`] | puts the parts together, from the start to the end |
//!
//! Every replica watches, compiles, serves and admits; only what is written into the API server is the leader's alone.

pub mod admin;
pub mod assignment;
pub mod cli;
pub mod control;
pub mod control_loop;
pub mod delivery;
pub mod events;
pub mod http;
pub mod kubernetes;
pub mod metrics;
mod plan;
pub mod readiness;
mod reports;
pub mod run;
pub mod settings;
mod status;
pub mod tls;
pub mod webhook;
pub mod world;
