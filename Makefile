# Everything is made from here. `make run` and `make test` do all that they need
# themselves, on a Debian machine with a Rust toolchain, Node 20 and root.
#
#   make run      start the server (embedded ClickHouse) and the app on this desktop
#   make test     every test, those that need a display included
#   make build    the programs, optimised
#   make ui       the windows of the app (ui/dist)
#   make screenshots   every window at two sizes, light and dark, into target/screenshots
#   make bench    the figures of BENCHMARKS.md
#   make lint     format, clippy, licences and bans, unused dependencies
#   make engine   fetch the ClickHouse library by its lock

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: run test build bench lint engine ui screenshots system-run system-test clients clean

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/snag
ENGINE_VERSION := 26.7.3
export SNAG_CHDB_LIBRARY := $(or $(SNAG_CHDB_LIBRARY),$(CACHE)/engine/$(ENGINE_VERSION)/libchdb.so)

# Without a display there is nothing that an app could show: what it needs isn't built.
PROGRAMS := --bin snag-server --bin snag-agent
# The second draws the windows of the first.
APP := --bin snag-desktop --bin snag-windows
run: system-run engine $(if $(DISPLAY)$(WAYLAND_DISPLAY),ui)
	cargo build --release --locked $(PROGRAMS) $(if $(DISPLAY)$(WAYLAND_DISPLAY),$(APP))
	@installers/dev/run.sh

test: system-test engine clients ui
	cd ui && npm run --silent lint && npm test --silent
	cargo test --workspace --locked --all-features --no-fail-fast

build: system-run ui
	cargo build --release --locked $(PROGRAMS) $(APP)

ui: ui/dist/desktop.html

# Packages come anew when the lock changed, the windows when their source did.
ui/node_modules/.package-lock.json: ui/package-lock.json
	cd ui && npm ci --no-audit --no-fund --silent

ui/dist/desktop.html: ui/node_modules/.package-lock.json $(wildcard ui/*.html ui/*.ts ui/*.json) $(shell find ui/src -type f 2>/dev/null)
	cd ui && npm run --silent build
	@touch $@

screenshots: system-test engine ui
	cargo build --locked $(PROGRAMS) $(APP)
	SNAG_SCREENSHOTS=$(CURDIR)/target/screenshots cargo test --locked -p snag-e2e --test screenshots
	@echo "The windows are in target/screenshots."

# Builds all programs, the app among them, which embeds its windows.
bench: system-test engine ui
	tests/bench.sh

lint: system-run ui
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
