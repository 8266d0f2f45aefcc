//! Reeve on a real Kubernetes. `tests/run cluster` runs it, in the cluster that `tests/cluster/run` starts for it.
//!
//! | file | claim |
//! |---|---|
//! | `pods` | the cluster is one: pods run and are ended in order, names resolve, Services reach pods, admission admits and refuses |
//! | `faults` | parts of the cluster fail when a test makes them, and recover when it mends them |
//! | `kinds` | the API server takes Reeve's kinds, explains them, and refuses what is wrong in words that help |
//! | `installed` | Reeve, installed from its chart, governs agents: what is applied is enforced, and what fails loosens nothing |
//! | `installed::observed` | a Prometheus is told what happened, every query answers, and alerts fire. It needs `tests/cluster/install --prometheus` |

mod faults;
mod installed;
mod kinds;
mod pods;
