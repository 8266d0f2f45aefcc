use super::*;

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

fn read(variables: &[(&str, &str)]) -> Settings {
    Settings::read(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

/// With an endpoint, and these.
fn export(variables: &[(&str, &str)]) -> Export {
    let settings = read(&[&[ENDPOINT], variables].concat());
    assert_eq!(settings.problems, Vec::<String>::new());
    settings.export.expect("calls are traced")
}

#[test]
fn without_an_endpoint_nothing_is_traced_whatever_else_is_said() {
    for variables in [
        &[][..],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
        &[("OTEL_SERVICE_NAME", "agent"), ("OTEL_TRACES_SAMPLER", "nonsense"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
    ] {
        let settings = read(variables);
        assert_eq!((settings.export, settings.problems), (None, Vec::new()), "{variables:?}");
    }
}

#[test]
fn an_endpoint_alone_is_enough() {
    let expected = Export {
        url: "http://collector:4318/v1/traces".into(),
        headers: HeaderMap::new(),
        tls: None,
        timeout: Duration::from_secs(10),
        sampler: Sampler::default(),
        resource: vec![
            ("service.name".into(), "reeve-sidecar".into()),
            ("service.version".into(), env!("CARGO_PKG_VERSION").into()),
        ],
        batch: Batch {
            delay: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            queue: NonZeroUsize::new(2_048).unwrap(),
            size: NonZeroUsize::new(512).unwrap(),
        },
    };
    assert_eq!(export(&[]), expected);
}

#[test]
fn the_endpoint_of_traces_is_taken_as_it_is_and_wins() {
    let url = |name, value| export(&[(name, value)]).url;
    assert_eq!(url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/in"), "https://other/in");
    assert_eq!(read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://only")]).export.unwrap().url, "http://only");
    let below = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://vendor/otlp/")]).export.unwrap();
    assert_eq!(below.url, "https://vendor/otlp/v1/traces");
}

#[test]
fn every_supported_variable_is_followed() {
    let export = export(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector/v1/traces"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%2Cb, X-Tenant = clinic"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_SERVICE_NAME", "imaging-agent"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=prod%20eu"),
        ("OTEL_PROPAGATORS", "tracecontext,baggage"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "200"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "20"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"),
        ("OTEL_SDK_DISABLED", "false"),
    ]);
    assert_eq!(
        (&export.headers["api-key"], &export.headers["x-tenant"]),
        (&"a,b".parse().unwrap(), &"clinic".parse().unwrap())
    );
    assert!(!format!("{export:?}").contains("a,b"), "a key is shown nowhere: {export:?}");
    assert_eq!(Export { url: "https://a/b?key=secret".into(), ..export.clone() }.shown_url(), "https://a/b");
    assert_eq!(export.timeout, Duration::from_millis(2_500));
    assert_eq!(export.tls.unwrap().ca_bundle.unwrap(), "/ca.pem");
    assert_eq!(Some(export.sampler), Sampler::named("parentbased_traceidratio", 0.25));
    let resource: Vec<(&str, &str)> = export.resource.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(resource[0], ("service.name", "imaging-agent"));
    assert_eq!(resource[2], ("deployment.environment.name", "prod eu"));
    let batch = export.batch;
    assert_eq!((batch.delay, batch.patience), (Duration::from_millis(100), Duration::from_millis(200)));
    assert_eq!((batch.queue.get(), batch.size.get()), (20, 10));
}

#[test]
fn what_switches_tracing_off_is_no_problem() {
    for off in [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none")] {
        let settings = read(&[ENDPOINT, off]);
        assert_eq!((settings.export, settings.problems), (None, Vec::new()), "{off:?}");
    }
}

#[test]
fn what_cannot_be_sent_as_it_is_asked_for_is_not_sent_and_told_by_the_name_of_its_variable() {
    let query = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318?key=secret")]);
    assert_eq!(query.export, None);
    assert!(query.problems[0].contains("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") && !query.problems[0].contains("secret"));
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://me:secret@collector"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "unix:///run/collector.sock:/v1/traces"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
    ] {
        let Settings { export, problems } = read(&[ENDPOINT, (name, value)]);
        assert_eq!((export, problems.len()), (None, 1), "{name}: {problems:?}");
        assert!(
            problems[0].starts_with(&format!("{name} ")) && problems[0].ends_with("no call is traced"),
            "{problems:?}"
        );
        assert!(!problems[0].contains("secret"), "{problems:?}");
    }
}

#[test]
fn a_value_that_cannot_be_followed_is_told_and_the_default_holds() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret key"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=%zz"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_RESOURCE_ATTRIBUTES", "no pair"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
    ] {
        let Settings { export: found, problems } = read(&[ENDPOINT, (name, value)]);
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        assert!(problems[0].starts_with(&format!("{name} ")) && !problems[0].contains("secret"), "{problems:?}");
        assert_eq!(found, Some(export(&[])), "{name}");
    }
    let https = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector/v1/traces");
    let Settings { export, problems } = read(&[https, ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key.pem")]);
    assert!(export.is_some_and(|export| export.tls.is_some_and(|tls| tls.client_key.is_none())));
    assert!(problems[0].starts_with("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE "), "{problems:?}");
    let sampler = [ENDPOINT, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
    assert!(read(&sampler).problems[0].starts_with("OTEL_TRACES_SAMPLER_ARG "));
}
