//! AWS' real HealthImaging server: the seed's policy through every SDK, and what reaches AWS.

use reeve_tests::clients::{Client, Outcome, Step};
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::{Sidecar, example};
use reeve_tests::sink::Sink;
use serde_json::{Value, json};

/// An export that the server itself turns away, at once, as its role is missing. A complete one it turns away as well (the
/// AWS library that it installs knows no exports), but only after it has loaded that library, for most of a second: too long
/// for ten within a minute on a busy machine.
fn export() -> Step {
    Step::Call(
        "start_dicom_export_job",
        json!({
            "datastore_id": "0123456789abcdef0123456789abcdef",
            "output_s3_uri": "s3://clinic-exports/today/",
        }),
    )
}

#[test]
fn the_seed_policy_lets_ten_exports_a_minute_through_and_nothing_else_by_every_sdk() {
    let server = Server::start(Kind::HealthImaging);
    for client in Client::ALL {
        let sidecar = Sidecar::start(&example("start-dicom-export-job.json"), &server.url);
        let mut steps = vec![Step::List];
        steps.extend((0..12).map(|_| export()));
        steps.push(Step::Call("delete_datastore", json!({"datastore_id": "0123456789abcdef0123456789abcdef"})));
        let outcomes = client.run(&sidecar.url, &steps);
        assert_eq!(outcomes[0], Outcome::Tools(vec!["start_dicom_export_job".into()]), "{client:?}");
        assert!(pass_and_then_are_refused(&outcomes[1..], 10), "{client:?}: {outcomes:?}");
    }
}

/// Whether exactly the first so many calls reached the server.
fn pass_and_then_are_refused(outcomes: &[Outcome], limit: usize) -> bool {
    let (passed, refused) = outcomes.split_at(limit);
    passed.iter().all(Outcome::is_from_server) && !refused.is_empty() && refused.iter().all(Outcome::is_refusal)
}

fn import(bucket: &str) -> Step {
    let arguments: Value = json!({
        "datastore_id": "0123456789abcdef0123456789abcdef",
        "data_access_role_arn": "arn:aws:iam::123456789012:role/import",
        "input_s3_uri": "s3://clinic-inbox/",
        "output_s3_uri": format!("s3://{bucket}/"),
    });
    Step::Call("start_dicom_import_job", arguments)
}

#[test]
fn an_import_to_a_foreign_bucket_never_reaches_aws_and_one_to_ours_does() {
    let aws = Sink::start();
    let server = Server::start_with(Kind::HealthImaging, &[("AWS_ENDPOINT_URL", &aws.url)]);
    let sidecar = Sidecar::start(&example("bucket-rule.yaml"), &server.url);
    for client in Client::ALL {
        let before = aws.requests().len();
        let refused = client.run(&sidecar.url, &[import("attacker")]);
        assert!(refused[0].is_refusal(), "{client:?}: {refused:?}");
        assert_eq!(aws.requests().len(), before, "{client:?}: a refused call makes no request");
        let permitted = client.run(&sidecar.url, &[import("clinic-exports")]);
        assert!(permitted[0].is_from_server(), "{client:?}: {permitted:?}");
        assert_eq!(aws.requests().len(), before + 1, "{client:?}: a permitted call makes one request");
    }
}
