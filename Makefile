# Everything here needs a Rust toolchain, a C compiler, make, and CPython 3.9 or newer with venv. What
# else a target needs, it builds or installs into target/; nothing outside the checkout changes, apart
# from the caches of cargo and pip. The exception is `make services`.

# Options of the demo; `make demo ARGS=--help` lists them.
ARGS ?= --explain
# How long `make fuzz` looks for a failure.
FUZZ_SECONDS ?= 60
# The part of the version that `make bump` increases.
PART ?= patch
# The interpreter for everything in Python.
PYTHON ?= python3
# The other interpreters of `make test-all`: each CPython from 3.9 on that is installed.
OTHERS ?= $(shell $(PYTHON) python/interpreters.py --gil)
# The interpreter of `make test-free-threaded`: the newest one that is installed.
FREE_THREADED ?= $(shell $(PYTHON) python/interpreters.py --free-threaded | tail -n 1)
# What the tests need besides the package.
EXTRAS ?= test,typing,report,frameworks

tools := target/tools
cargo-deny := $(tools)/cargo-deny@0.20.2/bin/cargo-deny
cargo-fuzz := $(tools)/cargo-fuzz@0.13.2/bin/cargo-fuzz
cargo-hack := $(tools)/cargo-hack@0.6.46/bin/cargo-hack
cargo-mutants := $(tools)/cargo-mutants@27.1.0/bin/cargo-mutants
bump-my-version := $(tools)/bump-my-version@1.8.1/bin/bump-my-version
maturin := $(tools)/maturin@1.16.0/bin/maturin
ruff := $(tools)/ruff@0.17.6/bin/ruff
site := $(tools)/site
twine := $(tools)/twine@7.0.0/bin/twine
# A linker for an old glibc and for musl, which comes with an interpreter to call it by.
zig := $(tools)/ziglang@0.17.1/bin/python

# The nightly toolchain for everything that stable cannot do. It has a date because .ci/public-api reads
# rustdoc's JSON, whose format changes with the compiler.
nightly := nightly-2026-05-20
msrv := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
host = $(shell rustc -vV | sed -n 's/^host: //p')

# $(call need,COMMAND,SENTENCE) stops with the sentence if the command does not run.
need = @$(1) >/dev/null 2>&1 || { echo '$(2)' >&2; exit 1; }
need-python = $(call need,$(PYTHON) -m ensurepip --version,$(PYTHON) is missing or has no venv \
    (apt install python3-venv); for another one: make … PYTHON=python3.12)

# An environment for each interpreter, here named after its extension modules: cpython-311-….
print-soabi = import sysconfig; print(sysconfig.get_config_var("SOABI"))
soabi = $(shell $(PYTHON) -c '$(print-soabi)' 2>/dev/null)
venv = target/python/$(soabi)

# $(call install,VENV,PACKAGES,VARIABLES of the build)
define install
	$(need-python)
	$(PYTHON) -m venv $(1)
	$(3) $(1)/bin/pip install --quiet --disable-pip-version-check --no-compile $(2)
endef

# The server that the demo is to start, if any; clients for it are installed only then.
server = $(firstword $(filter memcached postgres redis,$(subst =, ,$(ARGS))))

# Not from within python/, where `import asynq` finds the sources instead of what is installed.
# A file's tests stay in one process, which starts the servers that they talk to once; a crash of that
# process ends the run. PYTEST_ARGS chooses some tests.
pytest = -m pytest -c python/pyproject.toml --rootdir python --numprocesses auto --maxprocesses 4 \
    --dist loadfile --no-loadscope-reorder --max-worker-restart 0 python/tests $(PYTEST_ARGS)

.NOTPARALLEL: # cargo uses every core by itself, and `make lint test` keeps its order
.PHONY: help demo test test-all build-tests test-others test-free-threaded test-rust test-python install-python test-installed recipes bench faults lint \
    check check-msrv check-no-std check-wasm check-free-threaded check-fuzz check-api rustdoc-json check-site packages api docs fuzz miri mutants wheel dist notices bump \
    release-check sanitize \
    sanitize-rust sanitize-python services components nightly profdata

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s  %s\n", $$1, $$2 }' Makefile

demo: ## the artists of a playlist, one query per key against one per batch, in both languages (ARGS="…")
	cargo run --locked --profile demo -p chinook $(if $(server),--features servers) -- $(ARGS)
	$(call install,$(venv),'./python$(if $(server),[$(server)])',MATURIN_PEP517_ARGS='--profile demo')
	PYTHONPATH=python/examples $(venv)/bin/python -m chinook $(ARGS)

test: test-rust test-python ## all tests, those in Python with PYTHON (python3)

test-all: test test-others ## all tests, those in Python with every CPython from 3.9 on that is installed (OTHERS)

# An interpreter is tested while the next one's package is built, because tests wait as long as they compute.
# What is left out does the same with each interpreter; most of it is about other programs.
not-memory := typing test_installation.py differential test_examples.py test_graphql_example.py test_explain_*.py \
    test_stores_*.py test_sqlalchemy.py test_django*.py test_howto_*.py test_gunicorn.py test_pytest_plugin.py
not-others := $(not-memory) test_interrupts_at_each_line.py test_random_programs*.py
test-others: export PYTEST_ARGS = $(patsubst %,--ignore-glob='*/%',$(not-others)) \
    --deselect tests/test_hostile_calls.py::test_programs_of_other_seeds_end_in_exceptions_too
test-others:
	@others=; tests=; \
	for python in $(OTHERS); do \
	    test "$$($$python -c '$(print-soabi)')" = "$(soabi)" || others="$$others $$python"; \
	done; \
	for python in $$others; do \
	    $(MAKE) install-python PYTHON="$$python" EXTRAS=test || exit 1; \
	    { output=$$($(MAKE) test-installed PYTHON="$$python" 2>&1); status=$$?; \
	      printf 'tested with %s\n%s\n' "$$python" "$$output"; exit $$status; } & \
	    tests="$$tests $$!"; \
	done; \
	status=0; \
	for test in $$tests; do wait "$$test" || status=1; done; \
	exit "$$status"

# asynq makes the interpreter enable its GIL, of which it warns. With WITHOUT_GIL=1 it does not, which CONTRIBUTING.md
# is about.
not-free-threaded := $(not-others) test_gevent.py test_loader_group_greenlets.py
gil-warning := ignore:The global interpreter lock:RuntimeWarning
test-free-threaded: export PYTHONWARNINGS = $(gil-warning)
test-free-threaded: export PYTEST_ARGS := -W '$(gil-warning)' $(patsubst %,--ignore-glob='*/%',$(not-free-threaded)) $(PYTEST_ARGS)
test-free-threaded: ## the tests in Python with a free-threaded CPython (FREE_THREADED)
	@test -n '$(FREE_THREADED)' || { echo 'no free-threaded CPython is installed that PyO3 can build for' >&2; exit 1; }
	$(if $(WITHOUT_GIL),ASYNQ_WITHOUT_GIL=1) $(MAKE) install-python PYTHON=$(FREE_THREADED) EXTRAS=test-free-threaded
	$(if $(WITHOUT_GIL),PYTHON_GIL=0) $(MAKE) test-installed PYTHON=$(FREE_THREADED)

build-tests:
	cargo test --locked --workspace --all-features --no-run

test-rust:
	cargo test --locked --workspace --all-features
	cargo test --locked --manifest-path crates/asynq/loom/Cargo.toml --target-dir target

test-python: install-python test-installed

# The builds skip the slow optimisation across crates. The newest gevent has no wheel for the oldest interpreter, and
# its C code takes longer to compile than asynq.
install-python: export PIP_ONLY_BINARY = gevent
install-python:
	$(call install,$(venv),'./python[$(EXTRAS)]',MATURIN_PEP517_ARGS='--profile demo')

test-installed:
	$(venv)/bin/python $(pytest)

# Apart from the other tests, because the clients of databases take minutes to compile.
recipes: ## builds and tests the programs of docs/rust/howto
	cargo test --locked --manifest-path examples/recipes/Cargo.toml --target-dir target

bench: profdata ## the benchmarks; their tables go to benchmarks/
	cargo bench --locked -p asynq-engine --bench '*'
	$(need-python)
	$(PYTHON) benchmarks/rust/run.py
	MATURIN_PGO=$(pgo) $(PYTHON) benchmarks/python/run.py

faults: install-python ## what happens to real stores, and whether it is survived; the count goes to benchmarks/
	PYTHONPATH=benchmarks $(venv)/bin/python benchmarks/faults.py

# cargo-deny's `advisories` check is not here because it fetches the RustSec database, and lint has
# to run where only the package registries can be reached. Elsewhere: cargo deny check advisories
# With the examples, dependencies have the same features for `cargo doc` as for clippy, and are checked once.
lint: components $(cargo-deny) $(ruff) ## formatting, clippy, ruff, import cycles, documentation, dependencies' licences
	cargo fmt --all --check
	cargo fmt --check --manifest-path crates/asynq-engine/fuzz/Cargo.toml
	cargo fmt --check --manifest-path benchmarks/rust/Cargo.toml
	cargo fmt --check --manifest-path examples/recipes/Cargo.toml
	cargo fmt --check --manifest-path crates/asynq/loom/Cargo.toml
	cargo fmt --check --manifest-path .ci/public-api/Cargo.toml
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	cargo clippy --locked --manifest-path benchmarks/rust/Cargo.toml --target-dir target \
	    --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --all-features --no-deps --lib --bins --examples
	$(cargo-deny) --locked --all-features check bans licenses sources
	$(ruff) format --config python/pyproject.toml --check .ci python benchmarks
	$(ruff) check --config python/pyproject.toml .ci python benchmarks
	$(PYTHON) .ci/import_cycles.py crates/*/src examples/*/src python/src

check: check-msrv check-no-std check-wasm check-free-threaded check-fuzz check-api check-site packages ## each feature alone on the oldest Rust, no_std, WebAssembly, free-threaded Python, the fuzz crate, the public API, the site, packages

# Each feature alone, and none; the tests have all of them.
check-msrv: $(cargo-hack)
	$(call need,rustup toolchain install $(msrv) --profile minimal,rustup could not install Rust $(msrv))
	RUSTUP_TOOLCHAIN=$(msrv) RUSTFLAGS='-D warnings' $(cargo-hack) hack check --locked \
	    -p asynq-engine -p asynq-loader -p asynq-explain -p asynq-batch -p asynq-batch-macros \
	    -p asynq-python --each-feature --exclude-all-features --lib --target-dir target/msrv

# A target that has no `std`.
check-no-std:
	$(call need,rustup target add thumbv7m-none-eabi,rustup could not install the target thumbv7m-none-eabi)
	cargo build --locked -p asynq-engine -p asynq-loader --target thumbv7m-none-eabi

# A target that has no clock.
check-wasm:
	$(call need,rustup target add wasm32-unknown-unknown,rustup could not install the target wasm32-unknown-unknown)
	cargo check --locked -p asynq-batch --target wasm32-unknown-unknown

# Most machines have no such interpreter, so its description is in a file. What check-msrv has compiled serves here too.
check-free-threaded:
	$(call need,rustup toolchain install $(msrv) --profile minimal,rustup could not install Rust $(msrv))
	PYO3_CONFIG_FILE=$(CURDIR)/.ci/free-threaded.txt RUSTUP_TOOLCHAIN=$(msrv) RUSTFLAGS='-D warnings' \
	    cargo check --locked -p asynq-python --target-dir target/msrv

check-fuzz:
	cargo check --locked --manifest-path crates/asynq-engine/fuzz/Cargo.toml --no-default-features \
	    --target-dir target

# The crates that are published, and the folders of their libraries.
published := asynq-engine asynq-loader asynq-explain asynq-batch asynq-batch-macros
apis := asynq_engine:crates/asynq-engine asynq_loader:crates/asynq-loader asynq_explain:crates/asynq-explain \
    asynq:crates/asynq asynq_batch_macros:crates/asynq-macros
list-api = cargo run --quiet --locked --manifest-path .ci/public-api/Cargo.toml --target-dir $(tools)/public-api --

rustdoc-json: nightly
	RUSTUP_TOOLCHAIN=$(nightly) RUSTDOCFLAGS='-Zunstable-options --output-format json' \
	    cargo doc --locked --no-deps --lib --all-features $(published:%=-p %) --target-dir target/api

check-api: rustdoc-json
	@for api in $(apis); do \
	    $(list-api) target/api/doc/$${api%%:*}.json >target/api/listing.txt && \
	    diff -u $${api#*:}/public-api.txt target/api/listing.txt || \
	    { echo "The public API of $${api%%:*} has changed: run \`make api\` and review the difference." >&2; exit 1; }; \
	done

# What their verification compiles, the other checks have compiled; `make release-check` verifies them.
packages: ## the packages of the Rust crates, in target/package
	rm -rf target/package/*.crate
	cargo package --locked --no-verify --allow-dirty $(published:%=-p %)
	$(PYTHON) .ci/packages.py

api: rustdoc-json ## writes the public API of each crate to its public-api.txt
	for api in $(apis); do $(list-api) target/api/doc/$${api%%:*}.json >$${api#*:}/public-api.txt || exit 1; done

components:
	$(call need,cargo fmt --version,rustfmt is missing: rustup component add rustfmt (or: apt install rustfmt))
	$(call need,cargo clippy --version,clippy is missing: rustup component add clippy (or: apt install rust-clippy))

docs: check-site ## the documentation site with the reference of both languages, in target/site
	cargo doc --locked --workspace --all-features --no-deps
	rm -rf target/site/rustdoc && cp -r target/doc target/site/rustdoc

# Broken links and anchors are errors.
check-site: $(site)/bin/mkdocs
	NO_MKDOCS_2_WARNING=1 $(site)/bin/mkdocs build --quiet
	$(site)/bin/codespell README.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md RELEASING.md SECURITY.md docs

$(site)/bin/mkdocs: .ci/site-requirements.txt
	$(call install,$(site),-r $<)
	touch $@

# No sanitizer: the engine has no unsafe code to check, and without one the stable toolchain will do.
fuzz: $(cargo-fuzz) ## random operations on the engine, for FUZZ_SECONDS (60)
	$(call need,$${CXX:-c++} --version,libFuzzer needs a C++ compiler (apt install g++))
	$(cargo-fuzz) run --fuzz-dir crates/asynq-engine/fuzz --sanitizer none operations -- \
	    -max_total_time=$(FUZZ_SECONDS)

# The engine and the loader; and of the library the cell of a task, the wakers, and whatever goes wrong
# half-way. Backtraces of tests that panic on purpose would take minutes.
miri: nightly ## tests of the engine, the loader, the task cell and the wakers under Miri
	RUSTUP_TOOLCHAIN=$(nightly) MIRIFLAGS=-Zmiri-disable-isolation RUST_BACKTRACE=0 CARGO_TARGET_DIR=target/miri \
	    cargo miri test --locked -p asynq-engine --test it -- --skip scale:: --skip memory:: --skip random::
	RUSTUP_TOOLCHAIN=$(nightly) MIRIFLAGS=-Zmiri-disable-isolation RUST_BACKTRACE=0 CARGO_TARGET_DIR=target/miri \
	    cargo miri test --locked -p asynq-loader --test it -- --skip cost:: --skip random:: --skip servers:: --skip crowds:: \
	    --skip permits::no_permit
	RUSTUP_TOOLCHAIN=$(nightly) MIRIFLAGS=-Zmiri-disable-isolation RUST_BACKTRACE=0 CARGO_TARGET_DIR=target/miri \
	    cargo miri test --locked -p asynq-batch --features blocking,tokio --test it -- cancel:: freed:: foreign:: executors:: \
	    hazard_thread_exit:: hazard_reentrancy:: hazard_flush::

# Takes about an hour. A survivor is killed by a test, or explained in crates/asynq-engine/mutants.md.
mutants: $(cargo-mutants) ## faults that no test of the engine notices; the list goes to target/mutants.out
	$(cargo-mutants) mutants --package asynq-engine --jobs 1 --output target -- --test it

wheel: $(maturin) profdata ## wheels for every CPython from 3.9 on that is installed, in target/wheels
	rm -rf target/wheels
	MATURIN_PGO=$(pgo) $(maturin) build --release --locked --manifest-path python/Cargo.toml --out target/wheels \
	    --interpreter $$($(PYTHON) python/interpreters.py)

# Wheels that any Linux with glibc 2.17 or musl 1.2 can use, and the source distribution.
musl = $(shell uname -m)-unknown-linux-musl
with-zig = PATH=$(CURDIR)/$(dir $(zig)):$$PATH $(CURDIR)/$(maturin) build --release --locked --zig \
    --manifest-path python/Cargo.toml --out target/dist --interpreter
dist: $(maturin) $(zig) ## the Python packages to publish, in target/dist
	$(call need,rustup target add $(musl),rustup could not install the target $(musl))
	rm -rf target/dist
	$(PYTHON) python/sdist.py $(maturin) target/dist
	pythons=$$($(PYTHON) python/interpreters.py) && $(with-zig) $$pythons --compatibility manylinux2014
	versions=$$($(PYTHON) python/interpreters.py | sed 's|.*/python||') && \
	    $(with-zig) $$versions --compatibility musllinux_1_2 --target $(musl)

notices: ## writes the licences of the crates in wheels to python/THIRD-PARTY-LICENSES.txt
	$(PYTHON) .ci/notices.py >python/THIRD-PARTY-LICENSES.txt

# RELEASING.md says what a release is.
bump: $(bump-my-version) ## the next version, in all manifests and in CHANGELOG.md (PART=patch, minor or major)
	$(bump-my-version) bump $(PART)

release-check: packages dist $(twine) ## all of a release but publishing
	cargo package --locked --allow-dirty $(published:%=-p %)
	$(PYTHON) .ci/notices.py | diff python/THIRD-PARTY-LICENSES.txt - || \
	    { echo 'The licences of dependencies have changed: run `make notices`.' >&2; exit 1; }
	$(twine) check --strict target/dist/*
	$(PYTHON) .ci/dist.py $(maturin)

# Optimisation by a profile of the benchmarks' programs. It needs LLVM's profdata of the compiler's own version,
# which only rustup has: another one would not read the profile.
llvm-profdata = $(shell rustc --print sysroot)/lib/rustlib/$(host)/bin/llvm-profdata
no-profile = rustup could not install llvm-tools: the build is without a profile, and its calls take a fifth \
    more instructions
pgo = $$(test ! -x $(llvm-profdata) || echo 1)
profdata:
	@test -x $(llvm-profdata) || rustup component add llvm-tools >/dev/null 2>&1 || echo '$(no-profile)' >&2

asan = RUSTUP_TOOLCHAIN=$(nightly) RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=$(CURDIR)/target/asan

sanitize: sanitize-rust sanitize-python ## the tests with AddressSanitizer, and with Python's debug allocator

# What the library does when something goes wrong half-way; the rest of it forbids `unsafe` too.
sanitize-rust: nightly
	$(asan) cargo test --locked --target $(host) -p asynq-engine -p asynq-loader --tests
	$(asan) cargo test --locked --target $(host) -p asynq-batch --features blocking,tokio --test it -- \
	    cancel:: context_failure:: deadlock:: executors:: failure:: foreign:: freed:: hazard_ \
	    loader pinned:: random:: scale::

# rustc does not put the sanitizer's runtime into a library, so it comes with the C compiler and is
# loaded first. Leaks are not looked for: CPython frees little when it ends. With a sanitizer a call takes
# some times the stack, and a recursion that Python ends has to end before it does. The stack itself is
# not checked, because greenlet copies parts of it. The runtime looks for libstdc++, which greenlet
# throws with, when the process starts. Chromium does not start with it.
asan-runtime = $(shell $${CC:-cc} -print-file-name=libasan.so)
asan-preload = $(asan-runtime) $(shell $${CC:-cc} -print-file-name=libstdc++.so.6)
asan-python = $(asan) RUSTFLAGS='-Zsanitizer=address -Cllvm-args=-asan-stack=0'
asan-venv = target/python/asan-$(soabi)
sanitize-python: export PYTEST_ARGS := $(patsubst %,--ignore-glob='*/%',$(not-memory)) $(PYTEST_ARGS)
sanitize-python: nightly install-python
	$(call need,test -e $(asan-runtime),the runtime of AddressSanitizer is missing (apt install gcc))
	PYTHONMALLOC=debug PYTHONDEVMODE=1 $(venv)/bin/python $(pytest)
	$(call install,$(asan-venv),'./python[$(EXTRAS)]',$(asan-python) MATURIN_PEP517_ARGS='--target $(host)')
	ulimit -s 32768; LD_PRELOAD='$(asan-preload)' ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
	    $(asan-venv)/bin/python $(pytest)

nightly:
	$(call need,rustup toolchain install $(nightly) --profile minimal --component miri --component rust-src,rustup \
	    could not install $(nightly))

# For the tests and examples that talk to real servers and a browser, which they start themselves; without one its
# tests say so. On a desktop, Debian starts the installed servers at once.
services: ## installs memcached, Redis, PostgreSQL and Chromium from Debian, where they are missing
	@PATH=$$PATH:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :); missing=; \
	for server in memcached:memcached redis-server:redis-server postgres:postgresql chromedriver:chromium-driver; do \
	    command -v $${server%:*} || missing="$$missing $${server#*:}"; \
	done; \
	test -z "$$missing" || { \
	    command -v apt-get || { echo "no apt-get: install$$missing by hand" >&2; exit 1; }; \
	    run=$$(test "$$(id -u)" -eq 0 || echo sudo); \
	    $$run apt-get update -q && $$run apt-get install -qy --no-install-recommends $$missing; }

# Tools run for seconds, so they are built without optimisation and debug information: on two cores
# cargo-deny takes 67 s this way, and 194 s with its release profile (fat LTO).
$(cargo-deny) $(cargo-fuzz) $(cargo-hack) $(cargo-mutants): $(tools)/%:
	CARGO_PROFILE_DEV_DEBUG=false cargo install --locked --debug --no-track \
	    --target-dir $(tools)/build --root $(tools)/$(firstword $(subst /, ,$*)) \
	    $(firstword $(subst /, ,$*))
	rm -rf $(tools)/build

$(bump-my-version) $(maturin) $(ruff) $(twine) $(zig): $(tools)/%:
	$(call install,$(tools)/$(firstword $(subst /, ,$*)),$(subst @,==,$(firstword $(subst /, ,$*))))
