//! How long the engine takes for one call, without a network. `tests/bench/run engine` prints it beside instruction counts.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use reeve_bench::engine::Engine;
use reeve_bench::engine::count::{cases, name};

fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    for (operation, rules) in cases() {
        let engine = Engine::new(rules);
        group.bench_function(name(operation, rules), |bencher| bencher.iter(|| black_box(&engine).once(operation)));
    }
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
