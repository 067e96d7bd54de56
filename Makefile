# Everything here needs a Rust toolchain, a C compiler and make. What else a target needs, it builds
# into target/; nothing outside the checkout changes, apart from the cargo cache.

# Options of the demo; `make demo ARGS=--help` lists them.
ARGS ?=
# How long `make fuzz` looks for a failure.
FUZZ_SECONDS ?= 60

tools := target/tools
cargo-deny := $(tools)/cargo-deny@0.20.2/bin/cargo-deny
cargo-fuzz := $(tools)/cargo-fuzz@0.13.2/bin/cargo-fuzz

# $(call need,COMMAND,SENTENCE) stops with the sentence if the command does not run.
need = @$(1) >/dev/null 2>&1 || { echo '$(2)' >&2; exit 1; }

.NOTPARALLEL: # cargo uses every core by itself, and `make lint test` keeps its order
.PHONY: help demo test bench lint docs fuzz components

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' Makefile

demo: ## the artists of a playlist, one query per key against one per batch (ARGS="…")
	cargo run --locked --release -p asynq-batch --example chinook -- $(ARGS)

test: ## all tests, those in the documentation included
	cargo test --locked --workspace

bench: ## the engine's benchmarks; their tables go to benchmarks/
	cargo bench --locked -p asynq-engine --bench '*'

# cargo-deny's `advisories` check is not here because it fetches the RustSec database, and lint has
# to run where only the package registry can be reached. Elsewhere: cargo deny check advisories
lint: components $(cargo-deny) ## formatting, clippy, documentation, dependencies' licences and sources
	cargo fmt --all --check
	cargo fmt --check --manifest-path crates/asynq-engine/fuzz/Cargo.toml
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --all-features --no-deps
	$(cargo-deny) --locked --all-features check bans licenses sources

components:
	$(call need,cargo fmt --version,rustfmt is missing: rustup component add rustfmt (or: apt install rustfmt))
	$(call need,cargo clippy --version,clippy is missing: rustup component add clippy (or: apt install rust-clippy))

docs: ## the documentation of the Rust crates; the last line says where it lies
	cargo doc --locked --workspace --all-features --no-deps

# No sanitizer: the engine has no unsafe code to check, and without one the stable toolchain will do.
fuzz: $(cargo-fuzz) ## random operations on the engine, for FUZZ_SECONDS (60)
	$(call need,$${CXX:-c++} --version,libFuzzer needs a C++ compiler (apt install g++))
	$(cargo-fuzz) run --fuzz-dir crates/asynq-engine/fuzz --sanitizer none operations -- \
	    -max_total_time=$(FUZZ_SECONDS)

# Tools run for seconds, so they are built without optimisation and debug information: on two cores
# cargo-deny takes 67 s this way, and 194 s with its release profile (fat LTO).
$(cargo-deny) $(cargo-fuzz): $(tools)/%:
	CARGO_PROFILE_DEV_DEBUG=false cargo install --locked --debug --no-track \
	    --target-dir $(tools)/build --root $(tools)/$(firstword $(subst /, ,$*)) \
	    $(firstword $(subst /, ,$*))
	rm -rf $(tools)/build
