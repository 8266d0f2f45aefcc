//! Calendars and clocks, against their definitions.

use proptest::prelude::*;

use super::*;

/// The value of a number or text that an expression gives.
fn value(source: &str) -> String {
    with(source, Purpose::Key, "{}", Expression::key).unwrap_or_else(|error| panic!("{source}: {error}"))[1..]
        .to_owned()
}

#[test]
fn fields_of_known_moments() {
    for (moment, weekday, day_of_year, seconds) in [
        ("1970-01-01T00:00:00Z", 4, 0, 0_i64),
        ("1969-12-31T23:59:59Z", 3, 364, -1),
        ("2000-02-29T12:00:00Z", 2, 59, 951_825_600),
        ("1900-03-01T00:00:00Z", 4, 59, -2_203_891_200),
        ("2024-12-31T23:59:59Z", 2, 365, 1_735_689_599),
        ("2100-02-28T00:00:00Z", 0, 58, 4_107_456_000),
    ] {
        let of = |what: &str| value(&format!("timestamp('{moment}').{what}()"));
        assert_eq!(of("getDayOfWeek"), weekday.to_string(), "{moment}");
        assert_eq!(of("getDayOfYear"), day_of_year.to_string(), "{moment}");
        assert_eq!(value(&format!("int(timestamp('{moment}'))")), seconds.to_string(), "{moment}");
        assert_eq!(value(&format!("string(timestamp('{moment}'))")), moment);
    }
}

#[test]
fn what_is_not_rfc_3339_is_no_timestamp() {
    for text in [
        "2026-02-30T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "2026-1-1T00:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.0000000001Z",
        "2026-01-01T00:00:00+1:00",
        "2026-01-01T00:00:00+24:00",
        "+2026-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "2026-01-01T00:00:00Zé",
        "é",
        "",
    ] {
        let args = serde_json::json!({ "t": text }).to_string();
        assert_eq!(
            condition("timestamp(args.t) == now", &args).map_err(|error| error.what),
            Err("not a time, duration or offset"),
            "{text}"
        );
    }
}

#[test]
fn durations_add_their_units() {
    all_true(
        "{}",
        &[
            "duration('1d') == duration('24h') && duration('1h') == duration('60m') && duration('1m') == duration('60s')",
            "duration('1s') == duration('1000ms') && duration('1ms') == duration('1000us') && duration('1us') == duration('1000ns')",
            "duration('1.5h') == duration('90m') && duration('-1.5s') == duration('-1500ms') && duration('0') == duration('0s')",
            "duration('1h1m1s1ms') > duration('1h1m1s')",
            "string(duration('-1500ms')) == '-1.5s'",
        ],
    );
    for text in [
        "",
        "s",
        "1",
        "1.s",
        "1w",
        "1 s",
        "--1s",
        "1h-1m",
        ".5s",
        "1e3s",
        "300000d",
        "99999999999999999999s",
        "1.0000000001s",
    ] {
        let args = serde_json::json!({ "d": text }).to_string();
        assert!(condition("duration(args.d) == duration('0s')", &args).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_moment_reads_back_as_it_was_written(nanos in any::<i64>()) {
        let subject = Subject::default();
        let variables = Variables { args: None, name: "x", tool: None, subject: &subject, session: None, now: WallTime(nanos) };
        let same = Expression::compile("timestamp(string(now)) == now", Purpose::Condition).expect("compiles");
        prop_assert_eq!(same.condition(&variables), Ok(true));
    }

    #[test]
    fn fields_and_offsets_agree(nanos in -6_000_000_000_000_000_000_i64..6_000_000_000_000_000_000, hours in 0..24) {
        let subject = Subject::default();
        let variables = Variables { args: None, name: "x", tool: None, subject: &subject, session: None, now: WallTime(nanos) };
        let source = format!(
            "now.getHours('+{hours:02}:00') == (now + duration('{hours}h')).getHours()
             && now.getDayOfWeek('+{hours:02}:00') == (now + duration('{hours}h')).getDayOfWeek()
             && now.getDate() == now.getDayOfMonth() + 1 && now.getMonth() <= 11 && now.getDayOfYear() <= 365"
        );
        let same = Expression::compile(&source, Purpose::Condition).expect("compiles");
        prop_assert_eq!(same.condition(&variables), Ok(true));
    }

    #[test]
    #[allow(clippy::cast_possible_truncation, reason = "a double near an i64 fits an i128")]
    fn mixed_numbers_compare_exactly(int in any::<i64>(), near in -4_i64..=4) {
        // A double near the whole number, compared as what it exactly is.
        let double = int.saturating_add(near) as f64;
        let exact = double as i128;
        prop_assert_eq!(condition(&format!("{int} < {double:?}"), "{}"), Ok(i128::from(int) < exact));
        prop_assert_eq!(condition(&format!("{double:?} < {int}"), "{}"), Ok(exact < i128::from(int)));
        prop_assert_eq!(condition(&format!("{int} == {double:?}"), "{}"), Ok(i128::from(int) == exact));
    }
}
