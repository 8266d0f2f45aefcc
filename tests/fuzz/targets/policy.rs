//! The loader of policies, in every form. Law: what `check` finds no mistake in loads, and each mistake has a place in the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reeve_policy::compile::Severity;
use reeve_policy::load;

fuzz_target!(|data: &[u8]| {
    let told = load::check("policy.yaml", data, None);
    let mistakes = told.iter().any(|told| told.severity == Severity::Error);
    if let Err(refused) = load::policies("policy.yaml", data) {
        assert!(mistakes, "{refused:?}");
    }
    let lines = data.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    for told in told {
        assert!(told.line <= lines + 1, "{told:?}");
    }
});
