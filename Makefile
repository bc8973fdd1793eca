# Everything is made from here. `make run` and `make test` do all that they need
# themselves, on a Debian machine with a Rust toolchain, Node 20 and root.
#
#   make run      start the server (embedded ClickHouse) and the agent on this desktop
#   make test     every test, those that need a display included
#   make build    the two programs, optimised
#   make bench    the figures of BENCHMARKS.md
#   make lint     format, clippy, licences and bans, unused dependencies
#   make engine   fetch the ClickHouse library by its lock

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: run test build bench lint engine system-run system-test clients clean

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/snag
ENGINE_VERSION := 26.7.3
export SNAG_CHDB_LIBRARY := $(or $(SNAG_CHDB_LIBRARY),$(CACHE)/engine/$(ENGINE_VERSION)/libchdb.so)

run: system-run engine
	cargo build --release --locked --bin snag-server --bin snag-agent
	@installers/dev/run.sh

test: system-test engine clients
	cargo test --workspace --locked --all-features --no-fail-fast

build: system-run
	cargo build --release --locked --bin snag-server --bin snag-agent

bench: system-test engine
	tests/bench.sh

lint: system-run
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	@command -v cargo-deny >/dev/null || cargo install --locked --quiet cargo-deny
	cargo deny --locked check bans licenses sources
	@command -v cargo-machete >/dev/null || cargo install --locked --quiet cargo-machete
	cargo machete

engine: system-run
	@sync-server/engine/fetch.sh

clients:
	@sync-server/tests/clients/setup.sh

system-run:
	@installers/dev/packages.sh run

system-test:
	@installers/dev/packages.sh test

clean:
	cargo clean
