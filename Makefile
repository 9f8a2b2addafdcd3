# The one door. `make help` tells what there is.

FLINK ?= 1.20.3
FLINKS := 1.20.3 2.3.0
STORE ?= directory
STORES := directory configmap zookeeper
# A real API server is built from Kubernetes' own sources.
GO := $(if $(filter configmap,$(STORE)),go)
MVN := mvn -B -ntp -q
NIGHTLY := cargo +nightly
FUZZ_TARGETS := document report request header message
SECONDS ?= 60
GOLDEN = protocol/tests/golden
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
CRATES = protocol store store-configmap store-directory store-zookeeper agent bridge gate
# Where the tests build theirs too.
HELM = target/runtime/helm/$(HELM_VERSION)/helm
HELM_VERSION = $(shell sed -n 's/^pub const HELM_VERSION.*"\(.*\)".*/\1/p' integration-tests/src/golang.rs)
PACKAGE = target/package
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
JOB_JAR = examples/flights/job/target/flink-$(FLINK)/flights-job.jar

ifeq ($(filter $(STORE),$(STORES)),)
$(error STORE=$(STORE) is no kind of store: take one of $(STORES))
endif

.DEFAULT_GOAL := help
EXAMPLES := example-rust-stream example-embedded-java example-manual-configmap example-operator-managed
.PHONY: $(EXAMPLES) help tools build bridge jars demo demo-operator test test-rust test-java soak prove fuzz sanitize nightly package package-empty reference bench bench-control lint fmt clean

help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-24s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  FLINK=$(FLINK) (or one of: $(FLINKS)) chooses the Flink version of build and demo"
	@echo "  STORE=$(STORE) (or one of: $(STORES)) chooses what the demo's jobs share"

tools: # name what is missing, before anything is built
	@for tool in cargo java javac mvn cc python3 $(GO); do command -v $$tool >/dev/null || { \
	  echo "$$tool is missing: needed are Rust (rustup), a JDK 17, Maven, a C compiler and make, Python 3 with pip for the demo's data," \
	    "and Go 1.26 for the tests, the demo with STORE=configmap, and bench-control" >&2; exit 1; }; done
	@java -version 2>&1 | grep -qE 'version "(17|2[1-9])' || { echo "a JDK 17 or later is needed; java -version says:" >&2; java -version; exit 1; }

build: tools ## build the tidegate binary, the native library, and the Flink module for FLINK
	cargo build --release --locked -p tidegate -p tidegate-bridge -p tidegate-example-flights
	$(MVN) -DskipTests package -Dflink.version=$(FLINK)

demo: build ## the main job: a year of flights handed from one version of a Flink job to the next
	target/release/flights demo --flink $(FLINK) --store $(STORE) --tidegate target/release/tidegate --jar $(JOB_JAR) $(DEMO)

demo-operator: GO := go
demo-operator: build ## the same by a resource that is edited, on Apache's Flink operator (TIDEGATE_FLINK_OPERATOR names its jars)
	target/release/flights demo-operator --flink $(FLINK) --tidegate target/release/tidegate --jar $(JOB_JAR) $(DEMO)

# Each example with real parts, as `make test` runs it too.
example-rust-stream: tools ## a Rust stream job: rdkafka, Arrow batches, the gate, transactions
	cargo run --locked -p tidegate-example-rust-stream -- demo

example-embedded-java: example-manual-configmap ## a gate in a job's sink, promoted as the next one is

example-manual-configmap: GO := go
example-manual-configmap: tools jar-1.20.3 ## promoted by an edit of a ConfigMap
	cargo test --locked -p tidegate-integration-tests --test examples -- --nocapture

example-operator-managed: GO := go
example-operator-managed: tools jar-1.20.3 ## a resource is edited, the controller does the rest, on a session cluster
	cargo test --locked -p tidegate --test rollouts the_example_goes_over_by_itself -- --nocapture

test: GO := go
test: tools lint test-rust test-java ## all tests, on the real parts

# Generated cases are the same in every run; `cargo test` alone and `make fuzz` look for new ones. Tests wait for real parts more than
# they compute, so that there may be more of them at a time than there are processors.
test-rust: export PROPTEST_RNG_SEED ?= 20260301
test-rust: export RUST_TEST_THREADS ?= 4
test-rust: jars
	cargo test --workspace --locked --no-fail-fast

bridge:
	cargo build --release --locked -p tidegate-bridge

jars: bridge $(FLINKS:%=jar-%)

jar-%: bridge
	$(MVN) -DskipTests package -Dflink.version=$*

test-java: $(FLINKS:%=test-java-%)

test-java-%: bridge
	mvn -B -ntp verify -Dflink.version=$*

soak: tools jars ## kill every part in every moment of a cutover, on both versions of Flink; writes docs/reliability.md; CELLS="1 7" plays some
	cargo run --locked -p tidegate-integration-tests --bin soak -- $(CELLS)

prove: ## prove the protocol: model, simulation, planted bugs; QUICK=1 takes minutes
	cargo build --release --locked -p tidegate-proof --bin prove
	target/release/prove all $(if $(QUICK),--quick) $(PROVE)

nightly:
	@rustc +nightly --version >/dev/null 2>&1 || { echo "a nightly compiler is missing: rustup toolchain install nightly" >&2; exit 1; }

fuzz: nightly ## coverage-guided fuzzing of everything that is read, SECONDS=60 for each target
	@$(NIGHTLY) fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2; exit 1; }
	@for target in $(FUZZ_TARGETS); do \
	  mkdir -p target/fuzz/seeds/$$target target/fuzz/corpus/$$target; \
	  case $$target in \
	    message) cp $(GOLDEN)/order-*.json $(GOLDEN)/event-*.json $(GOLDEN)/status.json target/fuzz/seeds/$$target;; \
	    *) cp $(GOLDEN)/$$target-*.json target/fuzz/seeds/$$target;; \
	  esac; \
	  echo "fuzzing $$target for $(SECONDS) s"; \
	  $(NIGHTLY) fuzz run --fuzz-dir fuzz --target-dir target/fuzz/build $$target target/fuzz/corpus/$$target target/fuzz/seeds/$$target -- \
	    -max_total_time=$(SECONDS) -max_len=8192 -timeout=10 -print_final_stats=1 || exit 1; \
	done

sanitize: nightly ## Miri, ThreadSanitizer and AddressSanitizer on the bridge and what is below it
	@for component in miri rust-src; do \
	  rustup +nightly component list --installed | grep -q "^$$component" || { \
	    echo "$$component is missing: rustup +nightly component add $$component" >&2; exit 1; }; done
	PROPTEST_CASES=4 MIRIFLAGS=-Zmiri-disable-isolation CARGO_TARGET_DIR=target/sanitize/miri $(NIGHTLY) miri test --locked \
	  -p tidegate-bridge --lib --test handles --test input --test subtask
	PROPTEST_CASES=4 MIRIFLAGS=-Zmiri-disable-isolation CARGO_TARGET_DIR=target/sanitize/miri $(NIGHTLY) miri test --locked \
	  -p tidegate-protocol -p tidegate-gate --lib
	RUSTFLAGS=-Zsanitizer=thread CARGO_TARGET_DIR=target/sanitize/thread $(NIGHTLY) test --locked \
	  -Zbuild-std --target $(HOST) -p tidegate-bridge --tests
	RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/sanitize/address $(NIGHTLY) test --locked \
	  -Zbuild-std --target $(HOST) -p tidegate-bridge --tests

$(HELM):
	GOBIN=$(CURDIR)/$(dir $(HELM)) go install -trimpath helm.sh/helm/v4/cmd/helm@$(HELM_VERSION)

package: GO := go
package: tools $(FLINKS:%=package-%) $(HELM) ## what a release needs, into target/package: crates, Maven artifacts, chart, manifest, binary
	cargo build --release --locked -p tidegate
	cargo package --locked --no-verify -p tidegate $(CRATES:%=-p tidegate-%)
	rm -r $(PACKAGE)/tmp-registry
	$(HELM) package controller/deploy/chart --destination $(PACKAGE)
	cp controller/deploy/install.yaml $(PACKAGE)/tidegate-$(VERSION).yaml
	cp target/release/tidegate $(PACKAGE)/tidegate-$(VERSION)-$(HOST)
	cd $(PACKAGE) && sha256sum $$(ls -p | grep -v -e / -e SHA256SUMS) > SHA256SUMS && cat SHA256SUMS

# What lies there of an earlier version would be summed up too.
package-empty:
	rm -rf $(PACKAGE)
	mkdir -p $(PACKAGE)

# With its sources, as Maven's repositories want it; the pom stands alone.
package-%: bridge package-empty
	$(MVN) -DskipTests package -Prelease -Dflink.version=$*
	cp gate/flink/target/flink-$*/tidegate-flink-*.jar $(PACKAGE)
	for jar in gate/flink/target/flink-$*/tidegate-flink-*-sources.jar; do \
	  cp gate/flink/target/flink-$*/.flattened-pom.xml $(PACKAGE)/$$(basename $$jar -sources.jar).pom; done

reference: export UPDATE_GOLDEN = 1
reference: tools ## write what is generated from the code anew: definition of the resource, install manifest, pages of the docs
	cargo test --locked -p tidegate --bins the_committed_
	cargo test --locked -p tidegate-integration-tests --test packaging the_install_manifest_is_what_the_kustomization_makes
	$(MVN) -pl gate/flink -am -Dtest=OptionsReferenceTest -Dsurefire.failIfNoSpecifiedTests=false test

BENCH = target/bench
bench: tools $(FLINKS:%=bench-flink-%) jar-1.20.3 ## ratios against doing the same without a gate; the last line is one JSON object
	@mkdir -p $(BENCH)
	cargo bench --locked -p tidegate-gate --bench admit > $(BENCH)/rust.txt
	cargo bench --locked --profile dev -p tidegate-integration-tests --bench pause > $(BENCH)/pause.txt
	@cat $(FLINKS:%=$(BENCH)/flink-%.txt) $(BENCH)/rust.txt $(BENCH)/pause.txt
	@printf '{"rust":%s,"pause":%s' "$$(tail -n 1 $(BENCH)/rust.txt)" "$$(tail -n 1 $(BENCH)/pause.txt)"; \
	  for flink in $(FLINKS); do printf ',"flink-%s":%s' $$flink "$$(tail -n 1 $(BENCH)/flink-$$flink.txt)"; done; echo '}'

bench-flink-%: bridge
	@mkdir -p $(BENCH)
	$(MVN) -DskipTests package -Pbench -pl gate/flink/bench -am -Dflink.version=$*
	cd gate/flink/bench/target/flink-$* && java -cp classes:$$(cat classpath) io.tidegate.flink.internal.Bench > $(CURDIR)/$(BENCH)/flink-$*.txt

bench-control: GO := go
bench-control: tools ## from an edit of the request to the order in every subtask, on each kind of store
	cargo bench --locked -p tidegate-agent --bench control

lint: tools ## formatting, clippy with warnings denied, Java formatting
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(MVN) spotless:check

fmt: ## format everything
	cargo fmt --all
	$(MVN) spotless:apply

clean: ## remove what was built, and what was downloaded for the real parts
	cargo clean
	$(foreach version,$(FLINKS),$(MVN) clean -Dflink.version=$(version) &&) true
