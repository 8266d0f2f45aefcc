//! AWS' real HealthImaging server: the seed's policy through every SDK, and what reaches AWS.

use reeve_tests::clients::{Client, Era, Outcome, Sdk, Step};
use reeve_tests::eventually::eventually;
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::{Sidecar, example};
use reeve_tests::sink::Sink;
use serde_json::{Value, json};

fn export() -> Step {
    Step::Call(
        "start_dicom_export_job",
        json!({
            "datastore_id": "0123456789abcdef0123456789abcdef",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/export",
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
        let refused: Vec<bool> = outcomes[1..].iter().map(Outcome::is_refusal).collect();
        let expected: Vec<bool> = (1..=13).map(|call| call > 10).collect();
        assert_eq!(refused, expected, "{client:?}: {outcomes:?}");
    }
}

#[test]
fn after_its_window_a_limit_lets_calls_through_again() {
    let server = Server::start(Kind::HealthImaging);
    let seconds =
        example("start-dicom-export-job.json").replace("\"minute\"", "\"second\"").replace("\"max\":10", "\"max\":1");
    for era in [Era::Legacy, Era::Modern] {
        let sidecar = Sidecar::start(&seconds, &server.url);
        let client = Client { sdk: Sdk::Rust, era };
        eventually("more calls pass than one window holds, and some are refused", || {
            let outcomes = client.run(&sidecar.url, &vec![export(); 40]);
            let refusals = outcomes.iter().filter(|outcome| outcome.is_refusal()).count();
            (refusals > 0 && !outcomes[0].is_refusal()).then_some(())
        });
    }
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
        assert!(!permitted[0].is_refusal(), "{client:?}: {permitted:?}");
        assert_eq!(aws.requests().len(), before + 1, "{client:?}: a permitted call makes one request");
    }
}
