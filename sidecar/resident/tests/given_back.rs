//! A program that gives itself back goes on. Without the usual harness, which has threads before a test begins.

#![expect(clippy::unwrap_used, reason = "a test, which is not known for one without the harness")]

use reeve_resident::Program;

/// Its addresses are only known once the program has been loaded: such constants are written then, and are not the file's.
static RELOCATED: [&(dyn Fn(u32) -> u32 + Sync); 2] = [&|n| n + 1, &|n| n * 2];

fn main() {
    let program = Program::loaded();
    a_program_goes_on_without_what_it_has_given_back(&program);
    where_another_thread_may_be_loading_a_library_nothing_is_given_back();
}

fn a_program_goes_on_without_what_it_has_given_back(program: &Program) {
    let first = program.give_back().unwrap();
    assert!(first > 100_000, "{first} bytes");
    assert_eq!(RELOCATED.map(|f| f(20)), [21, 40]);
    let again = program.give_back().unwrap();
    assert!(again < first, "{again} of {first} bytes were used since");
    let read = std::thread::spawn(|| std::fs::read_to_string("/proc/self/status")).join().unwrap().unwrap();
    assert!(read.contains("VmRSS"), "{read}");
    assert!(program.give_back().unwrap() > 0, "also once there are threads");
}

fn where_another_thread_may_be_loading_a_library_nothing_is_given_back() {
    let program = std::thread::spawn(Program::loaded).join().unwrap();
    assert_eq!(program.give_back().unwrap(), 0);
}
