//! Asking the API server whose token it is.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::Api;
use kube::api::PostParams;
use reeve_wire::AUDIENCE;

/// Whoever can tell whose token it is.
pub trait Reviewer: Send + Sync {
    /// What is known of the token, asked for with [`AUDIENCE`]; or why it could not be asked.
    fn review(&self, token: String) -> BoxFuture<'_, Result<Review, String>>;
}

/// What the API server says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Review {
    /// It is not valid for this audience; why.
    Refused(String),
    /// It is somebody's.
    Of {
        /// `system:serviceaccount:NAMESPACE:NAME` for a ServiceAccount.
        username: String,
        /// What else is known, such as the pod that the token is bound to.
        extra: BTreeMap<String, Vec<String>>,
    },
}

/// The API server, asked by a TokenReview for each token.
pub struct Cluster(Api<TokenReview>);

impl Cluster {
    /// The API server of this client, which must be allowed to create TokenReviews.
    pub fn new(client: kube::Client) -> Self {
        Self(Api::all(client))
    }
}

impl Reviewer for Cluster {
    fn review(&self, token: String) -> BoxFuture<'_, Result<Review, String>> {
        let spec = TokenReviewSpec { token: Some(token), audiences: Some(vec![AUDIENCE.into()]) };
        let review = TokenReview { spec, ..TokenReview::default() };
        Box::pin(async move {
            let answer = self.0.create(&PostParams::default(), &review).await.map_err(|error| error.to_string())?;
            Ok(of(answer.status.unwrap_or_default()))
        })
    }
}

/// An authenticator that does not look at audiences says that it knows the user and names no audience: that is no yes.
fn of(status: TokenReviewStatus) -> Review {
    let names_ours = status.audiences.unwrap_or_default().iter().any(|audience| audience == AUDIENCE);
    match status.user {
        Some(user) if status.authenticated == Some(true) && names_ours => {
            Review::Of { username: user.username.unwrap_or_default(), extra: user.extra.unwrap_or_default() }
        }
        Some(_) if status.authenticated == Some(true) => {
            Review::Refused(format!("it is valid, but not for audience {AUDIENCE}"))
        }
        _ => Review::Refused(status.error.unwrap_or_else(|| "it gives no reason".into())),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::*;

    #[test]
    fn a_yes_that_does_not_name_the_audience_is_no_yes() {
        let user = UserInfo { username: Some("system:serviceaccount:clinic:agent".into()), ..UserInfo::default() };
        let yes = |audiences: Option<Vec<String>>| TokenReviewStatus {
            authenticated: Some(true),
            audiences,
            user: Some(user.clone()),
            error: None,
        };
        assert!(matches!(of(yes(Some(vec![AUDIENCE.into()]))), Review::Of { .. }));
        assert!(matches!(of(yes(None)), Review::Refused(_)));
        assert!(matches!(of(yes(Some(vec!["https://kubernetes".into()]))), Review::Refused(_)));
        let no = TokenReviewStatus { authenticated: None, ..yes(Some(vec![AUDIENCE.into()])) };
        assert!(matches!(of(no), Review::Refused(_)));
    }
}
