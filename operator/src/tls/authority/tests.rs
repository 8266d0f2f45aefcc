use super::*;
use jiff::SignedDuration;
use std::time::Duration;

const DAY: i64 = 86_400;
const LIFETIMES: Lifetimes =
    Lifetimes { authority: Duration::from_secs(365 * 86_400), certificate: Duration::from_secs(7 * 86_400) };

fn day(days: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + days * DAY).unwrap()
}

/// The authority as it becomes by looking at it each day from `from` to `to`.
fn kept(mut authority: Authority, from: i64, to: i64) -> Authority {
    for at in from..=to {
        while let Some(renewed) = authority.renewed(day(at), &LIFETIMES).unwrap() {
            authority = renewed;
        }
    }
    authority
}

#[test]
fn a_secret_holds_all_that_an_authority_is() {
    let first = Authority::create(day(0), &LIFETIMES).unwrap();
    assert_eq!(Authority::read(&first.write()).unwrap(), first);
    let renewing = kept(first, 0, 250);
    assert!(renewing.next.is_some());
    assert_eq!(Authority::read(&renewing.write()).unwrap(), renewing);
    let renewed = kept(renewing, 250, 280);
    assert_eq!(renewed.earlier.len(), 1);
    assert_eq!(Authority::read(&renewed.write()).unwrap(), renewed);
}

#[test]
fn what_will_sign_is_trusted_for_a_month_before_it_does() {
    let first = Authority::create(day(0), &LIFETIMES).unwrap();
    assert_eq!(kept(first.clone(), 0, 242), first);
    let renewing = kept(first.clone(), 0, 245);
    assert_eq!(renewing.signing, first.signing);
    let next = renewing.next.clone().unwrap();
    assert!(renewing.bundle().contains(&next.certificate.pem));
    assert!(renewing.bundle().contains(&first.signing.certificate.pem));

    assert_eq!(kept(renewing.clone(), 245, 272).signing, first.signing);
    let renewed = kept(renewing, 245, 276);
    assert_eq!((&renewed.signing, &renewed.next), (&next, &None));
    assert!(renewed.bundle().contains(&first.signing.certificate.pem), "what others still show is trusted");
    assert_eq!(kept(renewed, 276, 366).earlier, []);
}

#[test]
fn an_authority_that_nobody_looked_at_for_long_is_renewed_without_a_gap() {
    let first = Authority::create(day(0), &LIFETIMES).unwrap();
    let late = kept(first.clone(), 350, 350);
    assert_eq!(late.signing, first.signing, "nobody knows the next one yet");
    assert!(late.next.is_some());
    let too_late = kept(late, 366, 366);
    assert!(!too_late.signing.certificate.has_expired(day(366)));
}

#[test]
fn a_secret_that_cannot_be_read_says_why_and_what_it_trusted_is_kept() {
    let first = Authority::create(day(0), &LIFETIMES).unwrap();
    let mut data = first.write();
    data.insert(SIGNING_KEY.into(), ByteString(b"nonsense".to_vec()));
    let error = Authority::read(&data).unwrap_err().to_string();
    assert!(error.starts_with("tls.key cannot be used: "), "{error}");
    let replaced = Authority::replace(&data, day(1), &LIFETIMES).unwrap();
    assert!(replaced.bundle().contains(&first.signing.certificate.pem));
    assert_ne!(replaced.signing, first.signing);

    data.remove(SIGNING_KEY);
    assert_eq!(Authority::read(&data).unwrap_err().to_string(), "tls.key cannot be used: the Secret lacks it");
}

#[test]
fn parts_of_a_life_are_counted_by_the_wall_clock() {
    let authority = Authority::create(day(0), &LIFETIMES).unwrap();
    let certificate = &authority.signing.certificate;
    let third = certificate.not_before + certificate.lifetime() / 3;
    assert!(certificate.has_spent(1, 3, third));
    assert!(!certificate.has_spent(1, 3, third - SignedDuration::from_secs(2)));
    assert!(certificate.has_expired(certificate.not_after) && !certificate.has_expired(day(364)));
}
