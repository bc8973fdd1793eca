//! Inputs a second on one core, over the three recordings parsed in memory, with a sink
//! that takes every effect. `cargo bench -p snag-core`.

#[path = "../tests/common/mod.rs"]
mod common;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use snag_core::{Effect, Engine, Input, Policy};

fn main() {
    divan::main();
}

fn through(inputs: &[Input], engine: &mut Engine) -> u64 {
    let mut records = 0;
    let mut sink = |effect| {
        if let Effect::Record(record) = effect {
            records += 1;
            black_box(record);
        }
    };
    for input in inputs {
        engine.step(black_box(input), &mut sink);
    }
    engine.finish(&mut sink);
    records
}

/// One recording, from a fresh engine.
#[divan::bench(args = common::NAMES)]
fn recording(bencher: Bencher<'_, '_>, name: &str) {
    let inputs = common::read(name);
    bencher
        .counter(ItemsCount::new(inputs.len()))
        .with_inputs(|| Engine::new(Policy::default()))
        .bench_local_refs(|engine| through(&inputs, engine));
}

/// All three, one after the other, each from a fresh engine. The figure to reach is 3
/// million inputs a second.
#[divan::bench]
fn recordings(bencher: Bencher<'_, '_>) {
    let all: Vec<Vec<Input>> = common::NAMES
        .iter()
        .map(|name| common::read(name))
        .collect();
    bencher
        .counter(ItemsCount::new(all.iter().map(Vec::len).sum::<usize>()))
        .with_inputs(|| Engine::new(Policy::default()))
        .bench_local_refs(|engine| {
            all.iter()
                .map(|inputs| through(inputs, &mut engine.clone()))
                .sum::<u64>()
        });
}
