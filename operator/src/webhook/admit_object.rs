//! A question about an object of Reeve's.

use std::sync::Arc;

use reeve_crds::GROUP;

use super::Inner;
use super::allowance::Unknown;
use super::review::{Answer, Cause, Refusal, Request};
use super::validate::{self, Names};

/// The kinds that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Policy,
    Server,
}

impl Kind {
    fn of(review: &Request) -> Option<Self> {
        match review.kind.kind.as_str() {
            _ if review.kind.group != GROUP => None,
            "McpPolicy" | "ClusterMcpPolicy" => Some(Self::Policy),
            "McpServer" => Some(Self::Server),
            _ => None,
        }
    }
}

/// The kind as a label of metrics.
pub(super) fn label(review: &Request) -> &'static str {
    match review.kind.kind.as_str() {
        "McpPolicy" => "McpPolicy",
        "ClusterMcpPolicy" => "ClusterMcpPolicy",
        "McpServer" => "McpServer",
        _ => "other",
    }
}

impl Inner {
    pub(super) async fn admit_object(&self, review: &Request) -> Answer {
        let is_written = matches!(review.operation.as_str(), "CREATE" | "UPDATE") && review.sub_resource.is_none();
        let answer = match Kind::of(review).filter(|_| is_written) {
            None => Answer::admitted(),
            Some(_) if validate::is_unchanged(&review.object, &review.old_object) => Answer::admitted(),
            Some(Kind::Policy) => self.admit_policy(review).await,
            Some(Kind::Server) => self.admit_server(review).await,
        };
        let outcome = match &answer.refusal {
            None => "accepted",
            Some(refusal) if refusal.code >= 500 => "error",
            Some(_) => "refused",
        };
        self.count_validation(review, outcome);
        answer
    }

    async fn admit_policy(&self, review: &Request) -> Answer {
        let Ok(permit) = Arc::clone(&self.checks).acquire_owned().await else { return unavailable(review) };
        let (object, namespace) = (review.object.clone(), review.namespace().to_owned());
        let world = Arc::clone(&self.world);
        let check = tokio::task::spawn_blocking(move || {
            // Held until it is done, also if nobody waits for it any more.
            let _permit = permit;
            validate::policy(&object, &namespace, &world)
        });
        match check.await {
            Ok(findings) => findings.answer(&review.kind.kind, review.object_name()),
            Err(_) => unavailable(review),
        }
    }

    async fn admit_server(&self, review: &Request) -> Answer {
        let findings = validate::server(&review.object, review.namespace(), &self.world);
        let is_sound = findings.faults.is_empty();
        let answer = findings.answer(&review.kind.kind, review.object_name());
        if !is_sound {
            return answer;
        }
        let names = validate::names(&review.object, &review.old_object);
        match self.unreadable(review, names).await {
            Ok(causes) if causes.is_empty() => answer,
            Ok(causes) => {
                let told: Vec<_> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
                let message = format!("McpServer {} is refused: {}", review.object_name(), told.join("; "));
                Answer::refused(Refusal { causes, ..Refusal::forbidden(message) })
            }
            Err(error) => {
                tracing::warn!(namespace = review.namespace(), %error, "a requester's rights cannot be asked for");
                let message = format!(
                    "Reeve cannot ask whether {} may read what the McpServer {} names: {error}: try again",
                    review.user_info.username,
                    review.object_name()
                );
                Answer::refused(Refusal::unavailable(message))
            }
        }
    }

    /// Which of the named objects the requester may not read: whoever may not could else have a sidecar send them anywhere.
    async fn unreadable(
        &self,
        review: &Request,
        names: impl IntoIterator<Item = Names>,
    ) -> Result<Vec<Cause>, Unknown> {
        let mut causes = Vec::new();
        for Names { object, field } in names {
            if self.rights.may_read(&*self.cluster, &review.user_info, review.namespace(), &object).await? {
                continue;
            }
            let message = format!(
                "{} may not read {}/{} in namespace {}, and so not have a sidecar use it: ask for the verb get on it, or let someone apply this who has it",
                review.user_info.username,
                object.resource,
                object.name,
                review.namespace()
            );
            causes.push(Cause { reason: "FieldValueForbidden", field: field.into(), message });
        }
        Ok(causes)
    }
}

fn unavailable(review: &Request) -> Answer {
    let message = format!("Reeve could not check the {} {}: try again", review.kind.kind, review.object_name());
    Answer::refused(Refusal::unavailable(message))
}
