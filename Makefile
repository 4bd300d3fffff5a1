# speakerd: `make test` is what CI runs.
.PHONY: help test lint check bench fuzz corpus sim mutations mutants
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## run every test; as root on Debian, install the routers that they need
	@.ci/test

lint: ## check formatting, clippy and documentation, with warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-features --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --all-features --no-deps

check: lint test ## run lint and test

bench: ## run the benchmarks
	cargo bench -p benches

FUZZ_SECONDS ?= 60
fuzz: ## run every fuzz target for FUZZ_SECONDS, on stable Rust; needs cargo-fuzz
	targets=$$(cargo fuzz list) || exit 1; \
	for target in $$targets; do \
		mkdir -p target/fuzz/$$target; \
		cargo fuzz run -s none $$target target/fuzz/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 || exit 1; \
	done

corpus: ## add inputs that reach new code to fuzz/corpus, from our encoder, the simulator and routers; needs cargo-fuzz
	SIMULATION_RECORD=$(CURDIR)/target/simulated.txt cargo test --release -p bgp-session --test simulation
	RUSTFLAGS='--cfg fuzzing' cargo run --manifest-path fuzz/Cargo.toml --target-dir target/corpus \
		--example corpus -- target/fuzz/generated target/simulated.txt
	targets=$$(cargo fuzz list) || exit 1; \
	for target in $$targets; do \
		[ ! -d target/fuzz/generated/$$target ] || cargo fuzz run -s none $$target -- -set_cover_merge=1 \
			fuzz/corpus/$$target target/fuzz/generated/$$target || exit 1; \
	done

SIMULATION_SECONDS ?= 60
sim: ## simulate sessions for SIMULATION_SECONDS, or replay one SIMULATION_SEED with a trace
	SIMULATION_SECONDS=$(SIMULATION_SECONDS) cargo test --release -p bgp-session --test simulation

mutations: ## break the library in one place after the other; the simulator must find each fault
	@.ci/mutations

MUTANTS ?= 100
SEED ?= 1
mutants: ## test a sample of MUTANTS mutants, chosen by SEED, with the quick tests; needs cargo-mutants
	@MUTANTS=$(MUTANTS) SEED=$(SEED) .ci/mutants
