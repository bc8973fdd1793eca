#!/usr/bin/env bash
# Prints every figure of BENCHMARKS.md, one section a bench. Some ten minutes on two
# cores that have nothing else to do; figures from a busy machine mean little.
set -euo pipefail
cd "$(dirname "$0")/.."

recordings=${SNAG_RECORDINGS:-../shared/recordings}

section() { printf '\n## %s\n' "$1"; }

cargo build --release --locked --bins
section "Detection: inputs a second on one core, over the recordings"
cargo bench --locked -q -p snag-core --bench detect
section "Wire: bytes a record, compressed, over the recordings"
cargo run --release --locked -q -p snag-agent --example wire_size -- "$recordings"/*.gz
section "Insert: rows a second by format, into the tables with their views; bytes an event row at rest"
cargo bench --locked -q -p snag-warehouse --bench insert
section "Ingest: events a second through HTTP, gzip, JSON and validation, over a direct JSONEachRow insert; acknowledgement"
cargo bench --locked -q -p snag-server --bench ingest
section "Insights: overview and hotspots, 10 million events, 100,000 sessions, 10 analysts"
cargo bench --locked -q -p snag-server --bench insights
section "Feedback: submitting without and with a 400 KB screenshot; 200 submissions a second"
cargo bench --locked -q -p snag-server --bench feedback_submit
section "Feedback: pages of the list over a million items, and the plans of the slowest"
cargo bench --locked -q -p snag-server --bench feedback_list
section "Footprint of the headless agent"
cargo run --release --locked -q -p snag-e2e --bin footprint
section "Agent at rest: wake-ups a second, CPU"
cargo bench --locked -q -p snag-agent --bench idle
section "Agent: memory over days of use"
cargo bench --locked -q -p snag-agent --bench growth
section "Desktop app: start, form, memory, idle, a day of inputs"
cargo run --release --locked -q -p snag-e2e --bin app_figures
section "Picture: from a screen of 1920 x 1080 to a file with a hidden area"
cargo bench --locked -q -p snag-agent --bench picture
